/**
 * `npm run bench`: figures of one node beside a baseline measured in the same
 * run, since absolute times vary from machine to machine. Prints one table and
 * writes bench/results.json. `npm run bench -- NAME` runs one; `--brief` is for
 * seeing that it works. Not a test: it keeps no thresholds.
 */
import { spawn } from 'node:child_process';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Run } from '../../node-runtime/contract/model.ts';
import type { RealNode as Node } from '../support/real-node.ts';

// What was built is measured, as users run it; the support module reads this when it is loaded.
process.env['BINNACLE_TEST_BUILT'] = '1';
const { eventually, RealNode } = await import('../support/real-node.ts');

const { cpuSeconds, killsMs, switchGapsMs, withCluster } = await import('./cluster.ts');
const { alonePerSecond, replicatedPerSecond } = await import('./appends.ts');

type Row = { name: string; what: string; target: string; measured: string; baseline: string; ratio: string };

const root = fileURLToPath(new URL('../..', import.meta.url));
const args = process.argv.slice(2);
const brief = args.includes('--brief');
const wanted = args.filter((arg) => !arg.startsWith('--'));
const times = (count: number): number => (brief ? Math.ceil(count / 20) : count);

const at = (values: number[], part: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))]!;
const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 1)} ms`;

async function withNode<T>(act: (node: Node) => Promise<T>): Promise<T> {
  const node = await RealNode.found();
  try {
    await node.start();
    await node.must('POST', '/api/v1/sandboxes', { name: 'work', kind: 'shared' });
    await node.put('work', 'true.sh', '#!/bin/true\n', '?executable=1');
    return await act(node);
  } finally {
    await node.remove();
  }
}

const launch = (node: Node): Promise<Run> =>
  node.must<Run>('POST', '/api/v1/runs', { sandbox: 'work', path: 'true.sh' });

/** A write and a sync of 200 bytes to a growing file, as the least any durable answer costs. */
function bareSyncMs(count: number): number[] {
  const file = path.join(tmpdir(), `binnacle-bench-${process.pid}`);
  const fd = openSync(file, 'w');
  const bytes = Buffer.alloc(200, 1);
  const took: number[] = [];
  for (let n = 0; n < count; n++) {
    const begun = performance.now();
    writeSync(fd, bytes);
    fsyncSync(fd);
    took.push(performance.now() - begun);
  }
  closeSync(fd);
  rmSync(file);
  return took;
}

/** Starts /bin/true as fast as one Node process can, eight at a time. */
async function bareLaunchesPerSecond(count: number): Promise<number> {
  const begun = performance.now();
  let left = count;
  const lane = async () => {
    while (left-- > 0) {
      await new Promise((done) => spawn('/bin/true', [], { detached: true, stdio: 'ignore' }).on('exit', done));
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  return count / ((performance.now() - begun) / 1000);
}

const benches: Record<string, () => Promise<Row[]>> = {
  async launch() {
    return withNode(async (node) => {
      for (let n = 0; n < times(100); n++) await launch(node);
      const took: number[] = [];
      for (let n = 0; n < times(500); n++) {
        const begun = performance.now();
        await launch(node);
        took.push(performance.now() - begun);
      }
      const sync = bareSyncMs(times(500));
      return [
        {
          name: 'S1',
          what: 'launch acknowledged (on one disk), one client, p50 / p99',
          target: '≤ 3 ms / ≤ 10 ms',
          measured: `${ms(at(took, 0.5))} / ${ms(at(took, 0.99))}`,
          baseline: `a bare write and sync ${ms(at(sync, 0.5))}`,
          ratio: (at(took, 0.5) / at(sync, 0.5)).toFixed(1),
        },
      ];
    });
  },

  async started() {
    return withNode(async (node) => {
      const marks = path.join(node.data, 'marks');
      writeFileSync(marks, '');
      await node.put(
        'work',
        'mark.sh',
        `#!/bin/sh\necho "$BINNACLE_RUN $(date +%s%N)" >> '${marks}'\n`,
        '?executable=1',
      );
      const asked = new Map<string, number>();
      for (let n = 0; n < times(200); n++) {
        const begun = performance.timeOrigin + performance.now();
        const run = await node.must<Run>('POST', '/api/v1/runs', { sandbox: 'work', path: 'mark.sh' });
        asked.set(run.id, begun);
        await eventually('it ran', () => readFileSync(marks, 'utf8').includes(run.id));
      }
      const took = readFileSync(marks, 'utf8')
        .trim()
        .split('\n')
        .map((line) => line.split(' '))
        .map(([id, ns]) => Number(ns) / 1e6 - asked.get(id!)!);
      return [
        {
          name: 'S2',
          what: 'launch request → the job writes its first line (with a date process), p50',
          target: '≤ 6 ms',
          measured: ms(at(took, 0.5)),
          baseline: '',
          ratio: '',
        },
      ];
    });
  },

  async sustained() {
    const count = times(2_000);
    const bare = await bareLaunchesPerSecond(count);
    return withNode(async (node) => {
      const begun = performance.now();
      let left = count;
      const lane = async () => {
        while (left-- > 0) await launch(node);
      };
      await Promise.all(Array.from({ length: 16 }, lane));
      await eventually(
        'all have ended',
        async () => {
          const metrics = (await node.ask('GET', '/metrics')).text;
          return /binnacle_runs_running\S* 0\n/.test(metrics) && /binnacle_runs_waiting\S* 0\n/.test(metrics);
        },
        300_000,
      );
      const perSecond = count / ((performance.now() - begun) / 1000);
      return [
        {
          name: 'S3',
          what: `${count} runs of /bin/true, acknowledged durably, all results recorded, one node`,
          target: '≥ 400/s, ≥ 0.5 of bare',
          measured: `${perSecond.toFixed(0)}/s`,
          baseline: `bare launcher ${bare.toFixed(0)}/s`,
          ratio: (perSecond / bare).toFixed(2),
        },
      ];
    });
  },

  async idle() {
    return withNode(async (node) => {
      const pid = node.child!.pid!;
      const cpu = () => {
        const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
        return (Number(fields[11]) + Number(fields[12])) / 100;
      };
      await new Promise((done) => setTimeout(done, 2_000));
      const before = cpu();
      const seconds = brief ? 2 : 20;
      await new Promise((done) => setTimeout(done, seconds * 1000));
      const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
      const busy = ((cpu() - before) / seconds) * 100;
      return [
        {
          name: 'S7',
          what: 'idle memory of a node process',
          target: '≤ 90 MiB',
          measured: `${rss.toFixed(0)} MiB`,
          baseline: '',
          ratio: '',
        },
        {
          name: 'S8',
          what: 'idle processor use, alone in its cluster',
          target: '≤ 1 %',
          measured: `${busy.toFixed(1)} %`,
          baseline: '',
          ratio: '',
        },
      ];
    });
  },

  async cluster() {
    return withCluster(async (cluster) => {
      for (let n = 0; n < times(100); n++) await cluster.launch();
      const took: number[] = [];
      for (let n = 0; n < times(500); n++) {
        const begun = performance.now();
        await cluster.launch();
        took.push(performance.now() - begun);
      }
      const sync = bareSyncMs(times(500));
      const pid = cluster.watch.child!.pid!;
      const before = cpuSeconds(pid);
      const seconds = brief ? 2 : 10;
      await new Promise((done) => setTimeout(done, seconds * 1_000));
      const idle = ((cpuSeconds(pid) - before) / seconds) * 100;
      const gaps = await switchGapsMs(cluster, brief ? 2 : 20);
      const kills = await killsMs(cluster, brief ? 2 : 50);
      const both = (values: number[]): string => `${ms(at(values, 0.5))} / ${ms(at(values, 0.99))}`;
      return [
        {
          ...{ name: 'S1', what: 'launch acknowledged on both controllers, asked at a third node, p50 / p99' },
          ...{
            target: '≤ 3 ms / ≤ 10 ms',
            measured: both(took),
            baseline: `a bare write and sync ${ms(at(sync, 0.5))}`,
          },
          ratio: (at(took, 0.5) / at(sync, 0.5)).toFixed(1),
        },
        {
          ...{ name: 'S4', what: `kill -9 of the active → a new launch is acknowledged, p50 / p99 of ${kills.length}` },
          ...{ target: '≤ 1.5 s / ≤ 2.5 s', measured: both(kills), baseline: '', ratio: '' },
        },
        {
          ...{
            name: 'S5',
            what: `switch-over: longest time between two acknowledged launches, p50 / p99 of ${gaps.length}`,
          },
          ...{ target: '≤ 250 ms', measured: both(gaps), baseline: '', ratio: '' },
        },
        {
          ...{ name: 'S8', what: 'idle processor use of a watch in a cluster of four' },
          ...{ target: '≤ 1 %', measured: `${idle.toFixed(1)} %`, baseline: '', ratio: '' },
        },
      ];
    });
  },

  async appends() {
    const count = times(60_000);
    const journal = await alonePerSecond(count);
    const { alone, paired } = await replicatedPerSecond(count);
    return [
      {
        ...{
          name: 'S6',
          what: 'entries committed per second on two nodes, 256 writers, with the whole node around them',
        },
        ...{ target: '≥ 0.3 of the journal', measured: `${paired.toFixed(0)}/s (one node ${alone.toFixed(0)}/s)` },
        ...{ baseline: `the journal of one node alone ${journal.toFixed(0)}/s`, ratio: (paired / journal).toFixed(2) },
      },
    ];
  },
};

const rows: Row[] = [];
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  for (const row of await bench()) {
    rows.push(row);
    console.log(
      `${row.name.padEnd(3)} ${row.what}\n    ${row.measured}   target ${row.target}${row.baseline ? `   beside ${row.baseline}, ratio ${row.ratio}` : ''}`,
    );
  }
}
mkdirSync(path.join(root, 'bench'), { recursive: true });
writeFileSync(path.join(root, 'bench', 'results.json'), `${JSON.stringify(rows, null, 2)}\n`);
