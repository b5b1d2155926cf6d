/**
 * Rights where requests are answered: finds the sandbox that a request is
 * about and asks the one rule (`core/access/rights.ts`).
 *
 * It stands before every handler (`handlers.ts`), on whichever node answers,
 * so passing a request on can't go round it; and once more before a request
 * goes to the node that holds a local sandbox, so that nobody learns from its
 * silence. A node without a journal is told the list with the sandbox.
 *
 * Promise: who may not read a sandbox gets the very answer of one that does
 * not exist, and the same for its runs.
 */
import { type Refusal, refuse } from '../contract/errors.ts';
import type { LiveEvent, Right, RightsEntry, Role } from '../contract/model.ts';
import { type Need, type RouteName, routes } from '../contract/routes.ts';
import { credentialNow } from '../core/access/access.ts';
import { mayIn, rightsIn, type Visible, visibleTo } from '../core/access/rights.ts';
import { sandboxOfRun } from '../core/jobs/jobs.ts';
import { unknownSandbox } from '../core/sandboxes/sandboxes.ts';
import { type Asked, atLeast, type Caller } from '../io/http/asked.ts';
import { noteUsed } from './identify.ts';
import type { Parts } from './parts.ts';
import { isRefusal } from './wish.ts';

type Subject = Pick<Asked<RouteName>, 'caller' | 'params' | 'body'>;

const verbs: Record<Right, string> = {
  read: 'look at it',
  write: 'change its files',
  execute: 'launch, cancel or decide its runs',
};

/** Null: the handler may go on. */
export async function rightsRefusal(parts: Parts, name: RouteName, asked: Subject): Promise<Refusal | null> {
  const { needs, role, method } = routes[name];
  const { caller } = asked;
  const isLook = method === 'GET' && (role === 'viewer' || role === 'nobody');
  if (needs === null) return caller.scope && !isLook && role !== 'nobody' ? limited(caller) : null;
  if (needs === 'administer') return caller.scope ? limited(caller) : null;
  if (seesEverything(caller)) return null;
  const { run, sandbox = (asked.body as { sandbox?: string } | undefined)?.sandbox } = asked.params as Named;
  if (run === undefined) return sandboxRefusal(parts, caller, sandbox!, needs);
  const of = await sandboxOfAnyRun(parts, run);
  if (of === null) return null; // an unknown run: the handler says so
  const refused = await sandboxRefusal(parts, caller, of, needs);
  return refused?.code === 'sandbox_unknown' ? refuse('run_unknown', `There is no run ${run}.`) : refused;
}

type Named = { sandbox?: string; run?: string };

/** May somebody do this in a sandbox? What is not there is refused by whoever looks for it. */
export async function sandboxRefusal(
  parts: Parts,
  caller: Caller,
  sandbox: string,
  needs: Need,
): Promise<Refusal | null> {
  if (needs === 'administer') return caller.scope ? limited(caller) : null;
  if (seesEverything(caller)) return null;
  const list = await listOf(parts, sandbox);
  if (isRefusal(list)) return list;
  const may = rightsIn(caller, sandbox, list);
  if (may.includes(needs)) return null;
  if (may.length === 0) return unknownSandbox(sandbox);
  return refuse(
    'right_missing',
    `${caller.name} may not ${verbs[needs]}: the rights in "${sandbox}" are ${may.join(' and ')}.`,
  );
}

/** An administrator, unless by a token that is limited. */
export const seesEverything = (caller: Caller): boolean => caller.role === 'admin' && !caller.scope;

const limited = (caller: Caller): Refusal =>
  refuse('scope_exceeded', `The token "${caller.name}" may only do what it was made for, in its sandboxes.`);

async function listOf(parts: Parts, sandbox: string): Promise<RightsEntry[] | null | Refusal> {
  const { member, replicated } = parts.loop.state;
  // The state itself, not a confirmed read of it: what the handler reads or wishes after this is confirmed, and that
  // says that nobody else can have decided anything before this moment.
  if (member.keepsJournal) return replicated.access.rights.get(sandbox) ?? null;
  const record = await parts.sandbox(sandbox);
  return isRefusal(record) ? record : (record.rights ?? null);
}

async function sandboxOfAnyRun(parts: Parts, run: string): Promise<string | null> {
  const living = sandboxOfRun(parts.loop.state.replicated.jobs, run);
  if (living !== null) return living;
  const filed = await parts.journal.filedRun(run);
  return filed ? (JSON.parse(filed) as { sandbox: string }).sandbox : null;
}

/** The sandboxes that somebody sees, by what this node knows. */
export const visibleHere = (parts: Parts, caller: Caller): Visible =>
  visibleTo(parts.loop.state.replicated.access.rights, caller);

/** What an answer about a sandbox says of rights: one's own, and to administrators everybody's. */
export function rightsShown(caller: Caller, sandbox: string, list: RightsEntry[] | null) {
  const may = rightsIn(caller, sandbox, list);
  return { may, ...(list && seesEverything(caller) ? { rights: list } : {}) };
}

/** Does who was let in still hold? Asked now and then for answers that go on. */
export async function stillMay(parts: Parts, name: RouteName, asked: Subject): Promise<boolean> {
  const caller = presentCaller(parts, asked.caller);
  if (!caller || !atLeast(caller.role, routes[name].role as Role)) return false;
  if (caller.credential) noteUsed(parts, caller.credential);
  return (await rightsRefusal(parts, name, { ...asked, caller })) === null;
}

/** Who a caller is by now: the role may be another one; null when what was shown holds no more. */
function presentCaller(parts: Parts, caller: Caller): Caller | null {
  const { member, replicated } = parts.loop.state;
  if (caller.credential === undefined || !member.keepsJournal) return caller;
  const found = credentialNow(replicated.access, caller.credential, Date.now());
  if (!found) return null;
  const { id, ...who } = found;
  return { ...who, credential: id };
}

/**
 * A live event as this caller is told it; null: not at all. Rights are those
 * of now. Who loses a sandbox by a change of rights is told to look again,
 * without its name, and so is everybody else who may not know of it.
 */
export function eventFor(parts: Parts, caller: Caller, event: LiveEvent): LiveEvent | null {
  const present = presentCaller(parts, caller);
  if (!present) return null;
  if (seesEverything(present)) return event;
  const sandbox = sandboxOfEvent(event);
  if (sandbox === undefined || mayIn(parts.loop.state.replicated.access.rights, present, sandbox, 'read')) return event;
  const isRights = event.kind === 'sandbox' && event.change === 'rights';
  return isRights ? { kind: 'cluster', position: event.position, at: event.at } : null;
}

function sandboxOfEvent(event: LiveEvent): string | undefined {
  switch (event.kind) {
    case 'run':
      return event.run.sandbox;
    case 'happened':
      return event.happening.sandbox;
    case 'sandbox':
      return event.name;
    case 'task':
    case 'files':
      return event.sandbox;
    case 'cluster':
    case 'audited':
      return undefined;
  }
}
