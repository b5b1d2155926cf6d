/** Files as people work with them in a browser, on a real node: look, bring in, move, undo, write, meet another. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Entry, Sandbox } from '../../node-runtime/contract/model.ts';
import { RealNode } from '../support/real-node.ts';
import { accessible, go, launchChromium, type SignedIn, signIn } from './support/console-page.ts';
import { dropFiles } from './support/drop-files.ts';

const MiB = 1024 * 1024;
let node: RealNode;
let browser: Browser;
let desk: string;
let first: SignedIn;
let page: Page;
beforeAll(async () => {
  desk = mkdtempSync(path.join(tmpdir(), 'binnacle-desk-'));
  node = await (await RealNode.found()).start(['--listen', '127.0.0.1:0']);
  browser = await launchChromium();
  first = await signIn(browser, node);
  page = first.page;
});
afterAll(async () => {
  await browser?.close();
  await node?.remove();
  rmSync(desk, { recursive: true, force: true });
});

const onDesk = (name: string, contents: string | Uint8Array): string => {
  const file = path.join(desk, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, contents);
  return file;
};
const make = (name: string): Promise<Sandbox> =>
  node.must('POST', '/api/v1/sandboxes', { name, kind: 'shared', description: '' });
const names = async (sandbox: string, folder = ''): Promise<string[]> => {
  const address = `/api/v1/sandboxes/${sandbox}/entries?path=${encodeURIComponent(folder)}`;
  return (await node.must<{ entries: Entry[] }>('GET', address)).entries.map((entry) => entry.name);
};
const textOf = async (sandbox: string, file: string): Promise<string> =>
  (await node.ask('GET', `/api/v1/sandboxes/${sandbox}/files/${file}`)).text;
const row = (name: RegExp | string) => page.getByRole('row', { name });
const menuOf = async (name: string, item: string): Promise<void> => {
  await page.getByRole('button', { name: `What can be done with ${name}` }).click();
  await page.getByRole('menuitem', { name: item }).click();
};

describe('looking at files', () => {
  // A red square of 16 × 16.
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"><rect width="16" height="16" fill="red"/></svg>';
  const lineBytes = 64;
  const lines = (30 * MiB) / lineBytes;

  beforeAll(async () => {
    await make('look');
    await node.put('look', 'square.svg', svg);
    await node.put(
      'look',
      'table.csv',
      `day,count\n${Array.from({ length: 500 }, (_, i) => `d${i},${i}`).join('\n')}\n`,
    );
    await go(page, '#/sandboxes/look');
    await row(/square\.svg/).waitFor();
  });

  it('shows a picture as a picture, under the policy of the page', async () => {
    await row(/square\.svg/).click();
    const image = page.getByAltText(/square\.svg/);
    await expect.poll(() => image.evaluate((one: HTMLImageElement) => one.naturalWidth)).toBe(16);
    await accessible(page, 'picture');
  });

  it('shows a table as a table', async () => {
    await row(/table\.csv/).click();
    await page.getByRole('columnheader', { name: 'count' }).waitFor();
    await page.getByText('d17', { exact: true }).waitFor();
    await accessible(page, 'table');
  });

  it('takes a file of 30 MiB in pieces and shows any part of it without reading the rest', {
    timeout: 60_000,
  }, async () => {
    const big = onDesk(
      'big.txt',
      Array.from({ length: lines }, (_, i) => `${`line ${i}`.padEnd(lineBytes - 1)}\n`).join(''),
    );
    await dropFiles(page, '.zone', [big]);
    await page.getByText('The file is in look.').waitFor({ timeout: 40_000 });
    const ranges: string[] = [];
    page.on('response', (answer) => {
      if (answer.url().includes('/files/big.txt'))
        ranges.push(`${answer.status()} ${answer.headers()['content-range'] ?? ''}`);
    });
    await row(/big\.txt/).click();
    await page.getByText('0 B to 262 kB of 31.5 MB').waitFor();
    await page.getByRole('button', { name: 'End', exact: true }).click();
    await page.getByText('of 31.5 MB').waitFor();
    await expect.poll(() => ranges.at(-1)).toBe(`206 bytes ${30 * MiB - 256 * 1024}-${30 * MiB - 1}/${30 * MiB}`);
    // The editor draws what is seen; its first lines of this part are there.
    await page
      .getByText(`line ${lines - (256 * 1024) / lineBytes}`, { exact: false })
      .first()
      .waitFor();
    expect(ranges.every((one) => one.startsWith('206'))).toBe(true);
    await accessible(page, 'large-file');
  });

  it('says how much is in the sandbox as it is now, without anybody reloading', async () => {
    const said = page.getByText(/3 in this folder · 3 files, 31\.5 MB in look · version 3/);
    await said.waitFor();
    await node.put('look', 'one-more.txt', 'x');
    await page.getByText(/4 in this folder · 4 files, 31\.5 MB in look · version 4/).waitFor();
    await node.must('DELETE', '/api/v1/sandboxes/look/files/one-more.txt');
    await page.getByText(/3 in this folder · 3 files, .* · version 5/).waitFor();
  });

  it('gives the folder as a zip, and one file under its name', async () => {
    const [zip] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Download this folder as zip' }).click(),
    ]);
    expect(zip.suggestedFilename()).toMatch(/look.*\.zip$/);
    const bytes = readFileSync(await zip.path());
    expect(bytes.subarray(0, 2).toString()).toBe('PK');
    for (const name of ['square.svg', 'table.csv', 'big.txt']) expect(bytes.includes(name)).toBe(true);
    await row(/table\.csv/).click();
    const [one] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Download', exact: true }).click(),
    ]);
    expect(one.suggestedFilename()).toBe('table.csv');
    expect(readFileSync(await one.path(), 'utf8')).toBe(await textOf('look', 'table.csv'));
  });
});

describe('bringing order', () => {
  beforeAll(async () => {
    await make('order');
    await node.put('order', 'notes.txt', 'first\n');
    await node.put('order', 'old/list.txt', 'list\n');
    await go(page, '#/sandboxes/order');
    await row(/notes\.txt/).waitFor();
  });

  it('moves by the dialog, says a wrong place beside the field, and takes it back', async () => {
    await menuOf('notes.txt', 'Move…');
    const to = page.getByRole('textbox', { name: /To the folder/ });
    await to.fill('../outside');
    await page.keyboard.press('Enter');
    await expect.poll(() => to.getAttribute('aria-invalid')).toBe('true');
    await accessible(page, 'move-dialog');
    await to.fill('old');
    await page.keyboard.press('Enter');
    await page.getByText('notes.txt moved to old.').waitFor();
    expect(await names('order', 'old')).toEqual(['list.txt', 'notes.txt']);
    await page.getByRole('button', { name: 'Undo' }).last().click();
    await row(/notes\.txt/).waitFor();
    expect(await names('order', 'old')).toEqual(['list.txt']);
  });

  it('copies to another folder', async () => {
    await menuOf('notes.txt', 'Copy to…');
    await page.getByRole('textbox', { name: /To the folder/ }).fill('old');
    await page.keyboard.press('Enter');
    await page.getByText('notes.txt copied to old/notes.txt.').waitFor();
    expect(await textOf('order', 'old/notes.txt')).toBe('first\n');
  });

  it('shows older versions and brings one back', async () => {
    await node.put('order', 'notes.txt', 'second\n');
    await row(/notes\.txt/).click();
    await page.getByRole('button', { name: 'History' }).click();
    await page.getByRole('button', { name: /Version 1/ }).click();
    await page.getByLabel('Version 1 of notes.txt').getByText('first').waitFor();
    await accessible(page, 'versions');
    const versionOne = page.getByRole('listitem').filter({ hasText: 'Version 1' });
    await versionOne.getByRole('button', { name: 'Bring back' }).click();
    // Written, moved away, moved back, written again: now it has a fifth.
    await page.getByRole('listitem').filter({ hasText: 'Version 5' }).getByText('now').waitFor();
    expect(await textOf('order', 'notes.txt')).toBe('first\n');
    await page.getByRole('button', { name: 'Contents' }).click();
  });

  it('deletes to the trash, whole folders too, and undo puts back exactly that', async () => {
    await row(/^.*old.*Folder/).click();
    await page.keyboard.press('Delete');
    await page.getByText('old moved to the trash.').waitFor();
    expect(await names('order')).toEqual(['notes.txt']);
    await page.getByRole('button', { name: 'Undo' }).last().click();
    await row(/old/).waitFor();
    expect(await names('order', 'old')).toEqual(['list.txt', 'notes.txt']);
  });

  it('finds what was deleted in the trash and brings it back from there', async () => {
    await row(/notes\.txt/).click();
    await page.keyboard.press('Delete');
    await page.getByText('notes.txt moved to the trash.').waitFor();
    await page.getByRole('link', { name: 'Trash' }).click();
    await row(/notes\.txt/).click();
    await accessible(page, 'trash');
    await page.getByRole('button', { name: 'Bring back', exact: true }).first().click();
    await page.getByText('The trash is empty').waitFor();
    expect(await names('order')).toEqual(['old', 'notes.txt']);
  });
});

describe('bringing in', () => {
  beforeAll(async () => {
    await make('bring');
    await go(page, '#/sandboxes/bring');
    await page.getByText('This folder is empty').waitFor();
  });

  it('takes a whole folder with what is in it, and asks before it replaces', { timeout: 60_000 }, async () => {
    onDesk('tree/a.txt', 'a');
    onDesk('tree/deep/er/b.job.yaml', 'tasks:\n  one:\n    run: echo b\n');
    mkdirSync(path.join(desk, 'tree', 'empty'), { recursive: true });
    await dropFiles(page, '.zone', [path.join(desk, 'tree')]);
    await page.getByText('2 files are in bring.').waitFor();
    expect(await names('bring', 'tree')).toEqual(['deep', 'empty', 'a.txt']);
    expect(await names('bring', 'tree/deep/er')).toEqual(['b.job.yaml']);
    await accessible(page, 'folder');

    await go(page, '#/sandboxes/bring/tree');
    await row(/a\.txt/).waitFor();
    const changed = onDesk('a.txt', 'changed');
    await dropFiles(page, '.zone', [changed]);
    await page.getByRole('heading', { name: 'Replace 1 file?' }).waitFor();
    await page.getByText('replaces version 1').waitFor();
    await accessible(page, 'replace');
    await page.getByRole('button', { name: 'Replace', exact: true }).click();
    await expect.poll(() => textOf('bring', 'tree/a.txt')).toBe('changed');
  });

  it('gives up an upload when asked to, and nothing of it stays', { timeout: 60_000 }, async () => {
    await go(page, '#/sandboxes/bring');
    const large = onDesk('large.bin', new Uint8Array(24 * MiB));
    // The second piece never arrives, so that there is something to give up.
    let held = false;
    await page.route('**/uploads/*?offset=*', (route) => {
      if (route.request().url().includes('offset=0')) return route.continue();
      held = true;
      return undefined;
    });
    const cancelled = page.waitForResponse(
      (answer) => answer.request().method() === 'DELETE' && answer.url().includes('/uploads/'),
    );
    await dropFiles(page, '.zone', [large]);
    await expect.poll(() => held, { timeout: 20_000 }).toBe(true);
    await accessible(page, 'uploading');
    await page.getByRole('button', { name: 'Cancel the upload of large.bin' }).click();
    expect((await cancelled).status()).toBe(204);
    await page.unroute('**/uploads/*?offset=*');
    await row(/large\.bin/).waitFor({ state: 'detached' });
    expect(await names('bring')).not.toContain('large.bin');
  });
});

describe('writing', () => {
  beforeAll(async () => {
    await make('write');
    await node.put('write', 'hello.job.yaml', 'tasks:\n  hello:\n    run: echo hello\n');
    await node.put('write', 'shared.txt', 'begin\n');
  });

  it('checks a job file while it is typed and keeps it with Ctrl+S', async () => {
    await go(page, '#/sandboxes/write?file=hello.job.yaml&view=edit');
    const editor = page.getByRole('textbox', { name: /Text of hello\.job\.yaml/ });
    await editor.click();
    await page.keyboard.press('Control+End');
    await page.keyboard.type('x: 1\n');
    await page.getByText('1 mistake').first().waitFor();
    await page.getByText('not saved').waitFor();
    await accessible(page, 'editor');
    for (let i = 0; i < 'x: 1\n'.length; i++) await page.keyboard.press('Backspace');
    await page.keyboard.type('env: {}\n');
    await page.getByText('1 task, no mistakes').waitFor();
    await page.keyboard.press('Control+s');
    await page.getByText('Saved.', { exact: true }).waitFor();
    expect(await textOf('write', 'hello.job.yaml')).toBe('tasks:\n  hello:\n    run: echo hello\nenv: {}\n');
  });

  it('overwrites nothing that another person saved meanwhile', async () => {
    const second = await signIn(browser, node, { theme: 'light', width: 1024, height: 700 });
    const other = second.page;
    for (const one of [page, other]) {
      await go(one, '#/sandboxes/write?file=shared.txt&view=edit');
      await one.getByRole('textbox', { name: /Text of shared\.txt/ }).click();
      await one.keyboard.press('Control+End');
    }
    await other.keyboard.type('theirs\n');
    await other.keyboard.press('Control+s');
    await other.getByText('Saved.', { exact: true }).waitFor();
    await page.keyboard.type('mine\n');
    await page.keyboard.press('Control+s');
    await page.getByRole('heading', { name: /was changed by someone else/ }).waitFor();
    await accessible(page, 'conflict');
    expect(await textOf('write', 'shared.txt')).toBe('begin\ntheirs\n');
    await page.getByRole('button', { name: 'Go on with mine' }).click();
    await page.keyboard.press('Control+s');
    await expect.poll(() => textOf('write', 'shared.txt')).toBe('begin\nmine\n');
    expect(second.troubles).toEqual([]);
    await second.context.close();
  });
});

it('nothing went wrong in the page on all these ways', () => {
  expect(first.troubles).toEqual([]);
});
