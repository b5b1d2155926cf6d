/**
 * The only thing the page gets of the desktop: `window.binnacle`, frozen, with
 * named functions. Never `ipcRenderer`, never an event object, nothing that
 * takes a channel's name. Bundled into one CommonJS file, as a sandboxed
 * preload must be.
 */
import { contextBridge, ipcRenderer, webUtils } from 'electron';
import { channels, type DesktopBridge, openedSignal, versionSwitch } from './bridge/names.ts';
import type { Settings } from './settings/settings.ts';
import type { Opened } from './window/links.ts';

const getSettings = (): Promise<Settings> => ipcRenderer.invoke(channels.settingsGet);
const setSettings = (change: Partial<Settings>): Promise<Settings> => ipcRenderer.invoke(channels.settingsSet, change);

function onOpen(callback: (opened: Opened) => void): () => void {
  const take = async () => {
    for (const opened of (await ipcRenderer.invoke(channels.takeOpened)) as Opened[]) callback(opened);
  };
  const listener = () => void take();
  ipcRenderer.on(openedSignal, listener);
  void take();
  return () => void ipcRenderer.removeListener(openedSignal, listener);
}

const bridge: DesktopBridge = {
  version: process.argv.find((a) => a.startsWith(versionSwitch))?.slice(versionSwitch.length) ?? '',
  platform: process.platform,
  facts: () => ipcRenderer.invoke(channels.facts),
  notify: (title, body) => ipcRenderer.invoke(channels.notify, title, body),
  settings: Object.freeze({ get: getSettings, set: setSettings }),
  startAtLogin: Object.freeze({
    get: async () => (await getSettings()).startAtLogin,
    set: async (on: boolean) => void (await setSettings({ startAtLogin: on })),
  }),
  runtime: Object.freeze({
    state: () => ipcRenderer.invoke(channels.runtimeState),
    restart: () => ipcRenderer.invoke(channels.runtimeRestart),
  }),
  pathsOf: (files) => Array.from(files, (file) => webUtils.getPathForFile(file)),
  onOpen,
};

contextBridge.exposeInMainWorld('binnacle', Object.freeze(bridge));
