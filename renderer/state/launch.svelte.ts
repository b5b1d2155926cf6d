/** The launch form of one job file: drawn from the node's answer, sent once. */
import type { LaunchForm, Run } from '../../node-runtime/contract/model.ts';
import { call, Failure } from '../api.ts';
import { beginTyped, type Further, mistakesFrom, parametersOf, type Typed } from '../flows/launch.ts';
import { desktopState } from './desktop.svelte.ts';

class LaunchState {
  form = $state.raw<LaunchForm | null>(null);
  failure = $state.raw<Failure | null>(null);
  typed = $state<Typed>({});
  further = $state<Further[]>([]);
  mistakes = $state.raw<Record<string, string>>({});
  sending = $state(false);
  private key = crypto.randomUUID();
  private turn = 0;

  async show(sandbox: string, path: string, from: string | undefined): Promise<void> {
    const turn = ++this.turn;
    this.form = null;
    this.failure = null;
    this.mistakes = {};
    this.key = crypto.randomUUID();
    try {
      const [form, before] = await Promise.all([
        call('launchForm', { params: { sandbox }, query: { path } }),
        from ? call('run', { params: { run: from } }) : null,
      ]);
      if (turn !== this.turn) return;
      const given = before?.parameters ?? {};
      this.typed = beginTyped(form.parameters, given);
      const declared = new Set(form.parameters.map((field) => field.name));
      this.further = Object.entries(given)
        .filter(([name]) => form.open && !declared.has(name))
        .map(([name, value]) => ({ name, value: String(value) }));
      this.form = form;
    } catch (cause) {
      if (turn === this.turn) this.failure = cause as Failure;
    }
  }

  /** Sends the form. Gives the run, or null when something has to be mended first. */
  async send(): Promise<Run | null> {
    const form = this.form;
    if (!form || this.sending) return null;
    const { values, mistakes } = parametersOf(form.parameters, this.typed, form.open ? this.further : []);
    this.mistakes = mistakes;
    if (Object.keys(mistakes).length > 0) return null;
    this.sending = true;
    try {
      // The same key until something is changed: pressing twice launches once.
      const run = await call('launch', {
        body: { sandbox: form.sandbox, path: form.path, parameters: values },
        key: this.key,
      });
      desktopState.watch(run.id);
      return run;
    } catch (cause) {
      if (cause instanceof Failure && cause.code === 'parameters_wrong' && cause.problems.length > 0) {
        this.mistakes = mistakesFrom(cause.problems, form.parameters);
      } else throw cause;
      return null;
    } finally {
      this.sending = false;
    }
  }
  changed(): void {
    this.key = crypto.randomUUID();
    if (Object.keys(this.mistakes).length > 0) this.mistakes = {};
  }
}

export const launch = new LaunchState();
