/**
 * The Chromium behind the windows: noticed when it opens, closes or crashes a
 * page, and ended together with the app. One for the whole app, as in Electron.
 */
import type { ChildProcess } from 'node:child_process';
import type { Cdp } from './cdp.ts';
import { targets, utilityProcesses } from './living.ts';

class Host {
  cdp!: Cdp;
  chromium: ChildProcess | null = null;
  stopping = false;
  async start(cdp: Cdp, chromium: ChildProcess): Promise<void> {
    this.cdp = cdp;
    this.chromium = chromium;
    chromium.on('exit', () => {
      if (!this.stopping) {
        console.error('electron double: Chromium exited');
        this.stop(1);
      }
    });
    await cdp.send('Target.setDiscoverTargets', { discover: true });
    cdp.on('Target.targetCreated', ({ targetInfo: t }) => {
      if (t.type === 'page' && t.openerId) targets.get(t.openerId)?.webContents.opened(t.targetId);
    });
    cdp.on('Target.targetDestroyed', ({ targetId }) => targets.get(targetId)?.gone());
    cdp.on('Target.targetCrashed', ({ targetId }) => targets.get(targetId)?.webContents.crashed());
  }
  stop(code: number): void {
    if (this.stopping) return;
    this.stopping = true;
    for (const u of utilityProcesses) u.kill();
    const end = (): never => process.exit(code);
    setTimeout(end, 1500).unref();
    this.chromium?.once('exit', end);
    this.cdp?.send('Browser.close').catch(() => this.chromium?.kill());
    if (!this.chromium) end();
  }
}
export const host = new Host();
