/**
 * Who is at the console and what they may do, as the node says it.
 *
 * Never guesses rights from a role. A request refused because nobody is signed
 * in brings the sign-in screen back, wherever it happened.
 */
import type { Right, Sandbox, Session } from '../../node-runtime/contract/model.ts';
import { call, type Failure, failureListeners } from '../api.ts';

class SessionState {
  who = $state.raw<Session | null>(null);
  /** `new`: this computer belongs to no cluster yet. */
  phase = $state<'asking' | 'out' | 'in' | 'unreachable' | 'new'>('asking');
  failure = $state.raw<Failure | null>(null);

  constructor() {
    failureListeners.add((failure) => {
      if (failure.code === 'no_node') this.phase = 'new';
      if ((failure.code === 'sign_in_needed' || failure.code === 'token_invalid') && this.phase === 'in') this.leave();
    });
  }

  async ask(): Promise<void> {
    try {
      this.enter(await call('session'));
    } catch (cause) {
      const failure = cause as Failure;
      if (failure.code === 'no_node') this.phase = 'new';
      else if (failure.status === 401) this.leave();
      else {
        this.failure = failure;
        this.phase = 'unreachable';
        setTimeout(() => void this.ask(), 2_000);
      }
    }
  }
  async signIn(name: string, password: string): Promise<void> {
    this.enter(await call('signIn', { body: { name, password } }));
  }
  async signInByLink(code: string): Promise<void> {
    this.enter(await call('signInByLink', { body: { code } }));
  }
  async signOut(): Promise<void> {
    await call('signOut');
    this.leave();
  }

  /** Why this person may not change things; undefined when they may. For the title of a disabled button. */
  get mayNotChange(): string | undefined {
    return this.who?.may.change ? undefined : `Your role (${this.who?.role ?? 'none'}) may look, not change.`;
  }
  get mayNotLaunch(): string | undefined {
    return this.who?.may.launch ? undefined : `Your role (${this.who?.role ?? 'none'}) may not launch or cancel runs.`;
  }
  /** Why files of this sandbox may not be changed; of an unknown one the role alone speaks. */
  mayNotWrite(sandbox: Sandbox | undefined): string | undefined {
    return this.mayNotChange ?? lacks(sandbox, 'write');
  }
  /** Why runs of this sandbox may not be launched, cancelled or decided. */
  mayNotExecute(sandbox: Sandbox | undefined): string | undefined {
    return this.mayNotLaunch ?? lacks(sandbox, 'execute');
  }
  get mayNotAdminister(): string | undefined {
    return this.who?.may.administer ? undefined : 'Only administrators may do this.';
  }

  private enter(session: Session): void {
    this.who = session;
    this.failure = null;
    this.phase = 'in';
  }
  private leave(): void {
    this.who = null;
    this.phase = 'out';
  }
}

function lacks(sandbox: Sandbox | undefined, right: Right): string | undefined {
  if (!sandbox?.may || sandbox.may.includes(right)) return undefined;
  const rest = sandbox.may.includes(right === 'write' ? 'execute' : 'write');
  const may = !rest ? 'look' : right === 'write' ? 'look and launch' : 'look and change files';
  return `In ${sandbox.name} you may ${may}, not ${right === 'write' ? 'change files' : 'launch or cancel runs'}.`;
}

export const session = new SessionState();
