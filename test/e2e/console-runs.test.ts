/** Runs as people watch them in a browser, on a real node: output as it comes, cancelling, and a node that dies. */
import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hasEnded, RealNode } from '../support/real-node.ts';
import { accessible, go, launchChromium, type SignedIn, signIn } from './support/console-page.ts';

let node: RealNode;
let browser: Browser;
let first: SignedIn;
let page: Page;
const script = (name: string, lines: string[]): Promise<unknown> =>
  node.put('lab', name, ['#!/bin/sh', ...lines, ''].join('\n'), '?executable=1');
beforeAll(async () => {
  node = await (await RealNode.found()).start(['--listen', '127.0.0.1:0']);
  browser = await launchChromium();
  first = await signIn(browser, node);
  page = first.page;
  await node.must('POST', '/api/v1/sandboxes', { name: 'lab', kind: 'shared', description: '' });
});
afterAll(async () => {
  await browser?.close();
  await node?.remove();
});

it('opens the output of a long run at its end while it runs, and goes back to its beginning', {
  timeout: 60_000,
}, async () => {
  // 1.6 MB at once, then a line now and then.
  await script('chatty.sh', [
    'seq -f "early line %.0f" 1 100000',
    'i=0; while :; do i=$((i+1)); echo "late line $i"; sleep 0.2; done',
  ]);
  const run = await node.launch('lab', 'chatty.sh');
  await expect
    .poll(() => node.output(run.id, run.tasks[0]!.id, '?offset=-40').catch(() => ''), { timeout: 15_000 })
    .toContain('late');
  let begun = '';
  page.on('response', (answer) => {
    if (answer.url().includes('follow=1')) begun = answer.headers()['binnacle-log-offset'] ?? '';
  });
  await go(page, `#/runs/${run.id}`);
  const log = page.getByRole('log');
  await expect.poll(() => log.textContent()).toMatch(/late line \d+/);
  expect(Number(begun)).toBeGreaterThan(1_000_000);
  await page.getByText(/earlier ones not read/).waitFor();
  await accessible(page, 'run-live');
  const earlier = page.getByRole('button', { name: 'Show earlier output' });
  const readEarlier = async (): Promise<number> => {
    if (await earlier.isVisible()) await earlier.click({ timeout: 500 }).catch(() => undefined);
    return page.getByText(/earlier ones not read/).count();
  };
  // A megabyte at a time, until all is there.
  await expect.poll(readEarlier, { timeout: 15_000 }).toBe(0);
  await log.evaluate((box) => box.scrollTo(0, 0));
  await expect.poll(() => log.locator('.line > span:last-child').first().textContent()).toBe('early line 1');
  // It stays there while new lines come.
  const lines = page.getByText(/^[\d,]+ lines$/);
  const before = await lines.textContent();
  await expect.poll(() => lines.textContent()).not.toBe(before);
  expect(await log.evaluate((box) => box.scrollTop)).toBe(0);
  await node.must('POST', `/api/v1/runs/${run.id}/cancel`);
  await page.getByText('cancelled').first().waitFor();
});

it('shows times beside every line, colours that run on, and gives the whole output under a fitting name', async () => {
  await script('colours.sh', ['sleep 1', "printf 'plain\\n\\033[31mred\\nstill red\\n\\033[0mplain again\\n'"]);
  const run = await node.through('lab', 'colours.sh');
  await go(page, `#/runs/${run.id}`);
  const lines = page.getByRole('log').locator('.line');
  await expect.poll(() => lines.count()).toBe(4);
  await page.getByText('4 lines', { exact: true }).waitFor();
  const drawn = await lines.evaluateAll((all) =>
    all.map((one) => [one.children[1]?.className.split(' ')[0], one.children[1]?.textContent]),
  );
  expect(drawn).toEqual([
    ['plain', 'plain'],
    ['alarm', 'red'],
    ['alarm', 'still red'],
    ['plain', 'plain again'],
  ]);
  // Written a second after the start: the time is that of the writing, not of the start.
  const attempt = run.tasks[0]!.attempts[0]!;
  const said = await lines.first().locator('.time').textContent();
  expect(said).toMatch(/^\d\d:\d\d:\d\d\.\d{3}$/);
  const secondsOf = (clock: string): number => clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  const begun = new Date(Date.parse(attempt.startedAt!));
  const later = secondsOf(said!) - secondsOf(`${begun.getHours()}:${begun.getMinutes()}:${begun.getSeconds()}`);
  expect((later + 86_400) % 86_400).toBeGreaterThanOrEqual(1);
  await accessible(page, 'run-ended');

  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download the output' }).click(),
  ]);
  expect(file.suggestedFilename()).toBe(`colours.sh-${run.id}-${run.tasks[0]!.id}-1.log`);
  expect(readFileSync(await file.path(), 'utf8')).toBe(await node.output(run.id, run.tasks[0]!.id));
});

