/**
 * Decide: turns what somebody wishes into facts, or refuses.
 *
 * Only the active decides. Nothing changes here: the facts are applied and
 * appended by `step.ts`, and the answer is read from the state after that. So
 * a wish that would break the state is refused before it is written.
 *
 * A wish is already checked for shape and rights by the HTTP shell; here it is
 * checked against the state.
 */

import { type Refusal, refuse } from '../contract/errors.ts';
import type { AuthorityCertificate, Fact, FileChange, Plan } from '../contract/facts.ts';
import { limits } from '../contract/limits.ts';
import type { RightsEntry, Role } from '../contract/model.ts';
import * as access from './access/access.ts';
import { decideRights } from './access/rights.ts';
import { decideEndSessions, type Whose } from './access/sessions.ts';
import * as jobs from './jobs/jobs.ts';
import { decideRotate } from './members/authority.ts';
import * as members from './members/members.ts';
import type { Replicated } from './replicated.ts';
import { utf8Bytes } from './sandboxes/paths.ts';
import * as sandboxes from './sandboxes/sandboxes.ts';
import * as secrets from './secrets/secrets.ts';

export type FileGuard = { path: string; ifMatch?: string; ifAbsent?: boolean };

export type Wish =
  | { wish: 'createUser'; name: string; role: Role; passwordHash: string }
  | { wish: 'changeUser'; name: string; role?: Role; passwordHash?: string; keepSession?: string }
  | { wish: 'removeUser'; name: string }
  | ({ wish: 'createToken' } & access.NewToken)
  | { wish: 'removeToken'; id: string }
  | { wish: 'noteUses'; used: { id: string; at: number }[] }
  | {
      wish: 'useLink';
      hash: string;
      session: { id: string; hash: string; expiresAt: number; from?: string; program?: string };
    }
  | { wish: 'endSessions'; whose: Whose; session?: string; keep?: string }
  /** Sealed for the version that follows; its value is not known here. */
  | { wish: 'saveSecret'; name: string; version: number; sealed: string; description?: string }
  | { wish: 'removeSecret'; name: string }
  | {
      wish: 'createSandbox';
      name: string;
      storage: 'kept' | 'local';
      description: string;
      node?: string;
      directory?: string;
    }
  | { wish: 'removeSandbox'; name: string }
  | { wish: 'changeRights'; name: string; rights: RightsEntry[] | null }
  | { wish: 'changeFiles'; sandbox: string; changes: FileChange[]; guard?: FileGuard }
  /** Tells of a change in a local directory; it was made there already. */
  | {
      wish: 'noteLocalChange';
      sandbox: string;
      act: Extract<Fact, { kind: 'localFilesChanged' }>['act'];
      paths: string[];
      /** What the shell answers, so that the same key gets it again (P36). */
      answer: { status: number; body: unknown };
    }
  | {
      wish: 'launch';
      sandbox: string;
      path: string;
      revision?: number;
      parameters: Record<string, string | number | boolean>;
      plan: Plan;
    }
  | { wish: 'cancel'; run: string }
  | { wish: 'decideTask'; run: string; task: string; decision: 'again' | 'succeeded' | 'failed' }
  | ({ wish: 'join' } & members.Joining)
  | { wish: 'invite'; invite: members.Invite }
  | { wish: 'refuseJoin'; name: string; address: string }
  | { wish: 'rotateAuthority'; before: AuthorityCertificate; next: AuthorityCertificate }
  /** Tells who asked for it, before it is done: a new lead is not an entry of the one who asked. */
  | { wish: 'askLead'; what: 'switchOver' | 'park'; why?: string }
  | ({ wish: 'changeNode'; node: string } & members.NodeChange)
  | { wish: 'removeNode'; node: string };

export type Circumstances = {
  now: number;
  /** Index that the first fact will get. */
  index: number;
  /** Random letters and digits from the shell, fresh for this wish. */
  random: string;
};

export type Decision = { facts: Fact[]; names?: { run?: string } } | Refusal;

