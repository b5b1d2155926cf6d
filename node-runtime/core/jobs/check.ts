/**
 * Is a job file, whose shape is right, also right in what its parts say about
 * each other? Needs, circles, conditions, values, parameters, bounds.
 *
 * Pure: finds mistakes and says where by the way of keys; requests/job-text.ts
 * turns that into line and column. A file without findings can be planned and
 * run: plan.ts relies on it.
 */
import type { JobFile, TaskWritten } from '../../contract/job-file.ts';
import { limits } from '../../contract/limits.ts';
import { checkExpression, type Surroundings } from './check-expression.ts';
import { checkParameters } from './check-parameters.ts';
import { conditionIn } from './condition.ts';
import { durationMs, durationText } from './duration.ts';
import type { Finding, KeyPath } from './finding.ts';
import { circleIn, type Graph, graphOf, needsOf, orderOfGraph } from './graph.ts';
import { fieldOf } from './parameters.ts';
import { type ShellSlot, shellSlotsOf, slotsMax } from './shell-text.ts';
import { didYouMean } from './similar-name.ts';
import { type FoundSlot, hasSlots, slotOpening, slotsOf } from './slots.ts';

/** All mistakes, in the order of the file's sections. */
export function checkJob(job: JobFile): Finding[] {
  const findings: Finding[] = [];
  const checker = new Checker(job, findings);
  checker.sizes();
  findings.push(...checkParameters(job));
  checker.environment(['env'], job.env, null);
  checker.secrets(['secrets'], job.secrets, job.env);
  checker.duration(['timeout'], job.timeout, 1_000);
  checker.needs();
  for (const section of ['tasks', 'finally'] as const) {
    for (const [id, task] of Object.entries(job[section] ?? {})) checker.task([section, id], id, task);
  }
  return findings;
}

class Checker {
  readonly #job: JobFile;
  readonly #findings: Finding[];
  readonly #graph: Graph;
  readonly #surroundings: Surroundings;

  constructor(job: JobFile, findings: Finding[]) {
    this.#job = job;
    this.#findings = findings;
    this.#graph = graphOf(job);
    const fields = new Map(
      Object.entries(job.parameters ?? {}).map(([name, written]) => [name, fieldOf(name, written)]),
    );
    const before = circleIn(this.#graph) === null ? orderOfGraph(this.#graph) : null;
    this.#surroundings = { fields, graph: this.#graph, before };
  }

  #wrong(path: KeyPath, at: Finding['at'], sentence: string, hint?: string): void {
    this.#findings.push({ path, at, sentence, ...(hint === undefined ? {} : { hint }) });
  }

