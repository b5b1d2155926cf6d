/**
 * Loaded with --import: makes `electron` mean the double, for import and for
 * require, in the main process and (almost empty) in utility processes.
 */
import { registerHooks } from 'node:module';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';

const kind = process.env['ELECTRON_DOUBLE_PROCESS'] === 'utility' ? 'utility' : 'main';
const target = pathToFileURL(path.join(import.meta.dirname, `electron-${kind}.cjs`)).href;
const names = new Set(['electron', 'electron/main', 'electron/common', 'electron/utility']);

registerHooks({
  resolve(specifier, context, next) {
    if (!names.has(specifier)) return next(specifier, context);
    return { url: target, format: 'commonjs', shortCircuit: true };
  },
});
