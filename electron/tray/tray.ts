/**
 * The tray icon: role and headline of this node, open, start again, quit.
 *
 * Exists only where it will be seen (`trayIsShown`); a desktop that refuses
 * one is treated like a desktop without.
 */
import { Menu, nativeImage, Tray } from 'electron';
import { trayMark } from './mark.ts';
import type { TrayState } from './tray-state.ts';

type Actions = { open: () => void; startNode: () => void; quit: () => void };
const sizePx = 32;

function image(mood: TrayState['mood']): Electron.NativeImage {
  return nativeImage.createFromBitmap(trayMark(mood, sizePx), { width: sizePx, height: sizePx, scaleFactor: 2 });
}

function menu(state: TrayState, actions: Actions): Menu {
  const restart = { label: 'Start the node again', click: actions.startNode };
  return Menu.buildFromTemplate([
    ...state.lines.map((label) => ({ label, enabled: false })),
    { type: 'separator' },
    { label: 'Open Binnacle', click: actions.open },
    ...(state.offersStart ? [restart] : []),
    { label: 'Quit Binnacle', click: actions.quit },
  ]);
}

/** Returns what to call with each new state, or null if no tray can be had. */
export function makeTray(first: TrayState, actions: Actions): ((state: TrayState) => void) | null {
  let tray: Tray;
  try {
    tray = new Tray(image(first.mood));
  } catch (cause) {
    console.error('No tray can be had on this desktop:', cause);
    return null;
  }
  let mood: TrayState['mood'] | null = null;
  const show = (state: TrayState): void => {
    if (state.mood !== mood) tray.setImage(image(state.mood));
    mood = state.mood;
    tray.setToolTip(state.tooltip);
    tray.setContextMenu(menu(state, actions));
  };
  tray.on('click', actions.open);
  show(first);
  return show;
}
