/** Whose a request is when it is not the active's own: that of the node which holds a local sandbox. */
import { type RouteName, routes } from '../contract/routes.ts';
import type { Parts } from './parts.ts';

/** Of a local sandbox only its files lie there; that it exists is the active's to say. */
const ANYWHERE: ReadonlySet<RouteName> = new Set(['sandboxRemove', 'sandboxRights', 'check', 'launchForm']);

/** The other node that holds what a request is about, or null: it is for the active itself. */
export function holderOf(parts: Parts, name: RouteName, target: string): string | null {
  const holder = localHolder(parts, name, target);
  return holder === parts.loop.state.self.node ? null : holder;
}

export const isHeldHere = (parts: Parts, name: RouteName, target: string): boolean =>
  localHolder(parts, name, target) === parts.loop.state.self.node;

/** The sandbox in the address of a request; what can't be read is none. */
export function sandboxIn(target: string): string | undefined {
  const text = /^\/api\/v1\/sandboxes\/([^/?]+)/.exec(target)?.[1];
  return text === undefined ? undefined : decoded(text);
}

function localHolder(parts: Parts, name: RouteName, target: string): string | null {
  if (ANYWHERE.has(name) || !routes[name].path.startsWith('/api/v1/sandboxes/{sandbox}')) return null;
  const record = parts.loop.state.replicated.sandboxes.get(sandboxIn(target) ?? '');
  return record?.storage === 'local' ? (record.node ?? null) : null;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // what can't be read is no sandbox, and refused where it is looked for
  }
}