  sizes(): void {
    const { tasks, finally: last = {}, parameters = {} } = this.#job;
    const count = Object.keys(tasks).length;
    if (count === 0)
      this.#wrong(['tasks'], 'value', 'A job has at least one task.', 'Write an id and, below it, run: …');
    if (count + Object.keys(last).length > limits.tasksMax) {
      this.#wrong(['tasks'], 'key', `A job may have at most ${limits.tasksMax} tasks.`);
    }
    if (Object.keys(parameters).length > limits.parametersMax) {
      this.#wrong(['parameters'], 'key', `A job may have at most ${limits.parametersMax} parameters.`);
    }
    for (const id of Object.keys(last)) {
      if (!Object.hasOwn(tasks, id)) continue;
      this.#wrong(
        ['finally', id],
        'key',
        `There is a task ${id} already.`,
        'Ids of tasks and finally are all different.',
      );
    }
  }

  duration(path: KeyPath, written: string | number | undefined, leastMs: number): void {
    if (written === undefined) return;
    const ms = durationMs(written);
    if (ms !== null && ms >= leastMs && ms <= limits.timeoutMsMax) return;
    const bounds = `from ${durationText(leastMs)} to ${durationText(limits.timeoutMsMax)}`;
    this.#wrong(path, 'value', `This time is out of bounds: ${bounds} are allowed.`);
  }

  // ------------------------------------------------------------------ needs

  needs(): void {
    for (const section of ['tasks', 'finally'] as const) {
      for (const [id, task] of Object.entries(this.#job[section] ?? {})) {
        const seen = new Set<string>();
        for (const [index, need] of needsOf(task).entries()) {
          const path = [section, id, 'needs', ...(Array.isArray(task.needs) ? [index] : [])];
          this.#need(path, section, need, seen);
        }
      }
    }
    const circle = circleIn(this.#graph);
    if (circle) this.#circle(circle);
  }

  #need(path: KeyPath, section: 'tasks' | 'finally', need: string, seen: Set<string>): void {
    const found = this.#graph.indexOf.get(need);
    const of = found === undefined ? null : this.#graph.nodes[found]!.section;
    if (of === null) {
      const hint = didYouMean(need, this.#graph.indexOf.keys());
      this.#wrong(path, 'value', `There is no task ${need}.`, hint ?? 'A need is the id of another task.');
    } else if (seen.has(need)) {
      this.#wrong(path, 'value', `${need} is named twice.`, 'Once is enough.');
    } else if (of !== section) {
      const [sentence, hint] =
        section === 'tasks'
          ? [
              `${need} is a task of finally: it runs after all others.`,
              'A task can only need tasks that run before it.',
            ]
          : ['Tasks of finally run after all others anyway.', 'Leave this need out.'];
      this.#wrong(path, 'value', sentence, hint);
    }
    seen.add(need);
  }

  #circle(circle: number[]): void {
    const names = circle.map((index) => this.#graph.nodes[index]!.id);
    const { id, section, task } = this.#graph.nodes[circle.at(-2)!]!;
    const place = needsOf(task).indexOf(names.at(-1)!);
    const path = [section, id, 'needs', ...(Array.isArray(task.needs) ? [place] : [])];
    const sentence =
      names.length === 2 ? `${id} needs itself.` : `These tasks need each other in a circle: ${names.join(' → ')}.`;
    this.#wrong(path, 'value', sentence, 'None of them could ever begin. Take one of the needs out.');
  }

  // ------------------------------------------------------------------ tasks

  task(path: KeyPath, id: string, task: TaskWritten): void {
    const index = this.#graph.indexOf.get(id)!;
    this.#run([...path, 'run'], task.run, index);
    this.environment([...path, 'env'], task.env, index);
    this.secrets([...path, 'secrets'], task.secrets, task.env);
    this.#workingDirectory([...path, 'working_directory'], task.working_directory);
    this.duration([...path, 'timeout'], task.timeout, 1_000);
    if (typeof task.retry === 'object') this.duration([...path, 'retry', 'delay'], task.retry.delay, 0);
    if (typeof task.if === 'string') this.#condition([...path, 'if'], task.if, index);
  }

  #condition(path: KeyPath, text: string, task: number): void {
    const { source, sourceAt } = conditionIn(text);
    const mistake = checkExpression(source, task, this.#surroundings);
    if (!mistake) return;
    const { at, ...words } = mistake;
    const slot = text.indexOf(slotOpening);
    const place = sourceAt > 0 ? { slot: 0, offset: sourceAt - slot + at } : { offset: at };
    this.#findings.push({ path, at: 'value', ...place, ...words });
  }

  #run(path: KeyPath, run: TaskWritten['run'], task: number): void {
    if (typeof run === 'string') {
      this.#shell(path, run, task);
      return;
    }
    for (const [index, part] of run.entries()) {
      if (typeof part === 'string') this.#text([...path, index], part, task);
    }
    if (run[0] === '') this.#wrong([...path, 0], 'value', 'The program has no name.');
  }

  #shell(path: KeyPath, text: string, task: number): void {
    this.#noNul(path, text);
    if (text.trim() === '') this.#wrong(path, 'value', 'There is nothing to run.');
    const slots = shellSlotsOf(text);
    if (slots.length > slotsMax) {
      this.#wrong(
        path,
        'value',
        `At most ${slotsMax} \${{ … }} can be in one text.`,
        'Set an environment variable once and use that.',
      );
      return;
    }
    for (const slot of slots) {
      this.#slot(path, text, slot, task);
      const misplaced = this.#misplaced(slot);
      if (misplaced) this.#findings.push({ ...this.#placeOf(path, text, slot), ...misplaced });
    }
  }

  /** Places in a shell text where a reference to a variable can't stand. */
  #misplaced(slot: ShellSlot): { sentence: string; hint: string } | null {
    if (slot.place === 'single') {
      return {
        sentence: 'Inside single quotes nothing is replaced.',
        hint: `Use double quotes around \${{ … }}, or none.`,
      };
    }
    if (slot.place === 'quotedHere') {
      return {
        sentence: 'In a here-document whose end word is quoted nothing is replaced.',
        hint: 'Take the quotes off the end word.',
      };
    }
    if (slot.place === 'arithmetic' && !isNumeric(slot.source, this.#surroundings)) {
      return {
        sentence: 'In arithmetic only numbers are safe, and this may be a text.',
        hint: 'Declare the parameter with type integer.',
      };
    }
    return null;
  }

  environment(path: KeyPath, environment: JobFile['env'], task: number | null): void {
    const entries = Object.entries(environment ?? {});
    if (entries.length > limits.environmentMax) {
      this.#wrong(path, 'key', `At most ${limits.environmentMax} environment variables can be set.`);
    }
    for (const [name, value] of entries) {
      this.#ownName([...path, name], 'key', name);
      if (typeof value === 'string') this.#text([...path, name], value, task);
    }
  }

  /** Whether there are secrets of these names is another question: it is asked at launch. */
  secrets(path: KeyPath, secrets: JobFile['secrets'], environment: JobFile['env']): void {
    const isList = Array.isArray(secrets);
    const given = isList ? secrets.map((name) => [name, name] as const) : Object.entries(secrets ?? {});
    if (given.length > limits.secretsPerTaskMax)
      this.#wrong(path, 'key', `At most ${limits.secretsPerTaskMax} secrets can be given to a task.`);
    for (const [index, [variable, name]] of given.entries()) {
      const place = [...path, isList ? index : variable];
      const at = isList ? 'value' : 'key';
      this.#ownName(place, at, variable);
      if (Object.hasOwn(environment ?? {}, variable))
        this.#wrong(place, at, `${variable} is set by env as well.`, 'Take one of the two out.');
      if (given.findIndex(([other]) => other === variable) < index)
        this.#wrong(place, at, `${name} is named twice.`, 'Once is enough.');
    }
  }

  #ownName(path: KeyPath, at: Finding['at'], variable: string): void {
    if (!/^(PARAM_|BINNACLE_)/.test(variable)) return;
    this.#wrong(path, at, 'Names that begin with PARAM_ or BINNACLE_ are set by Binnacle.', 'Use another name.');
  }

  #workingDirectory(path: KeyPath, folder: string | undefined): void {
    if (folder === undefined) return;
    this.#noNul(path, folder);
    if (hasSlots(folder)) this.#wrong(path, 'value', 'Nothing is replaced in a working directory.', 'Use cd in run.');
    const leads =
      folder.startsWith('/') || /^[A-Za-z]:/.test(folder) || folder.includes('\\') || folder.split('/').includes('..');
    if (leads) {
      this.#wrong(
        path,
        'value',
        'A working directory stays inside the sandbox.',
        'Use a relative path of plain names.',
      );
    }
  }

  #text(path: KeyPath, text: string, task: number | null): void {
    this.#noNul(path, text);
    const slots = slotsOf(text);
    if (slots.length > slotsMax) {
      this.#wrong(path, 'value', `At most ${slotsMax} \${{ … }} can be in one text.`);
      return;
    }
    for (const slot of slots) this.#slot(path, text, slot, task);
  }

  #slot(path: KeyPath, text: string, slot: FoundSlot, task: number | null): void {
    const place = this.#placeOf(path, text, slot);
    if (!slot.closed) {
      this.#findings.push({ ...place, sentence: `This \${{ has no end.`, hint: 'Close it with }}' });
      return;
    }
    const mistake = checkExpression(slot.source, task, this.#surroundings);
    if (!mistake) return;
    const { at, ...words } = mistake;
    this.#findings.push({ ...place, offset: slot.sourceAt - slot.start + at, ...words });
  }

  #placeOf(path: KeyPath, text: string, slot: FoundSlot) {
    const before = text.slice(0, slot.start).split(slotOpening).length - 1;
    return { path, at: 'value' as const, slot: before, offset: 0 };
  }

  #noNul(path: KeyPath, text: string): void {
    if (text.includes('\0')) this.#wrong(path, 'value', 'The character NUL cannot be passed to a program.');
  }
}

/** Can this only ever be a number? */
function isNumeric(source: string, { fields }: Surroundings): boolean {
  const match = /^\s*(?:params\.(?<name>\w+)|tasks\.[\w-]+\.exit_code|-?\d+)\s*$/.exec(source);
  const name = match?.groups?.['name'];
  if (name === undefined) return match !== null;
  const type = fields.get(name)?.type;
  return type === 'integer' || type === 'number';
}
