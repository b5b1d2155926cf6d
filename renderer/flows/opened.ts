/**
 * Where something that was opened outside the page leads to, as a place of the
 * console; null for a job file, which has to be put somewhere first, and a
 * sentence for a screen that this version does not have.
 *
 * A link names a path without saying what lies there, so the door is asked
 * whether it is a folder; what cannot be found is shown as a file, and the
 * screen says that it is not there.
 */
import type { Opened } from '../desktop.ts';
import { folderOf, nameOf } from './paths.ts';
import type { Place } from './route.ts';

type Link = Exclude<Opened, { open: 'jobFile' } | { open: 'join' }>;

const screens: Partial<Record<string, Place>> = {
  overview: { screen: 'overview' },
  nodes: { screen: 'nodes' },
  sandboxes: { screen: 'sandboxes', path: '' },
  // Job files are files: they are where the sandboxes are.
  jobs: { screen: 'sandboxes', path: '' },
  runs: { screen: 'runs' },
  audit: { screen: 'audit' },
  settings: { screen: 'settings' },
};

export async function placeOfLink(
  link: Link,
  isFolder: (sandbox: string, path: string) => Promise<boolean>,
): Promise<Place | string> {
  if (link.open === 'screen')
    return screens[link.screen] ?? `This version of the console has no screen “${link.screen}”.`;
  if (link.open === 'run') return { screen: 'run', run: link.run };
  const { sandbox, path } = link;
  if (path === '' || (await isFolder(sandbox, path))) return { screen: 'sandboxes', sandbox, path };
  return { screen: 'sandboxes', sandbox, path: folderOf(path), file: nameOf(path) };
}
