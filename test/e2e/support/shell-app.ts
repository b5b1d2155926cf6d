/**
 * Builds the desktop shell alone into a fresh folder: our main and preload,
 * a bare page, and a stand-in for the runtime. So the shell's own promises are
 * proven without the node, and stay proven when the node changes.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('../../..', import.meta.url));

const page = `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><title>Shell</title><script type="module" src="/page.js"></script></head>
  <body><h1>Shell</h1><main id="drop" style="min-height: 300px">Drop here</main></body>
</html>
`;
const script = `
globalThis.opened = [];
globalThis.dropped = [];
window.binnacle.onOpen((opened) => globalThis.opened.push(opened));
const drop = document.querySelector('#drop');
drop.addEventListener('dragover', (event) => event.preventDefault());
drop.addEventListener('drop', (event) => {
  event.preventDefault();
  globalThis.dropped.push(...window.binnacle.pathsOf([...event.dataTransfer.files]));
});
`;

async function bundle(input: string, file: string, format: 'esm' | 'cjs'): Promise<void> {
  const made = await rolldown({
    cwd: root,
    input,
    platform: 'node',
    external: ['electron', /^node:/],
    logLevel: 'warn',
  });
  await made.write({ file, format });
  await made.close();
}

export type ShellApp = { folder: string; remove: () => void };

export async function buildShellApp(): Promise<ShellApp> {
  const folder = mkdtempSync(path.join(tmpdir(), 'shell-app-'));
  const dist = (...parts: string[]) => path.join(folder, 'dist', ...parts);
  mkdirSync(dist('renderer'), { recursive: true });
  writeFileSync(dist('renderer', 'index.html'), page);
  writeFileSync(dist('renderer', 'page.js'), script);
  const manifest = {
    name: 'binnacle',
    productName: 'Binnacle',
    version: '0.0.1',
    type: 'module',
    main: 'dist/electron/main.js',
  };
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest));
  writeFileSync(path.join(folder, 'secret.txt'), 'outside the page');
  await Promise.all([
    bundle('electron/main.ts', dist('electron', 'main.js'), 'esm'),
    bundle('electron/preload.ts', dist('electron', 'preload.cjs'), 'cjs'),
    bundle('test/e2e/support/stand-in/embedded.ts', dist('runtime', 'embedded.js'), 'esm'),
    bundle('test/e2e/support/stand-in/runner.ts', dist('runtime', 'runner.js'), 'esm'),
  ]);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
