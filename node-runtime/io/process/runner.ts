/**
 * The runner: the process that starts and kills the jobs of one node.
 *
 * It is apart from the node because starting a process blocks an event loop
 * for about a millisecond, and the node's loop carries heartbeats. It ends
 * when its node is gone, but not before attempts with a lease have ended: they
 * may be started elsewhere when that is over (P35). Other jobs live on in their
 * wrappers; the next runner ends this one and finds them all again. Messages
 * come and go in batches; those that came before the runner was alone on its
 * data folder wait until it is.
 */
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { attemptFolder, forgetFolder } from './attempt-folder.ts';
import { Attempts } from './attempts.ts';
import { openCgroups } from './cgroups.ts';
import { Keeper } from './keeper.ts';
import { Kin } from './kin.ts';
import { Lease } from './lease.ts';
import { bootId } from './machine-processes.ts';
import type { FromRunner, RunnerSettings, ToRunner } from './orders.ts';
import { openParentChannel, type ParentChannel, type ParentHost } from './parent-channel.ts';
import { sweepDrafts, sweepRun } from './run-folder.ts';
import { becomeSoleRunner } from './sole-runner.ts';

/** The node decides when a runner ends, also when a terminal or the system tells the whole group to. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

serve(openParentChannel(process as unknown as ParentHost));

function serve(channel: ParentChannel): void {
  const tell = batched(channel);
  let office: Promise<Office> | null = null;
  channel.onGone(() => {
    if (office === null) process.exit(0);
    void office.then(({ attempts }) => attempts.leave(() => process.exit(0)));
  });
  channel.onMessage((message) => {
    const batch = message as ToRunner[];
    const first = batch[0];
    if (first?.type === 'open') office ??= open(first.settings, tell);
    void office?.then((opened) => {
      for (const order of batch) {
        if (order.type === 'close') close(opened, channel);
        else obey(order, opened);
      }
    });
  });
}

type Office = { dataDir: string; attempts: Attempts; lease: Lease; tell: (message: FromRunner) => void };

async function open({ dataDir, cgroups }: RunnerSettings, tell: Office['tell']): Promise<Office> {
  if (process.platform === 'linux') await becomeSoleRunner(dataDir);
  await sweepDrafts(dataDir);
  const mark = createHash('sha256').update(realpathSync(dataDir)).digest('hex').slice(0, 16);
  const kin = new Kin(mark, cgroups ? openCgroups(mark) : null);
  tell({ type: 'opened', pid: process.pid, cgroups: kin.cgroups !== null });
  process.on('exit', () => kin.cgroups?.close());
  const lease = new Lease(dataDir, bootId());
  const keeper = new Keeper({ dataDir, mark, bootId: bootId(), cgroups: kin.cgroups?.base ?? '' });
  const attempts = new Attempts(dataDir, kin, { lease, keeper }, (report) => tell({ type: 'report', report }));
  attempts.adoptLeased();
  return { dataDir, attempts, lease, tell };
}

/** Ends, or lets the node go and stays for attempts with a lease. */
function close({ attempts }: Office, channel: ParentChannel): void {
  attempts.leave(() => process.exit(0));
  channel.close();
}

function obey(order: Exclude<ToRunner, { type: 'close' }>, office: Office): void {
  const { attempts, lease, tell } = office;
  if (order.type === 'layout') attempts.layout(order.run, order.files);
  else if (order.type === 'start') attempts.start(order.order);
  else if (order.type === 'stop') attempts.stop(order.attempt, order.cause);
  else if (order.type === 'recover') {
    void attempts.recover(order.known).then((list) => tell({ type: 'recovered', id: order.id, list }));
  } else if (order.type === 'lease') lease.renew(order.endsAtMs, order.heardAtMs);
  else if (order.type !== 'open') void tidy(order, office).then(() => tell({ type: 'done', id: order.id }));
}

async function tidy(
  order: Extract<ToRunner, { type: 'forget' | 'remove' | 'sweep' }>,
  { dataDir, attempts }: Office,
): Promise<void> {
  if (order.type === 'sweep') {
    await each(order.runs, async (run) => {
      await attempts.dropLayout(run);
      await sweepRun(dataDir, run);
    });
  } else if (order.type === 'forget') {
    await each(order.attempts, async (attempt) => forgetFolder(attemptFolder(dataDir, attempt)));
  } else {
    await each(order.attempts, (attempt) => rm(attemptFolder(dataDir, attempt), { recursive: true, force: true }));
  }
}

/** One a turn of the loop: tidying must not crowd out starting. */
async function each(names: string[], act: (name: string) => Promise<void>): Promise<void> {
  for (const name of names) {
    await act(name);
    await nextTurn();
  }
}

function batched(channel: ParentChannel): (message: FromRunner) => void {
  let batch: FromRunner[] = [];
  return (message) => {
    if (batch.push(message) > 1) return;
    setImmediate(() => {
      const full = batch;
      batch = [];
      channel.send(full);
    });
  };
}
