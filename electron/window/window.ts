/**
 * The one window: secure defaults, remembered place, reload after a crash.
 *
 * A page that crashes is loaded again a few times a minute, then the person is
 * asked; one that hangs is offered to be loaded again. What closing means is
 * decided by the caller.
 */
import { BrowserWindow, dialog, nativeTheme, screen } from 'electron';
import { versionSwitch } from '../bridge/names.ts';
import { mayReload, type Restarts } from '../host/restart-rule.ts';
import { consoleAddress } from './scheme.ts';
import { windowSize } from './size.ts';

/** The page's own background in both themes, so that nothing flashes before the first paint. */
const backgrounds = { dark: '#0c1117', light: '#f6f7f9' };
export const background = (): string => (nativeTheme.shouldUseDarkColors ? backgrounds.dark : backgrounds.light);

type WindowOptions = { preload: string; version: string; isHidden: boolean };

async function offerReload(window: BrowserWindow, message: string, keep: string): Promise<void> {
  const buttons = ['Load again', keep];
  const { response } = await dialog.showMessageBox(window, {
    type: 'warning',
    message,
    buttons,
    defaultId: 0,
    cancelId: 1,
  });
  if (response === 0 && !window.isDestroyed()) window.webContents.reload();
}

function recoverPage(window: BrowserWindow): void {
  let reloads: Restarts = [];
  window.webContents.on('render-process-gone', (_event, details) => {
    if (details.reason === 'clean-exit' || window.isDestroyed()) return;
    console.error(`the page ended: ${details.reason}, code ${details.exitCode}`);
    const rule = mayReload(reloads, performance.now());
    reloads = rule.reloads;
    if (rule.may) window.webContents.reload();
    else void offerReload(window, 'The console keeps crashing. The node goes on working.', 'Leave it');
  });
  window.on(
    'unresponsive',
    () => void offerReload(window, 'The console does not react. The node goes on working.', 'Wait'),
  );
}

export function openWindow(options: WindowOptions): BrowserWindow {
  const window = new BrowserWindow({
    name: 'console',
    windowStatePersistence: true,
    title: 'Binnacle',
    show: false,
    backgroundColor: background(),
    ...windowSize(screen.getPrimaryDisplay().workAreaSize),
    webPreferences: {
      preload: options.preload,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webSecurity: true,
      webviewTag: false,
      spellcheck: false,
      navigateOnDragDrop: false,
      additionalArguments: [versionSwitch + options.version],
    },
  });
  if (!options.isHidden) window.once('ready-to-show', () => window.show());
  recoverPage(window);
  window.loadURL(consoleAddress).catch((cause) => console.error('the console could not be loaded:', cause));
  return window;
}

export function bringForward(window: BrowserWindow): void {
  if (window.isMinimized()) window.restore();
  window.show();
  window.focus();
}
