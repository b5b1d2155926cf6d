/**
 * Every rule of PROTOCOL.md is in force: listed in its head, named in a comment
 * of the core and in at least one test. Neither code nor tests name a rule that
 * does not exist. A range ("P12 to P16") names its two ends only.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (name) => readFileSync(path.join(root, name), 'utf8');
const under = (folder, endings = ['.ts']) =>
  readdirSync(path.join(root, folder), { recursive: true })
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .map((name) => read(path.join(folder, name)))
    .join('\n');

const testFolders = ['unit', 'io', 'simulation', 'scenarios', 'model', 'netns', 'node-simulation'];
const rulesIn = (text) => new Set([...text.matchAll(/\bP(\d{1,2})\b/g)].map((match) => match[0]));

const text = read('PROTOCOL.md');
const rules = new Set([...text.matchAll(/^- \*\*(P\d+)\*\*/gm)].map((match) => match[1]));
const listed = /<!-- built -->(.*)<!-- \/built -->/s.exec(text);
const built = new Set(listed?.[1].trim().split(/\s+/));
const core = rulesIn(under('node-runtime/core'));
const tests = rulesIn(testFolders.map((folder) => under(`test/${folder}`, ['.ts', '.txt'])).join('\n'));

const wrong = [];
if (!listed) wrong.push('PROTOCOL.md lists no rules between <!-- built --> and <!-- /built -->');
for (let number = 1; number <= rules.size; number++)
  if (!rules.has(`P${number}`)) wrong.push(`PROTOCOL.md has ${rules.size} rules and no P${number}`);
for (const rule of rules) if (!built.has(rule)) wrong.push(`${rule} is a rule and is not listed as built`);
for (const rule of built) {
  if (!rules.has(rule)) wrong.push(`${rule} is called built, but PROTOCOL.md has no such rule`);
  if (!core.has(rule)) wrong.push(`${rule} is named in no comment of node-runtime/core`);
  if (!tests.has(rule)) wrong.push(`${rule} is named in no test`);
}
for (const [where, named] of [
  ['the core', core],
  ['a test', tests],
])
  for (const rule of named) if (!rules.has(rule)) wrong.push(`${where} names ${rule}, which PROTOCOL.md does not have`);
for (const [, decision] of text.matchAll(/\bdecision (\d{4})\b/g))
  if (!readdirSync(path.join(root, 'docs/decisions')).some((name) => name.startsWith(`${decision}-`)))
    wrong.push(`PROTOCOL.md names decision ${decision}, which is not there`);
for (const [, link] of text.matchAll(/`((?:node-runtime|core|test|build|docs)\/[\w./-]+\.\w+)`/g))
  if (!existsSync(path.join(root, link)) && !existsSync(path.join(root, 'node-runtime', link)))
    wrong.push(`PROTOCOL.md names ${link}, which is not there`);
console.log(wrong.length === 0 ? `${built.size} rules are named in core and tests` : wrong.join('\n'));
process.exit(wrong.length === 0 ? 0 : 1);
