/** A node's side of a runner in a process of its own, to be killed: starts the order in its last argument. */
import { connectRunner } from '../../../node-runtime/io/process/connect-runner.ts';
import { forkRunner } from '../../../node-runtime/io/process/fork-runner.ts';

const [dataDir, order] = process.argv.slice(2);
const runner = connectRunner(forkRunner, { dataDir: dataDir!, cgroups: false });
runner.onReport((report) => {
  if (report.type === 'started') console.log('started');
});
runner.start(JSON.parse(order!));
