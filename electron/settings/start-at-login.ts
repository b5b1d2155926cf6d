/**
 * Starting Binnacle when the person signs in to the desktop.
 *
 * macOS and Windows have a call for it. On Linux a desktop file in
 * `~/.config/autostart` (or `XDG_CONFIG_HOME`) does it; switching off removes
 * it. Started this way the program shows no window, only its tray, if any.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

export const hiddenSwitch = '--hidden';

/** One argument of an `Exec` line, quoted by the rules of the desktop entry specification. Pure. */
const quoted = (argument: string): string =>
  `"${argument
    .replace(/["`$\\]/g, '\\$&')
    .replaceAll('\\', '\\\\') // the value is a string itself, so each backslash is written twice
    .replaceAll('%', '%%')}"`;

/** The desktop file that starts `command`. Pure. */
export function autostartEntry(command: readonly string[]): string {
  const lines = [
    '[Desktop Entry]',
    'Type=Application',
    'Name=Binnacle',
    'Comment=Runs the Binnacle node of this computer',
    `Exec=${command.map(quoted).join(' ')}`,
    'Icon=binnacle',
    'Terminal=false',
    'X-GNOME-Autostart-enabled=true',
  ];
  return `${lines.join('\n')}\n`;
}

export const autostartFile = (configFolder: string): string => path.join(configFolder, 'autostart', 'binnacle.desktop');

type LoginApp = Pick<Electron.App, 'setLoginItemSettings' | 'isPackaged' | 'getAppPath' | 'getPath'>;

/** Electron's own `appData` is `XDG_CONFIG_HOME` or `~/.config` on Linux. */
export async function applyStartAtLogin(app: LoginApp, isWanted: boolean): Promise<void> {
  if (process.platform !== 'linux') {
    app.setLoginItemSettings({ openAtLogin: isWanted, args: [hiddenSwitch] });
    return;
  }
  const file = autostartFile(app.getPath('appData'));
  if (!isWanted) return rm(file, { force: true });
  const program = process.env['APPIMAGE'] ?? app.getPath('exe'); // an AppImage's own path changes at each start
  const command = app.isPackaged ? [program, hiddenSwitch] : [program, app.getAppPath(), hiddenSwitch];
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, autostartEntry(command));
}
