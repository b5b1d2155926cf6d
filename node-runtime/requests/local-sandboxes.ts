/** Opens the directory of a local sandbox, with the path rules of the core. */
import type { Refusal } from '../contract/errors.ts';
import { etagMatches } from '../core/sandboxes/etags.ts';
import { checkPath } from '../core/sandboxes/paths.ts';
import type { SandboxRecord } from '../core/sandboxes/sandboxes.ts';
import { type LocalFolder, openLocalFolder } from '../io/files/local-folder.ts';

const rules = { checkPath, etagMatches };

export const localFolder = (record: SandboxRecord): Promise<LocalFolder | Refusal> =>
  openLocalFolder({ directory: record.directory!, rules });

/** For a new sandbox of a directory that a person named: refuses one that overlaps what this node keeps. */
export const checkDirectory = (directory: string, own: string[]): Promise<LocalFolder | Refusal> =>
  openLocalFolder({ directory, rules, forbidden: own });
