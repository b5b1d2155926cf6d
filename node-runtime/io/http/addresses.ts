/**
 * Request targets as they came, and the addresses of the route table.
 *
 * The raw target is split at its slashes first and each segment decoded once
 * after that, so an encoded slash or `%2e%2e` reaches the handler's path check
 * as what it is. Nothing is ever normalised away here: no URL parser, no
 * collapsing of dots or slashes.
 */
import { type RouteName, routes } from '../../contract/routes.ts';

export type Target = { path: string; query: string };

/** The part before and after the first `?`. */
export function splitTarget(target: string): Target {
  const at = target.indexOf('?');
  return at < 0 ? { path: target, query: '' } : { path: target.slice(0, at), query: target.slice(at + 1) };
}

/** Null when a percent sequence is no UTF-8. */
export function decodeSegment(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}

export const hasDotSegment = (path: string): boolean =>
  path.split('/').some((segment) => segment === '.' || segment === '..');

/**
 * The values of `{name}` and `{name*}` when the raw path fits the template,
 * else null. A `{name*}` holds the decoded segments joined by slashes.
 */
export function matchPath(template: string, path: string): Record<string, string> | null {
  const wanted = template.split('/');
  const given = path.split('/');
  const values: Record<string, string> = {};
  for (const [at, piece] of wanted.entries()) {
    const rest = piece.endsWith('*}');
    const raw = rest ? given.slice(at) : given.slice(at, at + 1);
    const decoded = raw.map(decodeSegment);
    if (raw.length === 0 || decoded.includes(null)) return null;
    if (piece.startsWith('{')) values[piece.replace(/[{}*]/g, '')] = decoded.join('/');
    else if (piece !== decoded[0]) return null;
    if (rest) return values;
  }
  return given.length === wanted.length ? values : null;
}

/** The path for a template; each value is encoded, slashes of a `{name*}` are kept. */
export function writePath(template: string, values: Record<string, string>): string {
  return template.replace(/\{(\w+)(\*?)\}/g, (_whole, name: string, rest: string) => {
    const value = values[name] ?? '';
    return rest ? value.split('/').map(encodeURIComponent).join('/') : encodeURIComponent(value);
  });
}

/** Fastify's way of writing a template. */
export const patternOf = (template: string): string => template.replace(/\{\w+\*\}/g, '*').replace(/\{(\w+)\}/g, ':$1');

export const routeNames = Object.keys(routes) as RouteName[];

/** Methods that the route table knows for a path, for the Allow header; empty when it doesn't know the path. */
export function methodsAt(path: string): string[] {
  const found = routeNames.filter((name) => matchPath(routes[name].path, path)).map((name) => routes[name].method);
  return [...new Set(found.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))].sort();
}
