/**
 * What a wish is answered with, read from the state right after its facts were
 * applied. The answer leaves only when those facts are committed (P14).
 */
import { tokenView, userView } from './access/access.ts';
import type { Reply } from './effects.ts';
import { runOf, runsBySecret } from './jobs/jobs.ts';
import { memberNamed } from './members/members.ts';
import type { Replicated } from './replicated.ts';
import { entryAt, sandboxView } from './sandboxes/sandboxes.ts';
import { secretView } from './secrets/secrets.ts';
import type { Wish } from './wishes.ts';

export function answerTo(state: Replicated, wish: Wish, run: string | undefined): Reply {
  switch (wish.wish) {
    case 'createUser':
      return { status: 201, body: userView(state.access, wish.name) };
    case 'changeUser':
      return { status: 200, body: userView(state.access, wish.name) };
    case 'createToken':
      return { status: 201, body: tokenView(state.access, wish.id) };
    case 'useLink':
      return { status: 200, body: tokenView(state.access, wish.session.id) };
    case 'saveSecret':
      return { status: 200, body: secretView(state.secrets, wish.name, runsBySecret(state.jobs).get(wish.name)) };
    case 'removeSecret':
      return { status: 200, body: { removed: wish.name, runs: runsBySecret(state.jobs).get(wish.name) ?? [] } };
    case 'createSandbox':
      return { status: 201, body: sandboxView(state.sandboxes.get(wish.name)!) };
    case 'changeRights':
      return { status: 200, body: rightsShown(state, wish.name) };
    case 'changeFiles':
      return changedEntry(state, wish);
    case 'noteLocalChange':
      return wish.answer;
    case 'launch':
      return { status: 201, body: runOf(state.jobs, run!) };
    case 'cancel':
    case 'decideTask':
      return { status: 200, body: runOf(state.jobs, wish.run) };
    case 'join':
      return { status: 201, body: { duties: state.members.nodes.get(wish.node)!.duties } };
    case 'changeNode':
      return { status: 200, body: { node: memberNamed(state.members, wish.node)!.id } };
    default:
      return { status: 204, body: null };
  }
}

/** For who may change rights, which is an administrator. */
function rightsShown(state: Replicated, name: string): unknown {
  const rights = state.access.rights.get(name);
  return {
    ...sandboxView(state.sandboxes.get(name)!),
    may: ['read', 'write', 'execute'],
    ...(rights ? { rights } : {}),
  };
}

/** The entry that a change of files made or renewed; nothing for a removal. */
function changedEntry(state: Replicated, wish: Extract<Wish, { wish: 'changeFiles' }>): Reply {
  const change = wish.changes[0];
  if (!change || change.op === 'remove') return { status: 204, body: null };
  const path = change.op === 'move' || change.op === 'copy' ? change.to : change.path;
  const status = change.op === 'folder' || change.op === 'copy' ? 201 : 200;
  return { status, body: entryAt(state.sandboxes.get(wish.sandbox)!, path) };
}
