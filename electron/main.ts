/**
 * The desktop program: puts the parts of the shell together.
 *
 * The node runtime runs in a process of its own (`host/`), the console in a
 * sandboxed window (`window/`); this process only stands between them. What it
 * decides is decided by small pure functions beside it. `ready` is never
 * awaited at the top level: Electron waits for this file first.
 */

import { hostname } from 'node:os';
import path from 'node:path';
import { app, crashReporter } from 'electron';
import { startDesktop } from './desktop.ts';
import { guardContents } from './window/guard.ts';
import { registerScheme } from './window/scheme.ts';

app.enableSandbox();
crashReporter.start({ uploadToServer: false });
registerScheme();
guardContents();

if (app.requestSingleInstanceLock({ argv: process.argv.slice(1) })) {
  const dist = path.resolve(import.meta.dirname, '..');
  startDesktop({
    preload: path.join(dist, 'electron', 'preload.cjs'),
    pageFolder: path.join(dist, 'renderer'),
    runtimeFile: path.join(dist, 'runtime', 'embedded.js'),
    runnerFile: path.join(dist, 'runtime', 'runner.js'),
    nodeName: hostname(),
  });
} else app.exit(0);
