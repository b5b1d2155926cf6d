import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { play } from './play.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.txt'));

describe('the scenarios of the protocol', () => {
  it('are there for every row of section 16, and for nothing else', () => {
    const protocol = readFileSync(fileURLToPath(new URL('../../PROTOCOL.md', import.meta.url)), 'utf8');
    const section = protocol.slice(protocol.indexOf('## 16.'), protocol.indexOf('## 17.'));
    const rows = [...section.matchAll(/^\| S(\d+) \|/gm)].map(([, number]) => Number(number));
    expect(rows.length).toBeGreaterThan(40);
    const played = files.map((file) => Number(/^s(\d+)/.exec(file)?.[1]));
    expect([...new Set(played)].sort((a, b) => a - b)).toEqual(rows);
  });

  it.each(files)('%s', (file) => {
    const path = `${folder}${file}`;
    const text = readFileSync(path, 'utf8');
    const seen = play(text);
    expect(seen).not.toMatch(/^ {2}NO/m);
    if (process.env['REWRITE']) writeFileSync(path, seen);
    else expect(seen).toBe(text);
  });
});
