/**
 * A whole cluster put together in the console, by three desktop programs on
 * this machine that hear of each other in its network: nothing is typed but
 * the cluster's name, and six words are compared. And what goes wrong on the
 * way: a no, a withdrawn request, a wrong address, invites that are used up.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../node-runtime/contract/model.ts';
import { accessible, seeAt } from './support/console-page.ts';
import { type Desktop, launchApp, launchDesktop } from './support/desktop.ts';

const hasNetwork = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ internal, family }) => !internal && family === 'IPv4'),
);
const aloud = hasNetwork ? '' : ' (skipped: this machine has no network interface besides its loopback)';
const clusterName = `pairing ${process.pid}`;
const folders: string[] = [];
const desktops: Desktop[] = [];

async function open(args: string[] = []): Promise<Desktop & { userData: string }> {
  const userData = mkdtempSync(path.join(tmpdir(), 'bin-pair-'));
  folders.push(userData);
  const desktop = await launchDesktop({ userData, leaveFirst: true, args });
  desktop.window.setDefaultTimeout(20_000);
  desktops.push(desktop);
  return { ...desktop, userData };
}

const wordsOn = (page: Page): Promise<string[]> =>
  page.getByRole('list', { name: 'Six words to compare' }).locator('.word').allInnerTexts();
const firstScreen = (page: Page): Promise<void> =>
  page.getByRole('heading', { name: 'This computer belongs to no cluster yet' }).waitFor();
const overview = (page: Page): Promise<void> =>
  page.getByRole('heading', { name: 'All is well' }).waitFor({ timeout: 40_000 });
const cluster = (page: Page): Promise<Cluster> =>
  page.evaluate(() => fetch('/api/v1/cluster').then((answer) => answer.json() as Promise<never>));
const nearby = (page: Page) => page.getByRole('button', { name: `Ask to join ${clusterName}` });

/** At the member: the words are read, then a person says yes with the duties that are suggested. */
async function letIn(member: Page, asking: Page, suggested: string): Promise<string[]> {
  await asking.getByRole('heading', { name: `Compare six words with a console of ${clusterName}` }).waitFor();
  await member.getByRole('button', { name: 'Compare the six words…' }).click();
  const dialog = member.getByRole('dialog');
  await dialog.waitFor();
  const [here, there] = [await wordsOn(member), await wordsOn(asking)];
  expect(here).toHaveLength(6);
  expect(here).toEqual(there);
  const chosen = dialog.getByRole('checkbox', { checked: true });
  expect(await chosen.count()).toBe(1);
  expect(await dialog.locator('label.on b').innerText()).toBe(suggested);
  await accessible(member, `pairing-words-${suggested.toLowerCase()}`);
  await dialog.getByRole('button', { name: 'All six are the same: let it in' }).click();
  await dialog.waitFor({ state: 'detached' });
  return here;
}

