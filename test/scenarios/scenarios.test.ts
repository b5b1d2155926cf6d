import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { play } from './play.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.txt'));

describe('the scenarios of the protocol', () => {
  it.each(files)('%s', (file) => {
    const path = `${folder}${file}`;
    const text = readFileSync(path, 'utf8');
    const seen = play(text);
    expect(seen).not.toMatch(/^ {2}NO/m);
    if (process.env['REWRITE']) writeFileSync(path, seen);
    else expect(seen).toBe(text);
  });
});
