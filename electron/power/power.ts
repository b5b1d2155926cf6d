/**
 * Tells the runtime about sleep, waking and shutdown, and keeps the machine
 * awake while `shouldKeepAwake` says so. Sleep gives little time, so the
 * runtime is only told; nobody waits for its answer.
 */
import { powerMonitor, powerSaveBlocker } from 'electron';
import type { ToRuntime } from '../host/messages.ts';
import { shouldKeepAwake } from './keep-awake.ts';

type Power = {
  post: (message: ToRuntime) => void;
  shutDown: () => void;
  asked: () => boolean;
  roles: () => readonly string[];
};

/** Returns what to call when the setting or the roles have changed. */
export function watchPower(power: Power): () => void {
  let blocker: number | null = null;
  const review = (): void => {
    const facts = { asked: power.asked(), onBattery: powerMonitor.isOnBatteryPower(), roles: power.roles() };
    const isWanted = shouldKeepAwake(facts);
    if (isWanted && blocker === null) blocker = powerSaveBlocker.start('prevent-app-suspension');
    if (!isWanted && blocker !== null) {
      powerSaveBlocker.stop(blocker);
      blocker = null;
    }
  };
  powerMonitor.on('suspend', () => power.post({ type: 'suspend' }));
  powerMonitor.on('resume', () => power.post({ type: 'resume' }));
  powerMonitor.on('on-ac', review);
  powerMonitor.on('on-battery', review);
  powerMonitor.on('shutdown', (event?: { preventDefault: () => void }) => {
    event?.preventDefault(); // holds the shutdown back while the runtime stops in order
    power.shutDown();
  });
  return review;
}