it('says one line, and draws a time line for a run of some milliseconds', async () => {
  await script('quick.sh', ['echo once']);
  const run = await node.through('lab', 'quick.sh');
  await go(page, `#/runs/${run.id}`);
  await page.getByText('1 line', { exact: true }).waitFor();
  expect(await page.locator('.axis').textContent()).toBe('0500 ms1.0 s');
  await page.getByText(/launched by this computer/).waitFor();
});

it('cancels a run only after asking, and says how it ended', { timeout: 60_000 }, async () => {
  await script('endless.sh', ['trap "echo asked to end; exit 3" TERM', 'echo begun', 'while :; do sleep 0.1; done']);
  const { id } = await node.launch('lab', 'endless.sh');
  await go(page, `#/runs/${id}`);
  await expect.poll(() => page.getByRole('log').textContent()).toContain('begun');
  await page.getByRole('button', { name: 'Cancel…' }).click();
  await page.getByRole('heading', { name: /Cancel endless/ }).waitFor();
  await accessible(page, 'cancel');
  await page.getByRole('button', { name: 'Let it run' }).click();
  expect(hasEnded(await node.run(id))).toBe(false);
  await page.getByRole('button', { name: 'Cancel…' }).click();
  await page.getByRole('button', { name: 'Cancel the run' }).click();
  await expect.poll(() => page.getByRole('log').textContent(), { timeout: 20_000 }).toContain('asked to end');
  expect((await node.until(id)).state).toBe('cancelled');
  await page.getByText('cancelled').first().waitFor();
  await expect.poll(() => page.getByRole('button', { name: 'Cancel…' }).count()).toBe(0);
});

it('says since when it is blind when the node is killed, and goes on by itself when it is back', {
  timeout: 90_000,
}, async () => {
  await script('steady.sh', ['i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo "tick $i"; sleep 0.1; done']);
  const { id } = await node.launch('lab', 'steady.sh');
  await go(page, `#/runs/${id}`);
  await expect.poll(() => page.getByRole('log').textContent()).toContain('tick 3');
  const port = new URL(node.running()!.url!).port;
  await node.kill();
  await page.getByText(/No news since/).waitFor();
  await accessible(page, 'blind');
  await node.start(['--listen', `127.0.0.1:${port}`]);
  await page.getByText(/No news since/).waitFor({ state: 'detached', timeout: 30_000 });
  // The same session, no sign-in; the run went on meanwhile and its lines follow without a gap.
  expect(await page.getByRole('form', { name: 'Sign in' }).count()).toBe(0);
  const ticks = async (): Promise<number[]> => {
    const lines = await page.getByRole('log').locator('.line > span:last-child').allTextContents();
    return lines.map((line) => Number(/^tick (\d+)$/.exec(line)?.[1]));
  };
  const before = (await ticks()).at(-1) ?? 0;
  await expect.poll(async () => (await ticks()).at(-1), { timeout: 20_000 }).toBeGreaterThan(before + 5);
  const seen = await ticks();
  expect(seen).toEqual(seen.map((_, i) => seen[0]! + i));
  await node.must('POST', `/api/v1/runs/${id}/cancel`);
});

it('nothing went wrong in the page on all these ways', () => {
  expect(first.troubles).toEqual([]);
});
