/**
 * Drops files of this computer on an element, as a person would from a file
 * manager. Goes through the browser itself, so the page gets real File objects
 * with paths behind them; works on the desktop program and in plain Chromium.
 */
import type { Page } from 'playwright-core';

/** `files` are absolute paths of files or folders. The element has to be in view. */
export async function dropFiles(page: Page, selector: string, files: string[]): Promise<void> {
  const element = page.locator(selector).first();
  await element.scrollIntoViewIfNeeded();
  const box = await element.boundingBox();
  if (!box) throw new Error(`${selector} is not visible, nothing can be dropped on it`);
  const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const devtools = await page.context().newCDPSession(page);
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await devtools.send('Input.dispatchDragEvent', { type, ...at, data });
  await devtools.detach();
}
