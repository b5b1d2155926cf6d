/**
 * Guards of a write: what `If-Match` says against what is there.
 *
 * An etag names content and version of one file and is kept with its quotes,
 * as HTTP writes it. A list, `*` and a weak mark are understood; a tag without
 * quotes counts as one with them, because people type it that way.
 */

/** `"v<version>-<first 16 letters of the hash>"` for a file of a kept sandbox. */
export const keptEtag = (version: number, hash: string): string => `"v${version}-${hash.slice(0, 16)}"`;

/** Does any tag of the list name this one? `*` names whatever is there. */
export function etagMatches(list: string, etag: string): boolean {
  return list.split(',').some((each) => {
    const tag = each.trim().replace(/^W\//, '');
    return tag === '*' || tag === etag || `"${tag}"` === etag;
  });
}
