/**
 * What closing the window does. It hides only where a tray brings it back,
 * and says so once; without a tray the person is asked, because a hidden
 * program that nobody can reach is a trap. Pure.
 */
export type OnClose = 'close' | 'hide' | 'hideAndTell' | 'ask';

export function onClose(facts: { isQuitting: boolean; hasTray: boolean; told: boolean }): OnClose {
  if (facts.isQuitting) return 'close';
  if (!facts.hasTray) return 'ask';
  return facts.told ? 'hide' : 'hideAndTell';
}

/**
 * Is a tray likely to be seen? Electron cannot tell on Linux: there a tray
 * without a host is accepted and never shown. GNOME has none of its own
 * (Ubuntu's adds one); where the desktop is unknown, none is assumed.
 */
export function trayIsShown(platform: string, env: Readonly<Record<string, string | undefined>>): boolean {
  if (platform !== 'linux') return true;
  const desktops = (env['XDG_CURRENT_DESKTOP'] ?? '').toLowerCase().split(':').filter(Boolean);
  const withTray = [
    'kde',
    'xfce',
    'x-cinnamon',
    'cinnamon',
    'mate',
    'lxqt',
    'lxde',
    'budgie',
    'unity',
    'ubuntu',
    'deepin',
  ];
  return desktops.some((name) => withTray.includes(name));
}
