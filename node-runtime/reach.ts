/**
 * Whether other machines may reach the node of a desktop program, and by which
 * ports: a small file in its data folder, read at each start.
 *
 * Absent or unreadable, the node is closed: that it is open was somebody's
 * decision, and is written down whole before it holds. A daemon has no such
 * file; its command line says where it listens.
 */
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { replaceText, syncFolder } from './io/files/durable.ts';

const Port = z.number().int().min(0).max(65_535);
/** `door`: where people and joining nodes come; `peers`: members. */
const Reachable = z.object({ open: z.boolean(), door: Port, peers: Port });
export type Reachable = z.infer<typeof Reachable>;

/** The usual ports, the same as those of a daemon. */
export const closed: Reachable = { open: false, door: 7_400, peers: 7_401 };

const fileOf = (data: string): string => path.join(data, 'reach.json');

export async function readReach(data: string): Promise<Reachable> {
  try {
    return Reachable.parse(JSON.parse(await readFile(fileOf(data), 'utf8')));
  } catch {
    return closed; // none, or none that says so
  }
}

/** On disk when it returns. */
export async function saveReach(data: string, reach: Reachable): Promise<void> {
  await replaceText(fileOf(data), `${JSON.stringify(reach)}\n`);
  await syncFolder(data);
}

export const forgetReach = (data: string): Promise<void> => rm(fileOf(data), { force: true });
