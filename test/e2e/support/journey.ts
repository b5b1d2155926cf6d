/**
 * The main job as a person does it, on whatever page the console is in: makes
 * a sandbox, drops two files of which one has a mistake, launches the good one
 * with a parameter, reads its lines while it runs, finds it in the history.
 *
 * The same steps run in a browser and in the desktop program, each on a real
 * node. Waits are for what a person would wait for: words on the screen.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { dropFiles } from './drop-files.ts';

const good = `name: Count up
parameters:
  top: { type: integer, default: 3, minimum: 1, maximum: 60, label: Count to }
tasks:
  count:
    run: |
      i=0
      while [ "$i" -lt "\${{ params.top }}" ]; do
        i=$((i + 1))
        echo "number $i of \${{ params.top }}"
        sleep 0.3
      done
  done:
    needs: count
    run: echo "counted to \${{ params.top }}"
`;
const wrong = `name: Wrong
tasks:
  fetch:
    run: echo fetching
  load:
    needs: [fetsh]
    run: echo loading
`;

/** Screenshots go here when the variable is set; a person looks at them. */
const shots = process.env['BINNACLE_SHOTS'];
const shot = async (page: Page, name: string): Promise<void> => {
  if (shots) await page.screenshot({ path: path.join(shots, `${name}.png`) });
};

export async function mainJourney(page: Page, label: string): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'binnacle-drop-'));
  writeFileSync(path.join(folder, 'count.job.yaml'), good);
  writeFileSync(path.join(folder, 'wrong.job.yaml'), wrong);
  try {
    await page.locator('a[title="Sandboxes"]').click();
    await page.getByRole('button', { name: 'New', exact: true }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('work');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'work' }).waitFor();
    await shot(page, `${label}-1-empty-sandbox`);

    await dropFiles(page, '.zone', [path.join(folder, 'count.job.yaml'), path.join(folder, 'wrong.job.yaml')]);
    await page.getByRole('row', { name: /count\.job\.yaml.*2 tasks/ }).waitFor();
    // The mistake is shown where the file is listed, and with line and column where it is read.
    await page.getByRole('row', { name: /wrong\.job\.yaml.*line 6/ }).click();
    await page.getByText('6:13').waitFor();
    await shot(page, `${label}-2-wrong-file`);

    await page.getByRole('row', { name: /count\.job\.yaml/ }).click();
    await page
      .getByRole('link', { name: /Launch…/ })
      .or(page.getByRole('button', { name: /Launch…/ }))
      .first()
      .click();
    await page.getByRole('heading', { name: /Launch Count up/ }).waitFor();
    await page.getByLabel(/Count to/).fill('12');
    await shot(page, `${label}-3-launch`);
    await page.getByRole('button', { name: 'Launch', exact: true }).click();

    await page.getByRole('heading', { name: /Count up/ }).waitFor();
    const log = page.getByRole('log');
    await expect.poll(() => log.textContent(), { timeout: 20_000 }).toContain('number 2 of 12');
    // It is still running while its lines appear.
    expect(await page.locator('main').textContent()).toMatch(/of 2 tasks|running/);
    await shot(page, `${label}-4-running`);
    await page.getByText('succeeded').first().waitFor({ timeout: 30_000 });
    await shot(page, `${label}-5-ended`);

    await page.locator('a[title="Runs"]').click();
    await page.getByText('work/count.job.yaml').first().waitFor();
    await expect.poll(() => page.locator('main').textContent()).toContain('succeeded');
    await shot(page, `${label}-6-history`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
