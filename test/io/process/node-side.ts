/**
 * A node's side of a runner in a process of its own, to be killed: starts the
 * orders in its second argument. The third says for how long the lease is to
 * run, with the active heard no more.
 */
import { connectRunner } from '../../../node-runtime/io/process/connect-runner.ts';
import { forkRunner } from '../../../node-runtime/io/process/fork-runner.ts';
import { uptimeMs } from '../../../node-runtime/io/process/lease.ts';
import type { AttemptOrder } from '../../../node-runtime/io/process/orders.ts';

const [dataDir, text, leaseMs] = process.argv.slice(2);
const orders = [JSON.parse(text!) as AttemptOrder | AttemptOrder[]].flat();
const runner = connectRunner(forkRunner, { dataDir: dataDir!, cgroups: false });
const waiting = new Set(orders.map((order) => order.attempt));
runner.onReport((report) => {
  if (report.type === 'started' && waiting.delete(report.attempt) && waiting.size === 0) console.log('started');
});
if (leaseMs) runner.renewLease(uptimeMs() + Number(leaseMs));
for (const order of orders) runner.start(order);
