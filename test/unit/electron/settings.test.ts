import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { desktopLimits } from '../../../electron/limits.ts';
import { defaultSettings, readSettings, SettingsChange } from '../../../electron/settings/settings.ts';
import { SettingsFile } from '../../../electron/settings/settings-file.ts';
import { autostartEntry, autostartFile } from '../../../electron/settings/start-at-login.ts';

describe('settings', () => {
  test('drop keys nobody knows and fill in what is missing', () => {
    expect(readSettings('{"theme":"dark","later":1}')).toEqual({ settings: { ...defaultSettings, theme: 'dark' } });
  });
  test.each(['', 'x', '[]', 'null', '{"theme":"pink"}', '{"startAtLogin":"yes"}'])('of %j are damaged', (text) => {
    const { settings, note } = readSettings(text);
    expect(settings).toEqual(defaultSettings);
    expect(note).toContain('could not be read');
  });
  test('are changed one by one, by known names only', () => {
    expect(SettingsChange.safeParse({ theme: 'light' }).success).toBe(true);
    expect(SettingsChange.safeParse({}).success).toBe(true);
    for (const change of [{ theme: 'pink' }, { toldAboutTray: true }, { x: 1 }, { keepAwake: undefined }])
      expect(SettingsChange.safeParse(change).success, JSON.stringify(change)).toBe(false);
  });
});

describe('the settings file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'settings-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const file = () => path.join(folder, 'settings.json');

  test('is made at the first change and read at the next start', async () => {
    const first = new SettingsFile(folder);
    expect(first.now).toEqual(defaultSettings);
    expect(readdirSync(folder)).toEqual([]);
    await first.change({ theme: 'dark' });
    expect(new SettingsFile(folder).now.theme).toBe('dark');
    expect(readdirSync(folder)).toEqual(['settings.json']);
  });
  test('holds the last of many changes made at once', async () => {
    const settings = new SettingsFile(folder);
    const themes = ['dark', 'light', 'system', 'dark', 'light'] as const;
    await Promise.all(themes.map((theme, i) => settings.change({ theme, keepAwake: i % 2 === 0 })));
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toMatchObject({ theme: 'light', keepAwake: true });
  });
  test('that is damaged or too large is kept aside with a note', () => {
    for (const text of ['{"theme":', ' '.repeat(desktopLimits.settingsBytesMax + 1)]) {
      writeFileSync(file(), text);
      const settings = new SettingsFile(folder);
      expect(settings.now).toEqual(defaultSettings);
      expect(settings.note).toContain('settings.damaged.json');
      expect(readFileSync(path.join(folder, 'settings.damaged.json'), 'utf8')).toBe(text);
      expect(readdirSync(folder)).toEqual(['settings.damaged.json']);
    }
  });
  test('that cannot be written says so, and a later change is written again', async () => {
    const settings = new SettingsFile(path.join(folder, 'sub'));
    writeFileSync(path.join(folder, 'sub'), '');
    await expect(settings.change({ theme: 'dark' })).rejects.toThrow();
    rmSync(path.join(folder, 'sub'));
    await settings.change({ keepAwake: true });
    expect(new SettingsFile(path.join(folder, 'sub')).now).toMatchObject({ theme: 'dark', keepAwake: true });
  });
});

describe('the desktop file for starting at login', () => {
  test('lies in the autostart folder of the configuration', () => {
    expect(autostartFile('/home/a/.config')).toBe('/home/a/.config/autostart/binnacle.desktop');
  });
  test('quotes each argument by the rules of desktop files', () => {
    const lines = autostartEntry(['/opt/My "App"/b$n%', '--hidden']).split('\n');
    expect(lines).toContain('Exec="/opt/My \\\\"App\\\\"/b\\\\$n%%" "--hidden"');
    expect(lines[0]).toBe('[Desktop Entry]');
  });
});
