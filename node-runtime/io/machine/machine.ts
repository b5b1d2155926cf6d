/**
 * The machine under this node: its clock, its name, its load, its free space.
 *
 * Only looks; keeps nothing and changes nothing. Figures are for people and
 * for placing tasks; no rule of safety rests on them.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { arch, availableParallelism, cpus, freemem, hostname, platform, release, totalmem } from 'node:os';

export type Load = {
  /** Of all processors together since the last look, 0 to 100. */
  cpuPercent: number;
  memoryBytes: number;
  memoryFreeBytes: number;
  diskFreeBytes: number;
};

/** Names this start of the operating system; '' where the system does not tell. */
export async function bootId(): Promise<string> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  } catch {
    return '';
  }
}

/** Does it run on mains power? Where no power supply is told of it is no laptop. Looked at once: cheap, and seldom asked. */
export function onMains(): boolean {
  const folder = '/sys/class/power_supply';
  try {
    const supplies = readdirSync(folder).filter((name) => existsSync(`${folder}/${name}/online`));
    return (
      supplies.length === 0 || supplies.some((name) => readFileSync(`${folder}/${name}/online`, 'utf8').trim() === '1')
    );
  } catch {
    return true;
  }
}

export const machineName = (): string =>
  hostname()
    .split('.')[0]!
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-') || 'node';
export const platformText = (): string => `${platform()} ${release()} ${arch()}`;

/** How many tasks this machine takes at once unless told otherwise: mostly they wait, so two a processor, at least four. */
export const defaultSlots = (): number => Math.max(4, availableParallelism() * 2);

/** Returns a function that looks at the load; each look covers the time since the one before. */
export function watchLoad(directory: string): () => Promise<Load> {
  let before = times();
  return async () => {
    const now = times();
    const spent = now.all - before.all;
    const cpuPercent = spent > 0 ? Math.round((1 - (now.idle - before.idle) / spent) * 1000) / 10 : 0;
    before = now;
    return {
      cpuPercent,
      memoryBytes: totalmem(),
      memoryFreeBytes: await availableMemory(),
      diskFreeBytes: await freeBytes(directory),
    };
  };
}

export async function freeBytes(directory: string): Promise<number> {
  const found = await statfs(directory);
  return found.bavail * found.bsize;
}

/** What programs may still take: on Linux more than what is unused, since caches give way. */
async function availableMemory(): Promise<number> {
  try {
    const match = /^MemAvailable:\s+(\d+) kB/m.exec(await readFile('/proc/meminfo', 'utf8'));
    if (match) return Number(match[1]) * 1024;
  } catch {
    // Not Linux: the plain figure is all there is.
  }
  return freemem();
}

function times(): { all: number; idle: number } {
  let all = 0;
  let idle = 0;
  for (const { times } of cpus()) {
    all += times.user + times.nice + times.sys + times.idle + times.irq;
    idle += times.idle;
  }
  return { all, idle };
}
