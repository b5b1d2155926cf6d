/**
 * What `import … from 'electron'` gives in the main process of the double.
 *
 * Every module is typed against the real `electron.d.ts`; what it lacks throws
 * at first touch (`strict.ts`).
 */
import { app } from './api/app.ts';
import { BrowserWindowDouble, webContents } from './api/browser-window.ts';
import { ipcMain } from './api/ipc-main.ts';
import {
  crashReporter,
  nativeImage,
  nativeTheme,
  powerMonitor,
  powerSaveBlocker,
  screen,
  shell,
} from './api/machine.ts';
import { MenuDouble, MenuItemDouble, TrayDouble } from './api/menu-tray.ts';
import { dialog, NotificationDouble } from './api/notification-dialog.ts';
import { session } from './api/protocol.ts';
import { utilityProcess } from './api/utility-process.ts';
import { MessageChannelMainDouble } from './ports.ts';

export const electron = {
  app,
  BrowserWindow: BrowserWindowDouble,
  crashReporter,
  dialog,
  ipcMain,
  Menu: MenuDouble,
  MenuItem: MenuItemDouble,
  MessageChannelMain: MessageChannelMainDouble,
  nativeImage,
  nativeTheme,
  Notification: NotificationDouble,
  powerMonitor,
  powerSaveBlocker,
  protocol: session.defaultSession.protocol,
  screen,
  session,
  shell,
  Tray: TrayDouble,
  utilityProcess,
  webContents,
};