export function decide(state: Replicated, wish: Wish, circumstances: Circumstances): Decision {
  switch (wish.wish) {
    case 'createUser':
      return access.decideCreateUser(state.access, wish);
    case 'changeUser':
      return access.decideChangeUser(state.access, wish);
    case 'removeUser':
      return access.decideRemoveUser(state.access, wish.name);
    case 'createToken':
      return access.decideCreateToken(state.access, wish, circumstances.now);
    case 'removeToken':
      return access.decideRemoveToken(state.access, wish.id);
    case 'useLink':
      return access.decideUseLink(state.access, wish.hash, wish.session, circumstances.now);
    case 'noteUses': {
      const seen = wish.used.map(({ id, at }): [string, number] => [id, at]);
      const used = access.usesToNote(state.access, seen);
      return { facts: used.length > 0 ? [{ kind: 'tokensUsed', used }] : [] };
    }
    case 'endSessions':
      return decideEndSessions(state.access, wish);
    case 'saveSecret':
      return secrets.decideSaveSecret(state.secrets, wish);
    case 'removeSecret':
      return secrets.decideRemoveSecret(state.secrets, wish.name);
    case 'createSandbox':
      return sandboxes.decideCreateSandbox(state.sandboxes, wish);
    case 'removeSandbox':
      return sandboxes.decideRemoveSandbox(state.sandboxes, wish.name, jobs.usesSandbox(state.jobs, wish.name));
    case 'changeRights':
      return changeRights(state, wish);
    case 'changeFiles':
      return sandboxes.decideChanges(state.sandboxes, wish.sandbox, wish.changes, wish.guard);
    case 'noteLocalChange':
      return { facts: [{ kind: 'localFilesChanged', sandbox: wish.sandbox, act: wish.act, paths: wish.paths }] };
    case 'launch':
      return decideLaunch(state, wish, circumstances);
    case 'cancel':
      return jobs.decideCancel(state.jobs, wish.run);
    case 'decideTask':
      return jobs.decideDecision(state.jobs, wish, circumstances.now);
    case 'join': {
      const { wish: _, ...joining } = wish;
      return members.decideJoin(state.members, joining, circumstances.now);
    }
    case 'invite':
      return members.decideInvite(state.members, wish.invite);
    case 'refuseJoin':
      return { facts: [{ kind: 'joinRefused', name: wish.name, address: wish.address }] };
    case 'rotateAuthority':
      return decideRotate(state.members.authorities, wish.before, wish.next);
    case 'askLead': {
      const { wish: _, ...asked } = wish;
      return { facts: [{ kind: 'leadAsked', ...asked }] };
    }
    case 'changeNode': {
      const { wish: _, node, ...asked } = wish;
      return members.decideChange(state.members, state.charter, node, asked);
    }
    case 'removeNode':
      return decideRemoveNode(state, wish.node);
  }
}

function changeRights(state: Replicated, wish: Extract<Wish, { wish: 'changeRights' }>): Decision {
  const sandbox = sandboxes.sandboxNamed(state.sandboxes, wish.name);
  if ('code' in sandbox) return sandbox;
  return decideRights(state.access.rights, wish, (who) => access.isThere(state.access, who));
}

/** What lies or runs only there would be lost sight of. */
function decideRemoveNode(state: Replicated, name: string): Decision {
  const node = members.memberNamed(state.members, name)?.id;
  const local = [...state.sandboxes.values()].find((one) => one.storage === 'local' && one.node === node);
  const runs = node ? jobs.attemptsOn(state.jobs, node).length : 0;
  const holds = local
    ? `holds the local sandbox ${local.name}; remove that first`
    : runs > 0
      ? `still has ${runs} attempts whose end is not known; decide them or wait`
      : null;
  return members.decideRemove(state.members, state.charter, name, holds);
}

function decideLaunch(
  state: Replicated,
  wish: Extract<Wish, { wish: 'launch' }>,
  circumstances: Circumstances,
): Decision {
  const sandbox = sandboxes.sandboxNamed(state.sandboxes, wish.sandbox);
  if ('code' in sandbox) return sandbox;
  // The job file was read before: by now another sandbox may bear that name.
  if ((wish.revision ?? 0) > sandbox.revision || (wish.revision === undefined) !== (sandbox.storage === 'local')) {
    return refuse('sandbox_unknown', `"${wish.sandbox}" was removed and made anew in this moment; launch again.`);
  }
  const lack = secrets.lackOfSecrets(state.secrets, jobs.secretsNamedIn(wish.plan));
  if (lack) return lack;
  // The answer is kept in the same entry and repeats at most what the plan holds.
  if (2 * utf8Bytes(JSON.stringify([wish.plan, wish.parameters])) > limits.entryBytesMax * 0.9) {
    return refuse('limit_reached', `${wish.path} and its parameters are too large together for one run.`);
  }
  const run = runId(circumstances.index, circumstances.random);
  const decision = jobs.decideLaunch(state.jobs, { ...wish, run });
  return 'code' in decision ? decision : { ...decision, names: { run } };
}

/**
 * Unique in one lineage by its journal index, and beyond it (an entry cut into
 * quarantine may give its index to another) by four random letters.
 */
const runId = (index: number, random: string): string => `r-${index.toString(36)}${random.slice(0, 4)}`;
