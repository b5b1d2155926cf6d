/**
 * What the tray shows: how the node is, its role and its headline. Pure; the
 * tray itself only draws it.
 */
import type { RuntimeState } from '../host/runtime-state.ts';

export type TrayState = {
  mood: 'well' | 'waiting' | 'stopped';
  tooltip: string;
  lines: string[];
  /** Offer to start the node again? */
  offersStart: boolean;
};

export function trayState(runtime: RuntimeState, roles: readonly string[], headline: string): TrayState {
  const shown = (mood: TrayState['mood'], lines: string[], offersStart = false): TrayState => ({
    mood,
    lines,
    offersStart,
    tooltip: ['Binnacle', ...lines].join('\n'),
  });
  switch (runtime.is) {
    case 'ready':
      return shown('well', [`${runtime.name}: ${roles.join(', ') || 'no role'}`, ...(headline ? [headline] : [])]);
    case 'starting':
      return shown('waiting', ['The node is starting']);
    case 'down':
      return shown('waiting', ['The node stopped and is being started again']);
    case 'givenUp':
      return shown('stopped', ['The node stopped too often'], true);
    case 'stopping':
      return shown('waiting', ['The node is stopping']);
  }
}