afterAll(async () => {
  await Promise.all(desktops.map((desktop) => desktop.close()));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

describe.skipIf(!hasNetwork)(`three computers${aloud}`, () => {
  let first: Awaited<ReturnType<typeof open>>;

  it('become one cluster that can lose any of them, with nothing typed but its name', {
    timeout: 240_000,
  }, async () => {
    first = await open();
    await firstScreen(first.window);
    await first.window.getByRole('textbox', { name: 'Name of the cluster' }).fill(clusterName);
    await first.window.getByRole('radio', { name: /Other machines too/ }).check();
    await first.window.getByRole('button', { name: 'Start the cluster' }).click();
    await overview(first.window);

    const others: Desktop[] = [];
    for (const suggested of ['Controller', 'Watch']) {
      const asking = await open();
      others.push(asking);
      await firstScreen(asking.window);
      await nearby(asking.window).click();
      await letIn(first.window, asking.window, suggested);
      await overview(asking.window);
    }
    const pages = [first, ...others].map(({ window }) => window);
    for (const page of pages) {
      await page
        .getByText(/^Any one of .+, .+, .+ can be lost and work goes on\.$/)
        .first()
        .waitFor({ timeout: 60_000 });
      await expect.poll(async () => (await cluster(page)).survives.lossOf.length).toBe(3);
    }
    await accessible(first.window, 'pairing-three');
  });

  it('a request that is refused is told so, and may be made again', { timeout: 90_000 }, async () => {
    const { window } = await open();
    await firstScreen(window);
    await nearby(window).click();
    await window.getByRole('list', { name: 'Six words to compare' }).waitFor();
    await accessible(window, 'pairing-waiting');
    await first.window.getByRole('button', { name: 'Refuse…' }).click();
    await first.window.getByRole('button', { name: 'Refuse it' }).click();
    await window.getByText('A person at the cluster said no.').waitFor();
    await accessible(window, 'pairing-refused');

    // Asked again and withdrawn, it is gone from the member's screen.
    await nearby(window).click();
    await first.window.getByRole('button', { name: 'Compare the six words…' }).click();
    await window.getByRole('button', { name: 'Withdraw the request' }).click();
    await firstScreen(window);
    await first.window.getByText('This request waits no longer').waitFor();
    await first.window.getByRole('button', { name: 'Decide later' }).click();

    // An address where nobody is.
    await window.getByRole('textbox', { name: 'Or the address of a member' }).fill('127.0.0.1:9');
    await window.getByRole('button', { name: 'Ask at this address' }).click();
    await window.getByText(/No member answers at 127\.0\.0\.1:9/).waitFor();
  });

  it('an invite is opened as a link, shown, and used only when a person says so; the second time it is used up', {
    timeout: 120_000,
  }, async () => {
    const { window } = first;
    await window.locator('a[title="Nodes"]').click();
    await window.getByRole('button', { name: 'Invite a node…' }).click();
    await window.getByRole('button', { name: 'Make the code' }).click();
    const link = await window.getByRole('status', { name: 'Link with the code' }).innerText();
    await accessible(window, 'pairing-invite');
    await window.getByRole('button', { name: 'I have it' }).click();
    const code = decodeURIComponent(link.replace('binnacle://join/', ''));
    const before = (await cluster(window)).counts.nodes;

    const invited = await open([link]);
    const field = invited.window.getByRole('textbox', { name: 'Code or link' });
    await expect.poll(() => field.inputValue()).toBe(code);
    const form = invited.window.getByRole('form', { name: 'Use an invite' });
    await expect.poll(() => form.innerText()).toContain('Nothing has been sent yet');
    expect(await form.innerText()).toContain(code.split('/')[0]!.split(',')[0]!);
    expect((await form.innerText()).replaceAll(' ', '')).toContain(code.split('.').at(-1)!);
    await accessible(invited.window, 'pairing-invited');
    expect((await cluster(window)).counts.nodes).toBe(before);
    await invited.window.getByRole('button', { name: 'Join with this invite' }).click();
    await overview(invited.window);
    await expect.poll(async () => (await cluster(window)).counts.nodes).toBe(before + 1);

    // A computer that belongs to a cluster says so, and does nothing.
    const second = await launchApp({ userData: invited.userData, args: [link] }).catch(() => null);
    await second?.ended;
    await invited.window.getByText(/belongs to the cluster .* already, so the invite was not used/).waitFor();

    const late = await open([link]);
    await late.window.getByRole('button', { name: 'Join with this invite' }).click();
    await late.window.getByText(/was used, or its time is over/).waitFor();
    await accessible(late.window, 'pairing-used-invite');
    await firstScreen(late.window);
  });
});

describe('the first screen', () => {
  let alone: Page | null = null;

  it('can be gone through by keyboard alone, and shows itself at every size', { timeout: 90_000 }, async () => {
    const { window } = await open();
    await firstScreen(window);
    for (const look of ['dark', 'light'] as const)
      for (const [width, height] of [
        [1440, 900],
        [1024, 700],
      ] as const) {
        await seeAt(window, look, width, height);
        await accessible(window, `first-${look}-${width}`);
      }
    const focused = (): Promise<string> =>
      window.evaluate(() => {
        const { activeElement: at } = document;
        return (at instanceof HTMLInputElement ? at.labels?.[0]?.innerText : at?.textContent)?.trim() ?? '';
      });
    const tabTo = async (wanted: RegExp): Promise<void> => {
      for (let presses = 0; presses < 20; presses++) {
        if (wanted.test(await focused())) return;
        await window.keyboard.press('Tab');
      }
      throw new Error(`the keyboard does not come to ${wanted}`);
    };
    await tabTo(/^Name of this computer/);
    await tabTo(/^Name of the cluster/);
    await window.keyboard.press('ControlOrMeta+a');
    await window.keyboard.type('keys only');
    await tabTo(/^Only this computer/);
    await tabTo(/^Start the cluster$/);
    await window.keyboard.press('Enter');
    await overview(window);
    expect((await cluster(window)).name).toBe('keys only');
    alone = window;
  });

  it('a node that was closed is opened in Settings, goes on with its work, and is closed again', {
    timeout: 90_000,
  }, async () => {
    const window = alone!;
    const reach = window.getByRole('switch', { name: 'Other machines may reach this node' });
    const turn = async (button: string): Promise<void> => {
      await window.locator('a[title="Settings"]').click();
      await reach.click();
      await accessible(window, `reach-${button.toLowerCase().replaceAll(' ', '-')}`);
      await window.getByRole('button', { name: button }).click();
    };
    await window.locator('a[title="Nodes"]').click();
    await window.getByText('This node is open to this computer only').waitFor();
    await turn('Open it');
    await window.getByText(/It is reached at /).waitFor();
    expect(await reach.isChecked()).toBe(true);
    await accessible(window, 'reach-settings');
    // Its runner came back with it.
    await window.evaluate(() => {
      location.hash = '#/launch/examples/hello.sh';
    });
    await window.getByRole('button', { name: 'Launch', exact: true }).click();
    await window.getByText('succeeded').first().waitFor({ timeout: 30_000 });
    await turn('Close it');
    await window.getByText(/Nobody finds it/).waitFor();
    await expect.poll(() => reach.isChecked()).toBe(false);
  });
});
