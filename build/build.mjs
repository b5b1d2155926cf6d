/**
 * Builds everything into dist/: the page by Vite, the Electron shell and the
 * node runtime by Rolldown. Takes about a second, so there is no watching and
 * no partial build. `--if-needed` builds only when a source is newer than the
 * last build.
 */
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { build as buildPage } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = path.join(root, 'dist', 'built');
const sources = ['node-runtime', 'electron', 'renderer', 'build', 'package.json', 'package-lock.json'];
const external = ['electron', 'better-sqlite3', /^node:/];

/** Newest change under a path, in ms. */
function newest(at) {
  const found = statSync(at);
  if (!found.isDirectory()) return found.mtimeMs;
  return Math.max(found.mtimeMs, ...readdirSync(at).map((name) => newest(path.join(at, name))));
}

export const isBuilt = () =>
  existsSync(stamp) && sources.every((name) => newest(path.join(root, name)) <= statSync(stamp).mtimeMs);

async function bundle(input, output) {
  const made = await rolldown({
    cwd: root,
    input,
    platform: 'node',
    external,
    logLevel: 'warn',
    transform: { target: 'node22' },
  });
  await made.write({ sourcemap: true, ...output });
  await made.close();
}

export async function buildAll() {
  const begun = performance.now();
  rmSync(path.join(root, 'dist'), { recursive: true, force: true });
  await Promise.all([
    bundle(
      {
        main: 'node-runtime/main.ts',
        embedded: 'node-runtime/embedded.ts',
        runner: 'node-runtime/io/process/runner.ts',
        masker: 'node-runtime/io/process/masker.ts',
        'journal-worker': 'node-runtime/io/journal/worker.ts',
        'mdns-js-worker': 'node-runtime/io/discovery/mdns-js-worker.ts',
      },
      { dir: 'dist/runtime', format: 'esm', entryFileNames: '[name].js', chunkFileNames: '[name].js' },
    ),
    bundle('electron/main.ts', { file: 'dist/electron/main.js', format: 'esm' }),
    bundle('electron/preload.ts', { file: 'dist/electron/preload.cjs', format: 'cjs' }),
    buildPage({ root: path.join(root, 'renderer'), logLevel: 'warn' }),
  ]);
  writeFileSync(stamp, new Date().toISOString());
  console.log(`built in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (!process.argv.includes('--if-needed') || !isBuilt()) await buildAll();
}
