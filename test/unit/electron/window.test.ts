import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { isTrusted } from '../../../electron/bridge/sender.ts';
import { desktopLimits } from '../../../electron/limits.ts';
import { pageHeaders } from '../../../electron/window/content-policy.ts';
import { asksToOpen, type Opened, parseLink, screens } from '../../../electron/window/links.ts';
import { menuTemplate } from '../../../electron/window/menu.ts';
import { mayNavigate, mayUse, outside } from '../../../electron/window/navigation.ts';
import { OpenedQueue } from '../../../electron/window/opened.ts';
import { answerPage, pageFile } from '../../../electron/window/page-files.ts';
import { windowSize } from '../../../electron/window/size.ts';
import { joinLinkOf } from '../../../node-runtime/contract/invite-code.ts';
import { limits } from '../../../node-runtime/contract/limits.ts';

describe('a link', () => {
  test('opens a screen, a run or a place in a sandbox', () => {
    expect(parseLink('binnacle://')).toEqual({ open: 'screen', screen: 'overview' });
    for (const screen of screens) expect(parseLink(`binnacle://${screen}`)).toEqual({ open: 'screen', screen });
    expect(parseLink('binnacle://runs/r-12')).toEqual({ open: 'run', run: 'r-12' });
    expect(parseLink('binnacle://sandboxes/lab')).toEqual({ open: 'sandbox', sandbox: 'lab', path: '' });
    const place = { open: 'sandbox', sandbox: 'lab', path: 'a b/.ü..csv' };
    expect(parseLink('binnacle://sandboxes/lab/a%20b/.%C3%BC..csv/')).toEqual(place);
  });
  test('shows the code of an invite', () => {
    const code = `192.168.7.2:7400,[fe80::1%eth0]:7400/${'a'.repeat(20)}.${'0'.repeat(32)}`;
    expect(parseLink(joinLinkOf(code))).toEqual({ open: 'join', code });
    expect(asksToOpen([joinLinkOf(code)]).links).toEqual([{ open: 'join', code }]);
  });
  test.each([
    ['no code to join by', 'binnacle://join'],
    ['a code that is cut off', `binnacle://join/192.168.7.2:7400/${'a'.repeat(20)}.${'0'.repeat(31)}`],
    ['a code with more behind it', `binnacle://join/192.168.7.2:7400/${'a'.repeat(20)}.${'0'.repeat(32)}/yes`],
    ['a code and a question', `binnacle://join/192.168.7.2:7400/${'a'.repeat(20)}.${'0'.repeat(32)}?now=1`],
    ['a code without an address', `binnacle://join/${'a'.repeat(20)}.${'0'.repeat(32)}`],
    ['another scheme', 'https://runs/r-1'],
    ['a screen nobody knows', 'binnacle://shutdown'],
    ['a screen with more than it takes', 'binnacle://settings/delete'],
    ['a run with more than its name', 'binnacle://runs/r-1/cancel'],
    ['a run that is no name', 'binnacle://runs/%3Cscript%3E'],
    ['a way up, escaped', 'binnacle://sandboxes/lab/%2e%2e/%2E%2E/etc'],
    ['a way up in plain dots', 'binnacle://sandboxes/lab/../../etc'],
    ['a way up at the end', 'binnacle://sandboxes/lab/a/..'],
    ['a slash inside a name', 'binnacle://sandboxes/lab/a%2fb'],
    ['a backslash', 'binnacle://sandboxes/lab/a%5Cb'],
    ['a zero byte', 'binnacle://sandboxes/lab/a%00b'],
    ['an empty name', 'binnacle://sandboxes/lab//b'],
    ['a broken escape', 'binnacle://sandboxes/lab/%ff'],
    ['a person and a word', 'binnacle://a:b@runs/r-1'],
    ['a port', 'binnacle://runs:80/r-1'],
    ['too long a sandbox name', `binnacle://sandboxes/${'s'.repeat(limits.sandboxNameCharsMax + 1)}`],
    ['too long a link', `binnacle://runs/${'r'.repeat(desktopLimits.linkCharsMax)}`],
    ['no address at all', 'runs'],
  ])('with %s opens nothing', (_why, text) => {
    expect(parseLink(text)).toBeNull();
  });
});

test('a command line asks for its links and job files, nothing else', () => {
  const argv = [
    '.',
    '--flag=x.job.yaml',
    'binnacle://runs',
    'binnacle://nope',
    'a.job.yaml',
    'B.JOB.JSON',
    'notes.txt',
  ];
  const asked = asksToOpen([...argv, 'https://example.com/x.job.yaml']);
  expect(asked).toEqual({ links: [{ open: 'screen', screen: 'runs' }], files: ['a.job.yaml', 'B.JOB.JSON'] });
});

