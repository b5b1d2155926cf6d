/**
 * The journal worker: the thread that owns the store.
 *
 * Takes everything that waits, has it carried out as one group, answers, and
 * looks again; so groups grow with the load and one writer waits for one sync.
 * Checkpoints run between groups, best when nothing waits. After a fault it
 * says so and does nothing more: the node process stops.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { limits } from '../../contract/limits.ts';
import { carry } from './errors.ts';
import type { Batch, FromWorker, Request } from './messages.ts';
import { openStore } from './opening.ts';
import { Store } from './store.ts';

const idleMs = 100;
const groupCharsMax = 16 * 1024 ** 2;

class Worker {
  private readonly port: MessagePort;
  private readonly store: Store;
  private waiting: Request[] = [];
  private hasStopped = false;
  private idle: NodeJS.Timeout | null = null;

  constructor(port: MessagePort, store: Store) {
    this.port = port;
    this.store = store;
  }

  run(first: Batch): void {
    if (this.hasStopped) return;
    this.waiting.push(...first.requests);
    try {
      for (this.drain(); this.waiting.length > 0; this.drain()) {
        const group = this.takeGroup();
        const answers = this.store.carryOut(group, (first) => this.say({ kind: 'answers', answers: first }));
        const close = group.find(({ ask }) => ask.kind === 'close');
        if (close) {
          this.stop();
          answers.done.push(close.id);
        }
        this.say({ kind: 'answers', answers });
        if (close) {
          this.port.close();
          return;
        }
        this.store.tidy('busy');
      }
      this.awaitIdle();
    } catch (error) {
      this.fault(error);
    }
  }

  private drain(): void {
    for (let next = receiveMessageOnPort(this.port); next; next = receiveMessageOnPort(this.port)) {
      this.waiting.push(...(next.message as Batch).requests);
    }
  }

  /** From the front, in order, up to the size of one transaction; at most up to a close. */
  private takeGroup(): Request[] {
    let rowCount = 0;
    let chars = 0;
    let count = 0;
    for (const { ask } of this.waiting) {
      const rows = rowsOf(ask);
      const [more, moreChars] = [Math.max(1, rows.length), charsOf(rows)];
      if (count > 0 && (rowCount + more > limits.entriesPerBatchMax || chars + moreChars > groupCharsMax)) break;
      rowCount += more;
      chars += moreChars;
      count += 1;
      if (ask.kind === 'close') break;
    }
    return this.waiting.splice(0, count);
  }

  private awaitIdle(): void {
    if (this.idle) this.idle.refresh();
    else this.idle = setTimeout(() => this.whenIdle(), idleMs);
  }

  private whenIdle(): void {
    this.idle = null;
    if (this.hasStopped) return;
    try {
      this.store.tidy('idle');
    } catch (error) {
      this.fault(error);
    }
  }

  private stop(): void {
    this.hasStopped = true;
    if (this.idle) clearTimeout(this.idle);
    this.store.close();
  }

  /** The files stay open as they are: closing them would write. */
  private fault(error: unknown): void {
    this.hasStopped = true;
    this.say({ kind: 'fault', error: carry(error) });
  }

  private say(message: FromWorker): void {
    this.port.postMessage(message);
  }
}

function rowsOf(ask: Request['ask']): { text: string }[] {
  if (ask.kind === 'append') return ask.entries;
  if (ask.kind === 'fileRuns') return ask.runs;
  return ask.kind === 'fileAudit' ? ask.filing.rows : [];
}

const charsOf = (rows: { text: string }[]): number => rows.reduce((sum, row) => sum + row.text.length, 0);

function start(port: MessagePort, folder: string): void {
  const say = (message: FromWorker): void => port.postMessage(message);
  let store: Store;
  try {
    store = new Store(folder, openStore(folder));
  } catch (error) {
    say({ kind: 'notOpened', error: carry(error) });
    return;
  }
  const worker = new Worker(port, store);
  port.on('message', (batch: Batch) => worker.run(batch));
  say({ kind: 'opened', opened: store.opened });
}

if (parentPort) start(parentPort, (workerData as { directory: string }).directory);
