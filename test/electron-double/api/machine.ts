/**
 * The doubles of what is about the machine: power, theme, screens, images, the
 * shell, crash reports. They answer as a quiet desktop on mains power would;
 * power events are emitted by a spec.
 */
import * as fs from 'node:fs';
import { note, StrictEmitter, strict } from '../strict.ts';

export const nativeImage = strict('nativeImage', {
  createFromPath: (p: string) => ({
    path: p,
    isEmpty: () => !fs.existsSync(p),
    setTemplateImage() {},
    toPNG: () => fs.readFileSync(p),
  }),
  createFromBitmap: (bytes: Buffer, size: { width: number; height: number }) => {
    if (bytes.length !== size.width * size.height * 4) throw new Error('invalid buffer size');
    return { isEmpty: () => false, setTemplateImage() {} };
  },
  createFromDataURL: (u: string) => ({ u, isEmpty: () => false, setTemplateImage() {} }),
  createEmpty: () => ({ isEmpty: () => true, setTemplateImage() {} }),
});
class PowerMonitor extends StrictEmitter('powerMonitor') {
  getSystemIdleState(): 'active' {
    return 'active';
  }
  getSystemIdleTime(): number {
    return 0;
  }
  isOnBatteryPower(): boolean {
    return false;
  }
  onBatteryPower = false;
}
const blockers = new Map<number, string>();
let nextBlocker = 0;
export const powerSaveBlocker = strict('powerSaveBlocker', {
  start: (t: string) => (blockers.set(++nextBlocker, t), nextBlocker),
  stop: (id: number) => blockers.delete(id),
  isStarted: (id: number) => blockers.has(id),
});
export const shell = strict('shell', {
  openExternal: async (u: string) => note('openExternal', u),
  openPath: async (p: string) => (note('openPath', p), ''),
  showItemInFolder: (p: string) => note('showItemInFolder', p),
  beep() {},
  trashItem: async (p: string) => note('trashItem', p),
});
class NativeTheme extends StrictEmitter('nativeTheme') {
  themeSource: 'system' | 'light' | 'dark' = 'system';
  get shouldUseDarkColors(): boolean {
    return this.themeSource === 'dark';
  }
  shouldUseHighContrastColors = false;
}
const display = {
  id: 1,
  bounds: { x: 0, y: 0, width: 1920, height: 1080 },
  workArea: { x: 0, y: 0, width: 1920, height: 1040 },
  workAreaSize: { width: 1920, height: 1040 },
  size: { width: 1920, height: 1080 },
  scaleFactor: 1,
};
class ScreenDouble extends StrictEmitter('screen') {
  getPrimaryDisplay() {
    return display;
  }
  getAllDisplays() {
    return [display];
  }
  getDisplayMatching() {
    return display;
  }
  getDisplayNearestPoint() {
    return display;
  }
  getCursorScreenPoint() {
    return { x: 0, y: 0 };
  }
}
export const crashReporter = strict('crashReporter', {
  start: (o: object) => note('crashReporter.start', o),
  getLastCrashReport: () => null,
  getUploadedReports: () => [],
});
export const powerMonitor = new PowerMonitor();
export const nativeTheme = new NativeTheme();
export const screen = new ScreenDouble();
