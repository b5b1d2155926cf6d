/** The main job in the desktop program, on its embedded node, with the built program as it ships. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Desktop, launchDesktop } from './support/desktop.ts';
import { mainJourney } from './support/journey.ts';

let userData: string;
let desktop: Desktop;
beforeAll(async () => {
  userData = mkdtempSync(path.join(tmpdir(), 'bin-e2e-'));
  desktop = await launchDesktop({ userData });
});
afterAll(async () => {
  await desktop?.close();
  rmSync(userData, { recursive: true, force: true, maxRetries: 5 });
});

it('opens on its own node, with the example sandbox in it', { timeout: 60_000 }, async () => {
  const { window } = desktop;
  await window.getByRole('heading', { name: 'All is well' }).waitFor();
  await window.locator('a[title="Sandboxes"]').click();
  await window.getByText('examples').first().waitFor();
});

it('a person drops, launches, reads and finds a job again', { timeout: 90_000 }, async () => {
  await mainJourney(desktop.window, 'desktop');
});

it('closed and opened again, everything is still there', { timeout: 90_000 }, async () => {
  await desktop.close();
  desktop = await launchDesktop({ userData });
  const { window } = desktop;
  await window.locator('a[title="Runs"]').click();
  await window.getByText('work/count.job.yaml').first().waitFor();
  expect(await window.locator('main').textContent()).toContain('succeeded');
});
