/**
 * The application menu as a template: which items, which keys. Screens open by
 * the same closed union as links; only those that the console has are offered.
 * The palette's key belongs to the page, so it is shown here but not taken.
 * Pure.
 */
import type { MenuItemConstructorOptions } from 'electron';
import type { Opened, Screen } from './links.ts';

export type MenuActions = {
  open: (opened: Opened) => void;
  openJobFile: () => void;
  quit: () => void;
  about: () => void;
};

const numbered: readonly [Screen, string][] = [
  ['overview', 'Overview'],
  ['nodes', 'Nodes'],
  ['sandboxes', 'Sandboxes'],
  ['runs', 'Runs'],
  ['audit', 'Audit'],
];

export function menuTemplate(
  actions: MenuActions,
  facts: { platform: string; isPackaged: boolean },
): MenuItemConstructorOptions[] {
  const isMac = facts.platform === 'darwin';
  const separator: MenuItemConstructorOptions = { type: 'separator' };
  const about: MenuItemConstructorOptions = { id: 'about', label: 'About Binnacle', click: actions.about };
  const quit: MenuItemConstructorOptions = {
    id: 'quit',
    label: 'Quit Binnacle',
    accelerator: 'CmdOrCtrl+Q',
    click: actions.quit,
  };
  const settings: MenuItemConstructorOptions = {
    id: 'settings',
    label: 'Settings',
    accelerator: 'CmdOrCtrl+,',
    click: () => actions.open({ open: 'screen', screen: 'settings' }),
  };
  const toScreen = ([screen, label]: (typeof numbered)[number], index: number): MenuItemConstructorOptions => ({
    id: `screen-${screen}`,
    label,
    accelerator: `CmdOrCtrl+${index + 1}`,
    click: () => actions.open({ open: 'screen', screen }),
  });
  const openFile: MenuItemConstructorOptions = {
    id: 'open-job-file',
    label: 'Open job file…',
    accelerator: 'CmdOrCtrl+O',
    click: actions.openJobFile,
  };
  const ours: MenuItemConstructorOptions[] = isMac
    ? [{ label: 'Binnacle', submenu: [about, separator, settings, separator, { role: 'hide' }, separator, quit] }]
    : [];
  const file = isMac ? [openFile, { role: 'close' as const }] : [openFile, settings, separator, quit];
  return [
    ...ours,
    { label: 'File', submenu: file },
    {
      label: 'Edit',
      submenu: [
        { role: 'undo' },
        { role: 'redo' },
        separator,
        { role: 'cut' },
        { role: 'copy' },
        { role: 'paste' },
        { role: 'selectAll' },
      ],
    },
    {
      label: 'View',
      submenu: [
        ...numbered.map(toScreen),
        separator,
        { role: 'reload' },
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        { role: 'togglefullscreen' },
        ...(facts.isPackaged ? [] : [{ role: 'toggleDevTools' as const }]),
      ],
    },
    ...(isMac ? [{ role: 'windowMenu' as const }] : [{ label: 'Help', submenu: [about] }]),
  ];
}
