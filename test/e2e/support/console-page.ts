/**
 * A console on a real node, in Chromium over HTTPS: signed in by a one-time
 * link, and nothing wrong in the page is overlooked. Every screen that a
 * journey comes to can be checked for what people without a mouse or with a
 * screen reader need.
 */
import path from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';
import type { RealNode } from '../../support/real-node.ts';

export const launchChromium = (): Promise<Browser> =>
  chromium.launch({
    executablePath: process.env['BINNACLE_CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });

export type SignedIn = { page: Page; context: BrowserContext; troubles: string[] };
type Look = { theme?: 'dark' | 'light'; width?: number; height?: number };

/** A window of its own, with its own session. */
export async function signIn(browser: Browser, node: RealNode, look: Look = {}): Promise<SignedIn> {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    colorScheme: look.theme ?? 'dark',
    viewport: { width: look.width ?? 1440, height: look.height ?? 900 },
    reducedMotion: 'reduce',
    locale: 'en-GB',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const troubles: string[] = [];
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('console', (message) => {
    // A refused or failed request is the journey's own doing; everything else is ours.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      troubles.push(message.text());
  });
  const { code } = await node.must<{ code: string }>('POST', '/api/v1/sign-in-links', {});
  await page.goto(`${node.running()!.url}/#/link/${code}`);
  await page.getByRole('heading', { name: 'All is well' }).waitFor();
  return { page, context, troubles };
}

/** Goes to a screen by its address after the `#`. */
export const go = (page: Page, hash: string): Promise<void> =>
  page.evaluate((to) => {
    location.hash = to;
  }, hash);

/** A desktop window is as large as its system makes it; its page is looked at in the sizes and colours people have. */
export async function seeAt(page: Page, theme: 'dark' | 'light', width: number, height: number): Promise<void> {
  await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
  await page.setViewportSize({ width, height });
  await page.evaluate((look) => {
    document.documentElement.dataset['theme'] = look;
  }, theme);
}

/** Nothing on this screen stands in the way of anyone, and it is no wider than the window. */
export async function accessible(page: Page, name: string): Promise<void> {
  const found = await new AxeBuilder({ page })
    .setLegacyMode(true)
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'])
    .analyze();
  const wrong = found.violations.map((one) => ({
    screen: name,
    id: one.id,
    at: one.nodes.map((node) => `${node.target.join(' ')}: ${node.failureSummary}`),
  }));
  expect(wrong).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} fits`).toBe(true);
  const shots = process.env['BINNACLE_SHOTS'];
  if (shots) await page.screenshot({ path: path.join(shots, `console-${name}.png`) });
}
