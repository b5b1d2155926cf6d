/** Opens the directory of a local sandbox, with the path rules of the core. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Refusal } from '../contract/errors.ts';
import { etagMatches } from '../core/sandboxes/etags.ts';
import { checkPath } from '../core/sandboxes/paths.ts';
import type { SandboxRecord } from '../core/sandboxes/sandboxes.ts';
import { places } from '../founding.ts';
import { type LocalFolder, openLocalFolder } from '../io/files/local-folder.ts';

const rules = { checkPath, etagMatches };

export const localFolder = (record: SandboxRecord): Promise<LocalFolder | Refusal> =>
  openLocalFolder({ directory: record.directory!, rules });

/** The directory of a new sandbox on this node: one that a person named, or an own one. Gives its path. */
export async function makeLocalDirectory(
  data: string,
  name: string,
  directory: string | null,
): Promise<string | Refusal> {
  if (directory === null) {
    const own = path.join(places(data).sandboxes, name);
    await mkdir(own, { recursive: true, mode: 0o700 });
    return own;
  }
  // One that overlaps what this node keeps is refused.
  const opened = await openLocalFolder({ directory, rules, forbidden: [data] });
  return 'code' in opened ? opened : directory;
}
