/**
 * Every rule that PROTOCOL.md says is built is named in a comment of the core
 * and in at least one test, and no code names a rule that does not exist.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (name) => readFileSync(path.join(root, name), 'utf8');
const under = (folder) =>
  readdirSync(path.join(root, folder), { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(path.join(folder, name)))
    .join('\n');

const text = read('PROTOCOL.md');
const rules = new Set([...text.matchAll(/\*\*(P\d+)\*\*/g)].map((match) => match[1]));
const built = /<!-- built -->(.*)<!-- \/built -->/s.exec(text)[1].trim().split(/\s+/);
const core = under('node-runtime/core');
const tests = under('test/unit') + under('test/io');
const named = (rule, where) => new RegExp(`\\b${rule}\\b`).test(where);

const wrong = [];
for (const rule of built) {
  if (!rules.has(rule)) wrong.push(`${rule} is called built, but PROTOCOL.md has no such rule`);
  if (!named(rule, core)) wrong.push(`${rule} is named in no comment of node-runtime/core`);
  if (!named(rule, tests)) wrong.push(`${rule} is named in no test`);
}
for (const [, rule] of core.matchAll(/\b(P\d{1,2})\b/g))
  if (!rules.has(rule)) wrong.push(`the core names ${rule}, which PROTOCOL.md does not have`);
console.log(wrong.length === 0 ? `${built.length} rules are named in core and tests` : wrong.join('\n'));
process.exit(wrong.length === 0 ? 0 : 1);
