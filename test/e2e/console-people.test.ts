/** Who may do what, as an administrator sets it up in a browser, on a real node. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Token, User } from '../../node-runtime/contract/model.ts';
import { RealNode } from '../support/real-node.ts';
import { accessible, go, launchChromium, type SignedIn, signIn } from './support/console-page.ts';

let node: RealNode;
let browser: Browser;
let first: SignedIn;
let page: Page;
beforeAll(async () => {
  node = await (await RealNode.found()).start(['--listen', '127.0.0.1:0']);
  browser = await launchChromium();
  first = await signIn(browser, node);
  page = first.page;
  await first.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await go(page, '#/settings');
  await page.getByRole('heading', { name: 'People' }).waitFor();
});
afterAll(async () => {
  await browser?.close();
  await node?.remove();
});

/** Without the administrator the cluster was founded with. */
const users = async (): Promise<User[]> =>
  (await node.must<{ users: User[] }>('GET', '/api/v1/users')).users.filter((user) => user.name !== 'admin');
const tokens = async (): Promise<Token[]> => (await node.must<{ tokens: Token[] }>('GET', '/api/v1/tokens')).tokens;
/** A window in which somebody signs in with name and password; gives what is seen then. */
async function enters(name: string, password: string): Promise<string> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  try {
    const other = await context.newPage();
    await other.goto(node.running()!.url!);
    await other.getByLabel('Name').fill(name);
    await other.getByLabel('Password').fill(password);
    await other.keyboard.press('Enter');
    const inside = other.getByRole('heading', { name: 'All is well' });
    const refused = other.getByRole('alert');
    await inside.or(refused).first().waitFor({ timeout: 15_000 });
    return (await inside.count()) > 0 ? 'in' : ((await refused.textContent()) ?? '');
  } finally {
    await context.close();
  }
}

it('adds a person, who can sign in', { timeout: 60_000 }, async () => {
  await page.getByRole('button', { name: 'Add a person…' }).click();
  await page.getByLabel('Name', { exact: true }).fill('mara');
  await page.getByLabel('First password').fill('short');
  await page.keyboard.press('Enter');
  await page.getByText('The password needs at least 10 characters.').waitFor();
  await accessible(page, 'add-person');
  await page.getByLabel('First password').fill('quiet harbour 7');
  await page.getByRole('radio', { name: /Viewer/ }).check();
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('cell', { name: 'mara' }).waitFor();
  expect(await users()).toMatchObject([{ name: 'mara', role: 'viewer' }]);
  expect(await enters('mara', 'quiet harbour 7')).toBe('in');
});

it('says beside the field why a name is refused', async () => {
  await page.getByRole('button', { name: 'Add a person…' }).click();
  await page.getByLabel('Name', { exact: true }).fill('mara');
  await page.getByLabel('First password').fill('quiet harbour 8');
  await page.keyboard.press('Enter');
  await page
    .getByText(/mara/)
    .filter({ hasText: /exists|already|taken/ })
    .first()
    .waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
});

it('changes a role and a password', { timeout: 60_000 }, async () => {
  await page.getByLabel('Role of mara').selectOption('operator');
  await expect.poll(async () => (await users())[0]?.role).toBe('operator');
  await page.getByRole('row', { name: /mara/ }).getByRole('button', { name: 'Password…' }).click();
  await page.getByLabel('New password', { exact: true }).fill('louder harbour 9');
  await accessible(page, 'new-password');
  await page.keyboard.press('Enter');
  await page.getByText('mara has a new password.').waitFor();
  expect(await enters('mara', 'quiet harbour 7')).toMatch(/do not match/);
  expect(await enters('mara', 'louder harbour 9')).toBe('in');
});

it('makes a token that is shown once and works until it is removed', { timeout: 60_000 }, async () => {
  await page.getByRole('button', { name: 'New token…' }).click();
  await page.getByLabel('What is it for').fill('nightly import');
  await page.getByRole('button', { name: 'Make token' }).click();
  await page.getByRole('heading', { name: 'The token, this once' }).waitFor();
  const secret = (await page.locator('output').textContent())!;
  await accessible(page, 'token-once');
  await page.getByRole('button', { name: 'Copy', exact: true }).click();
  await page.getByText('Copied.').waitFor();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(secret);
  await page.getByRole('button', { name: 'I have it' }).click();
  await expect.poll(() => page.content()).not.toContain(secret);

  const uses = async (): Promise<number> => (await fetchWith(secret)).status();
  const fetchWith = (token: string) =>
    first.context.request.get(`${node.running()!.url}/api/v1/sandboxes`, {
      headers: { authorization: `Bearer ${token}`, cookie: '' },
    });
  expect(await uses()).toBe(200);
  expect(await tokens()).toMatchObject([{ label: 'nightly import', role: 'operator' }]);
  await page
    .getByRole('row', { name: /nightly import/ })
    .getByRole('button', { name: 'Remove…' })
    .click();
  await accessible(page, 'remove-token');
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await expect.poll(tokens).toEqual([]);
  expect(await uses()).toBe(401);
});

it('removes a person, who is out at once', { timeout: 60_000 }, async () => {
  await page.getByRole('row', { name: /mara/ }).getByRole('button', { name: 'Remove…' }).click();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await expect.poll(users).toEqual([]);
  await page.getByRole('cell', { name: 'mara' }).waitFor({ state: 'detached' });
  expect(await enters('mara', 'louder harbour 9')).toMatch(/do not match/);
  await accessible(page, 'settings');
});

it('makes a link that lets one person in, once', { timeout: 60_000 }, async () => {
  await page.getByRole('button', { name: 'One-time link…' }).click();
  const address = (await page.locator('output').textContent())!;
  await page.getByRole('button', { name: 'Done' }).click();
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const other = await context.newPage();
  await other.goto(address);
  await other.getByRole('heading', { name: 'All is well' }).waitFor();
  await context.close();
  const late = await browser.newContext({ ignoreHTTPSErrors: true });
  const another = await late.newPage();
  await another.goto(address);
  await another.getByRole('alert').waitFor();
  await late.close();
});

it('nothing went wrong in the page on all these ways', () => {
  expect(first.troubles).toEqual([]);
});