describe('what was opened', () => {
  test('waits until the page takes it, the oldest giving way', () => {
    let arrived = 0;
    const queue = new OpenedQueue(() => arrived++);
    for (let i = 0; i < desktopLimits.openedMax + 5; i++) queue.add({ open: 'run', run: `r-${i}` });
    const taken = queue.takeAll();
    expect(taken).toHaveLength(desktopLimits.openedMax);
    expect(taken[0]).toEqual({ open: 'run', run: 'r-5' });
    expect(queue.takeAll()).toEqual([]);
    expect(arrived).toBe(desktopLimits.openedMax + 5);
  });
  test('carries the text of a job file, but of no other and of none too large', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'opened-'));
    try {
      const queue = new OpenedQueue(() => undefined);
      writeFileSync(path.join(folder, 'a.job.yaml'), 'name: a\n');
      writeFileSync(path.join(folder, 'big.job.yaml'), '');
      truncateSync(path.join(folder, 'big.job.yaml'), limits.jobFileBytesMax + 1);
      writeFileSync(path.join(folder, 'secret.txt'), 'secret');
      await queue.addCommandLine(['a.job.yaml', 'big.job.yaml', 'absent.job.yaml'], folder);
      await queue.addFile(path.join(folder, 'secret.txt'));
      expect(queue.takeAll()).toEqual([{ open: 'jobFile', name: 'a.job.yaml', text: 'name: a\n' }]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the page', () => {
  test('goes nowhere but to its own origin', () => {
    expect(mayNavigate('app://console/')).toBe(true);
    expect(mayNavigate('app://console/runs/1?x#y')).toBe(true);
    const elsewhere = [
      'app://other/',
      'app://console.evil/',
      'https://console/',
      'app://a@console/',
      'file:///',
      '',
      'x',
    ];
    for (const address of elsewhere) expect(mayNavigate(address), address).toBe(false);
  });
  test('opens https outside, re-written, and nothing else', () => {
    expect(outside('https://example.org/a b')).toBe('https://example.org/a%20b');
    const refused = [
      'http://example.org/',
      'file:///etc/passwd',
      'https://a:b@example.org/',
      'smb://x',
      'javascript:1',
      'x',
    ];
    for (const address of refused) expect(outside(address), address).toBeNull();
  });
  test('may put text on the clipboard and use nothing else', () => {
    expect(mayUse('clipboard-sanitized-write', 'app://console/')).toBe(true);
    expect(mayUse('clipboard-sanitized-write', 'https://example.org/')).toBe(false);
    for (const permission of ['clipboard-read', 'media', 'geolocation', 'notifications', 'hid', 'openExternal'])
      expect(mayUse(permission, 'app://console/'), permission).toBe(false);
  });
  test('is asked for by our top frame only', () => {
    const frame = { origin: 'app://console', isTop: true };
    expect(isTrusted({ frame, isOurWindow: true })).toBe(true);
    expect(isTrusted({ frame: null, isOurWindow: true })).toBe(false);
    expect(isTrusted({ frame, isOurWindow: false })).toBe(false);
    expect(isTrusted({ frame: { ...frame, isTop: false }, isOurWindow: true })).toBe(false);
    for (const origin of ['https://example.org', 'app://console.evil', 'null', ''])
      expect(isTrusted({ frame: { ...frame, origin }, isOurWindow: true }), origin).toBe(false);
  });
});

describe('files of the page', () => {
  test.each([
    '/../secret',
    '/%2e%2e/secret',
    '/..%2fsecret',
    '/a/../../secret',
    '/%2e%2e%2f',
    '/..\\secret',
    '/%00',
    '/%',
    '//',
  ])('%s leads to no file', (pathname) => {
    expect(pageFile('/app/page', pathname)).toBeNull();
  });
  test('are found below the folder, the start page at the top', () => {
    expect(pageFile('/app/page', '/')).toBe('/app/page/index.html');
    expect(pageFile('/app/page', '/assets/a%20b.js')).toBe('/app/page/assets/a b.js');
  });
  test('carry the policy also when there is none', async () => {
    const answer = await answerPage('/nowhere', 'GET', '/x.js');
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-security-policy')).toBe(pageHeaders['content-security-policy']);
  });
});

test('the policy is the one that the libraries of the page were tried under', () => {
  expect(pageHeaders['content-security-policy']).toBe(
    "default-src 'none'; script-src 'self'; style-src-elem 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html",
  );
});

test('the window is never larger or less shrinkable than the display', () => {
  expect(windowSize({ width: 1920, height: 1040 })).toEqual({
    width: 1280,
    height: 800,
    minWidth: 1024,
    minHeight: 700,
  });
  expect(windowSize({ width: 800, height: 600 })).toEqual({ width: 800, height: 600, minWidth: 800, minHeight: 600 });
});

describe('the menu', () => {
  const made = (platform: string, isPackaged = true) => {
    const opened: Opened[] = [];
    const nothing = () => undefined;
    const actions = { open: (o: Opened) => opened.push(o), openJobFile: nothing, quit: nothing, about: nothing };
    const groups = menuTemplate(actions, { platform, isPackaged });
    const items = groups.flatMap((group) => (Array.isArray(group.submenu) ? group.submenu : []));
    return { opened, groups, items };
  };
  test('gives each key once', () => {
    for (const platform of ['linux', 'darwin', 'win32']) {
      const keys = made(platform).items.flatMap((item) => item.accelerator ?? []);
      expect(new Set(keys).size, platform).toBe(keys.length);
    }
  });
  test('opens screens by the same union as links', () => {
    const { items, opened } = made('linux');
    items.find((item) => item.id === 'screen-nodes')!.click!(
      ...([] as unknown as Parameters<NonNullable<(typeof items)[0]['click']>>),
    );
    expect(opened).toEqual([{ open: 'screen', screen: 'nodes' }]);
  });
  test('hides developer tools in the packaged program', () => {
    const has = (isPackaged: boolean) => made('linux', isPackaged).items.some((item) => item.role === 'toggleDevTools');
    expect([has(true), has(false)]).toEqual([false, true]);
  });
});
