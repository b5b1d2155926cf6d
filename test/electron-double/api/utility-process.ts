/**
 * The double of `utilityProcess`: a child Node process with a message line to
 * main, started by `utility-boot.ts`. Ports can be transferred to it; one
 * channel's two ends may live in two utility processes, main passes on.
 */
import { type ChildProcess, fork } from 'node:child_process';
import * as os from 'node:os';
import * as path from 'node:path';
import type * as E from 'electron';
import { utilityProcesses } from '../living.ts';
import { type MessagePortMainDouble, take } from '../ports.ts';
import { PreventableEvent, StrictEmitter, strict } from '../strict.ts';
import { app } from './app.ts';

class UtilityProcessDouble
  extends StrictEmitter('utilityProcess')
  implements Pick<E.UtilityProcess, 'postMessage' | 'kill'>
{
  #child: ChildProcess;
  #ports = new Map<string, MessagePortMainDouble>();
  get pid(): number | undefined {
    return this.#child.exitCode === null && this.#child.signalCode === null ? this.#child.pid : undefined;
  }
  get stdout(): NodeJS.ReadableStream | null {
    return this.#child.stdout;
  }
  get stderr(): NodeJS.ReadableStream | null {
    return this.#child.stderr;
  }
  constructor(modulePath: string, args: string[] = [], o: E.ForkOptions = {}) {
    super();
    if (!app.isReady()) throw new Error('utilityProcess.fork() can only be called after app is ready');
    const stdio =
      typeof o.stdio === 'string' ? ['ignore', o.stdio, o.stdio] : (o.stdio ?? ['ignore', 'inherit', 'inherit']);
    if (stdio[0] !== 'ignore') throw new Error("stdin value other than 'ignore' is not supported.");
    this.#child = fork(path.join(import.meta.dirname, '..', 'utility-boot.ts'), [modulePath, ...args], {
      execPath: process.execPath,
      execArgv: [...(o.execArgv ?? [])],
      env: {
        ...(o.env ?? process.env),
        ELECTRON_DOUBLE_VERSIONS: JSON.stringify({ electron: process.versions['electron'] }),
      },
      ...(o.cwd ? { cwd: o.cwd } : {}),
      stdio: [...stdio, 'ipc'] as any,
      serialization: 'advanced',
    });
    utilityProcesses.add(this);
    this.#child.on('spawn', () => this.emit('spawn'));
    this.#child.on('message', (m: any) => this.#take(m));
    this.#child.on('exit', (code, signal) => {
      utilityProcesses.delete(this);
      for (const p of this.#ports.values()) p.close();
      this.emit('exit', code ?? (signal ? 128 + (os.constants.signals[signal] ?? 0) : 0));
      if (code !== 0)
        app.emit('child-process-gone', new PreventableEvent(), {
          type: 'Utility',
          reason: signal === 'SIGKILL' || signal === 'SIGTERM' ? 'killed' : signal ? 'crashed' : 'abnormal-exit',
          exitCode: code ?? 0,
          serviceName: 'node.mojom.NodeService',
          name: o.serviceName ?? 'Node Utility Process',
        });
    });
  }
  #take(m: any): void {
    if (m.k === 'msg') {
      this.emit('message', m.v);
      return;
    }
    const p = this.#ports.get(m.p);
    if (!p) return;
    if (m.k === 'port') p.fromRemote(m.v, []);
    else if (m.k === 'close') {
      this.#ports.delete(m.p);
      p.close();
    }
  }
  #send(m: object): void {
    if (this.#child.connected) this.#child.send(m as any);
  }
  postMessage(message: any, transfer: E.MessagePortMain[] = []): void {
    const keys = transfer.map((t) => {
      const p = take(t);
      this.#ports.set(p.key, p);
      p.reroute({
        post: (v) => this.#send({ k: 'port', p: p.key, v }),
        close: () => this.#send({ k: 'close', p: p.key }),
      });
      return p.key;
    });
    this.#send({ k: 'msg', v: message, ports: keys });
  }
  kill(): boolean {
    return this.#child.kill('SIGTERM');
  }
}

export const utilityProcess = strict('utilityProcess', {
  fork: (m: string, a?: string[], o?: E.ForkOptions) => new UtilityProcessDouble(m, a, o),
});
