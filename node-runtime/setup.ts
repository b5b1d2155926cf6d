/**
 * How a data folder without a node gets one, asked for by the person in front
 * of the desktop program: founds a cluster, joins by a code, or asks to be let
 * in and waits for a person there. One way at a time.
 *
 * What is found in the network is shown; nobody is asked anything before the
 * person says so. Does not start the node: `done` tells that it can be.
 *
 * Promise: a try that does not come about leaves the folder as it was. Who may
 * reach the node is written before its identity, which is written last: the
 * folder holds a whole node or none. A journal that was there before without
 * an identity is put aside, never deleted.
 */
import { mkdir, rm } from 'node:fs/promises';
import { ZodError } from 'zod';
import { refuse } from './contract/errors.ts';
import { codeInPasted, readAddress } from './contract/invite-code.ts';
import type { Setup, SetupStep } from './contract/setup.ts';
import { startLooking } from './finding.ts';
import { found, isFounded, places, putJournalAside } from './founding.ts';
import type { SetupHandlers, SetupReply } from './io/http/setup-door.ts';
import { JournalError } from './io/journal/errors.ts';
import type { NodeLog } from './io/machine/log.ts';
import { machineName } from './io/machine/machine.ts';
import { askToJoin, CannotJoin, join } from './joining.ts';
import { closed, forgetReach, saveReach } from './reach.ts';

type Failure = NonNullable<Setup['failure']>;
type Way = Failure['way'];
export type SetUp = {
  handlers: SetupHandlers;
  /** The folder holds a node. */
  done: Promise<void>;
  /** Withdraws what is asked for; says nothing more to the network. */
  close(): Promise<void>;
};

const USUAL_PORT = closed.door;
/** Where a node is called like this computer already. */
const TRIED_NAMES_MAX = 100;

export function startSetup(given: { data: string; name: string; log: NodeLog }): SetUp {
  const { data, log } = given;
  const own = given.name || machineName();
  const looking = startLooking(log);
  let step: SetupStep = 'choosing';
  let asked: Setup['asked'];
  let failure: Failure | undefined;
  let attempt: { signal: AbortController; ended: Promise<void> } | null = null;
  let settle = (): void => undefined;
  const done = new Promise<void>((resolve) => (settle = resolve));

  function state(): Setup {
    const discovered = looking.discovered();
    const name = freeName(own, (taken) => discovered.some((one) => one.name === taken));
    const cluster = freeName(`${own}-lab`, (taken) => discovered.some((one) => one.clusterName === taken));
    return {
      ...{ step, suggested: { name, cluster }, discovered, reach: { open: false, addresses: [] } },
      ...(asked ? { asked } : {}),
      ...(failure ? { failure } : {}),
    };
  }

  function begin(
    way: Way,
    first: SetupStep,
    open: boolean,
    act: (signal: AbortSignal) => Promise<unknown>,
  ): SetupReply {
    if (step !== 'choosing') return refuse('setup_busy', 'One way was chosen already.');
    const signal = new AbortController();
    step = first;
    failure = undefined;
    attempt = { signal, ended: carryOut(way, open, act, signal.signal) };
    return { body: state() };
  }

  async function carryOut(
    way: Way,
    open: boolean,
    act: (signal: AbortSignal) => Promise<unknown>,
    signal: AbortSignal,
  ): Promise<void> {
    let begun = false;
    try {
      await mkdir(data, { recursive: true, mode: 0o700 });
      putJournalAside(data);
      begun = true;
      await saveReach(data, { ...closed, open });
      signal.throwIfAborted(); // it was cancelled before it began
      await untilAborted(act(signal), signal, () => step === 'asking');
      step = 'starting';
      settle();
    } catch (error) {
      if (begun) await clearUp(data).catch((late) => log.warn({ err: late }, 'A half-made node was not cleared away.'));
      failure = signal.aborted ? undefined : inWords(way, error);
      if (failure?.code === 'internal') log.error({ err: error }, 'The node of this computer was not made.');
      step = 'choosing';
    } finally {
      asked = undefined;
      attempt = null;
    }
  }

  async function cancel(): Promise<void> {
    const { signal, ended } = attempt ?? {};
    if (step !== 'asking' && step !== 'waiting') return;
    signal?.abort();
    // Let in at this very moment, it is a member all the same, and goes on as one.
    await ended;
  }

  return {
    handlers: {
      setup: () => ({ body: state() }),
      setupFound: ({ cluster, name, open }) => begin('found', 'founding', open, () => found({ data, cluster, name })),
      setupJoin({ code: pasted, name }) {
        const code = codeInPasted(pasted);
        if (code === null) return refuse('invite_invalid', 'This is not a whole code.');
        return begin('join', 'joining', true, () => join({ data, code, name }));
      },
      setupAsk({ address: typed, name }) {
        const address = withUsualPort(typed);
        if (address === null) return refuse('bad_request', `"${typed.slice(0, 100)}" is no address.`);
        return begin('ask', 'asking', true, (signal) =>
          askToJoin({
            ...{ data, address, name, signal },
            onWords(words, clusterName, expiresAt) {
              if (signal.aborted) return;
              asked = { clusterName, address: address.split(',')[0]!, words, expiresAt };
              step = 'waiting';
            },
          }),
        );
      },
      async setupCancel() {
        await cancel();
        return { body: state() };
      },
      setupReach: () => refuse('no_node', 'There is no node yet that others could reach.'),
    },
    done,
    async close() {
      await Promise.all([cancel(), looking.stop()]);
    },
  };
}

