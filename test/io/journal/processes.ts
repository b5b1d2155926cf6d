/** Starts the appender, listens to what it says, ends it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export type Appender = {
  process: ChildProcess;
  /** Whole lines said so far. */
  lines(): string[];
  /** Resolves when `holds` of the lines, or when the process has ended. */
  until(holds: (lines: string[]) => boolean): Promise<void>;
  ended: Promise<void>;
  kill(): Promise<void>;
};

export function startAppender(args: (string | number)[], environment: Record<string, string> = {}): Appender {
  const script = new URL('./appender.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '', ...environment },
  });
  let said = '';
  const listeners = new Set<() => void>();
  const wake = (): void => listeners.forEach((listener) => void listener());
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    wake();
  });
  const ended = once(child, 'close').then(wake);
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
    wake();
  });
  const lines = (): string[] => said.split('\n').slice(0, -1);
  return {
    process: child,
    lines,
    ended,
    until: (holds) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!hasEnded && !holds(lines())) return;
          listeners.delete(look);
          resolve();
        };
        listeners.add(look);
        look();
      }),
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** The highest index said to be acknowledged, 0 for none. */
export const acknowledged = (lines: string[]): number =>
  Math.max(0, ...lines.filter((line) => line.startsWith('acknowledged ')).map((line) => Number(line.split(' ')[1])));
