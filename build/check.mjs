/**
 * `npm run check`: everything that is quick. Types zone by zone, style, import
 * rules, generated documents, protocol rules named in code, pure tests.
 * Stays under two minutes on two cores; CI runs the same.
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const at = (name) => path.join(root, 'node_modules', name);
const tsc = (zone) => [`types ${zone}`, at('typescript/bin/tsc'), '-p', zone, '--noEmit'];

export const steps = [
  tsc('node-runtime/core'),
  tsc('node-runtime'),
  tsc('electron'),
  tsc('test'),
  tsc('test/ui'),
  tsc('test/electron-double'),
  ['types renderer', at('svelte-check/bin/svelte-check'), '--tsconfig', 'renderer/tsconfig.json', '--fail-on-warnings'],
  ['style', at('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '.'],
  [
    'import rules',
    at('dependency-cruiser/bin/dependency-cruiser.mjs'),
    '--config',
    'build/rules/imports.mjs',
    'node-runtime',
    'electron',
    'renderer',
  ],
  ['documents are fresh', 'build/docs.ts', '--check'],
  ['rules are named', 'build/rules/protocol-rules.mjs'],
];
const quickTests = [
  'quick tests',
  at('vitest/vitest.mjs'),
  'run',
  '--config',
  'test/vitest.config.ts',
  'test/unit',
  'test/simulation',
  'test/scenarios',
];

function run([name, ...args]) {
  return new Promise((done) => {
    const begun = performance.now();
    const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, FORCE_COLOR: '0' } });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
    child.on('close', (code) => {
      const took = `${((performance.now() - begun) / 1000).toFixed(1)} s`;
      console.log(`${code === 0 ? '✓' : '✗'} ${name}  ${took}`);
      if (code !== 0) console.log(said.trimEnd());
      done({ name, ok: code === 0, said });
    });
  });
}

/** Runs the steps, two at a time. `npm test` runs all tests by itself and leaves them out here. */
export async function check({ tests }) {
  const waiting = tests ? [...steps, quickTests] : [...steps];
  const results = [];
  const lane = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) results.push(await run(next));
  };
  await Promise.all([lane(), lane()]);
  return results;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const failed = (await check({ tests: true })).filter((result) => !result.ok);
  console.log(failed.length === 0 ? 'all is well' : `failed: ${failed.map((result) => result.name).join(', ')}`);
  process.exit(failed.length === 0 ? 0 : 1);
}