/** Nobody waits for one who is asked and does not answer; what comes of it then changes nothing. */
function untilAborted(act: Promise<unknown>, signal: AbortSignal, mayLeave: () => boolean): Promise<unknown> {
  const left = new Promise<never>((_, failed) => {
    signal.addEventListener('abort', () => mayLeave() && failed(new Error('it was cancelled')), { once: true });
  });
  act.catch(() => undefined);
  return Promise.race([act, left]);
}

/** What this try made. Before an identity is there, nobody knows of it. */
async function clearUp(data: string): Promise<void> {
  if (isFounded(data)) return;
  await rm(places(data).journal, { recursive: true, force: true });
  await forgetReach(data);
}

function freeName(name: string, isTaken: (name: string) => boolean): string {
  if (!isTaken(name)) return name;
  for (let n = 2; n < TRIED_NAMES_MAX; n++) if (!isTaken(`${name}-${n}`)) return `${name}-${n}`;
  return name;
}

/** Of several with commas between each gets one; null when one of them is no address. */
function withUsualPort(typed: string): string | null {
  const all = typed.split(',').map((one) => {
    const text = one.trim();
    return [text, `${text}:${USUAL_PORT}`, `[${text}]:${USUAL_PORT}`].find((form) => readAddress(form) !== null);
  });
  return all.every((one) => one !== undefined) ? all.join(',') : null;
}

const ASK_AGAIN = 'Ask again; the words will be others.';
const words: Record<string, { sentence?: string; next: string }> = {
  invite_invalid: { next: 'Get a new one: on a member, Nodes, Invite a node.' },
  join_request_unknown: {
    sentence: 'The request has ended: nobody answered it in time, or the cluster is led by another node now.',
    next: ASK_AGAIN,
  },
  name_taken: { next: 'Choose another name for this computer.' },
  too_many: { next: 'Wait a minute, then try again.' },
};

/** What went wrong as a person is told, who is in front of this computer. */
function inWords(way: Way, error: unknown): Failure {
  if (error instanceof CannotJoin) {
    const known = words[error.code];
    return { way, code: error.code, sentence: known?.sentence ?? error.message, next: known?.next ?? error.next };
  }
  if (error instanceof SyntaxError || error instanceof ZodError)
    return {
      ...{ way, code: 'cannot_join', sentence: 'What answers at that address is no node of Binnacle.' },
      next: 'Look whether address and port are those of a member; the usual port is 7400.',
    };
  const next =
    error instanceof JournalError
      ? 'Delete nothing. Close other Binnacle windows, then try again.'
      : 'Look whether there is space on the disk, then try again.';
  return { way, code: 'internal', sentence: error instanceof Error ? error.message : String(error), next };
}
