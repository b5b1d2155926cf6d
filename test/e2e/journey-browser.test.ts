/** The main job in a browser: a real node over HTTPS, signed in by its one-time link. */
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RealNode } from '../support/real-node.ts';
import { mainJourney } from './support/journey.ts';

let node: RealNode;
beforeAll(async () => {
  node = await (await RealNode.found()).start(['--listen', '127.0.0.1:0']);
});
afterAll(async () => {
  await node?.remove();
});

for (const [colorScheme, size] of [
  ['dark', { width: 1440, height: 900 }],
  ['light', { width: 1024, height: 700 }],
] as const) {
  it(`a person drops, launches, reads and finds a job again (${colorScheme}, ${size.width})`, {
    timeout: 90_000,
  }, async () => {
    const browser = await chromium.launch({
      executablePath: process.env['BINNACLE_CHROMIUM'] ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu'],
    });
    try {
      const context = await browser.newContext({ ignoreHTTPSErrors: true, colorScheme, viewport: size });
      const page = await context.newPage();
      const troubles: string[] = [];
      page.on('pageerror', (error) => troubles.push(error.message));
      page.on('console', (message) => {
        if (/Content Security Policy|TrustedHTML|TrustedScript/i.test(message.text())) troubles.push(message.text());
      });
      const { code } = await node.must<{ code: string }>('POST', '/api/v1/sign-in-links', {});
      await page.goto(`${node.running()!.url}/#/link/${code}`);
      await page.getByRole('heading', { name: 'All is well' }).waitFor();
      await mainJourney(page, `browser-${colorScheme}`);
      expect(troubles).toEqual([]);
    } finally {
      await browser.close();
      // The other size begins where this one did.
      await node.ask('DELETE', '/api/v1/sandboxes/work');
    }
  });
}
