/**
 * Reads YAML (and JSON, which is YAML too) into plain values that still know
 * where they stand. The only door of the `yaml` package.
 *
 * Knows nothing about jobs. Never throws and never takes long, whatever the
 * text: what could keep the parser busy is refused before it gets there, and
 * aliases that would make something huge of something small are refused after.
 */
import { type Document, isScalar, LineCounter, parseDocument, visit, type YAMLError } from 'yaml';
import type { Problem } from '../../contract/errors.ts';
import { limits } from '../../contract/limits.ts';
import { jsonMistake } from './json-mistake.ts';
import { refuseCostlyYaml } from './yaml-budget.ts';
import { type KeyPath, Positions } from './yaml-positions.ts';

/** A number that would read otherwise when it is passed on as text: 1.10 → 1.1. */
export type LossyNumber = { path: KeyPath; source: string; value: number };
export type YamlText = { value: unknown; positions: Positions; lossyNumbers: LossyNumber[] };

/** @param text without a byte order mark; its size is bounded by the caller. JSON has to be JSON, not only YAML. */
export function readYaml(text: string, isJson: boolean): YamlText | { problems: Problem[] } {
  const lines = linesOf(text);
  const costly = refuseCostlyYaml(text);
  if (costly) {
    const { line, col } = lines.linePos(costly.offset);
    return { problems: [{ path: '', line, column: col, sentence: costly.sentence, hint: costly.hint }] };
  }
  try {
    return parsed(text, isJson, lines);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // nested beyond what the program can follow
    return { problems: [{ path: '', line: 1, column: 1, sentence: 'This is nested too deeply.' }] };
  }
}

function parsed(text: string, isJson: boolean, lines: LineCounter): YamlText | { problems: Problem[] } {
  const mistake = isJson ? jsonMistake(text) : null;
  if (mistake) {
    const { offset, ...words } = mistake;
    const { line, col } = lines.linePos(offset);
    return { problems: [{ path: '', line, column: col, ...words }] };
  }
  const document = parseDocument(text, {
    prettyErrors: false,
    strict: true,
    uniqueKeys: true,
    version: '1.2',
    logLevel: 'error',
  });
  const positions = new Positions(text, document, lines);
  const problems = syntaxProblems(document, positions);
  if (problems.length > 0) return { problems };
  const read = plainValue(document);
  if ('sentence' in read) return { problems: [{ path: '', line: 1, column: 1, ...read }] };
  return { ...read, positions, lossyNumbers: lossyNumbersOf(document) };
}

/** The parser counts lines only on the way; this counts them all, so that every offset has a place. */
function linesOf(text: string): LineCounter {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
  return lines;
}

// ------------------------------------------------------------------ syntax

function syntaxProblems(document: Document, positions: Positions): Problem[] {
  return [...document.errors, ...document.warnings]
    .slice(0, limits.jobProblemsMax)
    .map((error) => ({ path: '', ...positions.at(error.pos[0]), ...syntaxWords(error) }));
}

function syntaxWords(error: YAMLError): { sentence: string; hint?: string } {
  switch (error.code as string) {
    case 'TAB_AS_INDENT':
      return { sentence: 'Tabs cannot indent in YAML.', hint: 'Use spaces.' };
    case 'DUPLICATE_KEY':
      return { sentence: 'This name stands here twice.', hint: 'Take one out, or give it another name.' };
    case 'BAD_INDENT':
      return {
        sentence: 'This line is not indented like its neighbours.',
        hint: 'Names of one map begin at the same column.',
      };
    case 'MISSING_CHAR':
      return { sentence: `Something is not closed: ${sentenceOf(error)}` };
    case 'MULTIPLE_DOCS':
      return {
        sentence: 'There is more than one document in this file.',
        hint: 'Take out the line --- and what follows, or make a second file.',
      };
    case 'BLOCK_AS_IMPLICIT_KEY':
      return { sentence: 'There are two colons in this line.', hint: 'Put a text that holds ": " in quotes.' };
    case 'MULTILINE_IMPLICIT_KEY':
      return { sentence: 'A name has no colon.', hint: 'Write name: value, each on a line of its own.' };
    case 'BAD_SCALAR_START':
      return { sentence: 'A text cannot begin with this character.', hint: 'Put the text in quotes.' };
    case 'RESOURCE_EXHAUSTION':
      return { sentence: 'This is nested too deeply.', hint: 'A few levels are enough.' };
    case 'UNEXPECTED_TOKEN':
      return {
        sentence: `This cannot stand here: ${sentenceOf(error)}`,
        hint: 'Put a text that holds { } [ ] or , in quotes.',
      };
    default:
      return { sentence: sentenceOf(error) };
  }
}

const sentenceOf = (error: Error): string => `${error.message.split('\n')[0]!.slice(0, 200)}.`;

// ------------------------------------------------------------------- values

/** Aliases are followed here; so are attempts to make something huge of something small. */
function plainValue(document: Document): { value: unknown } | { sentence: string; hint?: string } {
  if (document.contents === null)
    return { sentence: 'The file is empty.', hint: 'Begin with tasks: an id and, below it, run: …' };
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    const bomb = /resource exhaustion/.test(error.message);
    return {
      sentence: bomb ? 'Its aliases would make too much of it.' : sentenceOf(error),
      hint: 'Write the values out.',
    };
  }
  if (!fits(value, { left: 2 * limits.jobFileBytesMax })) {
    return { sentence: 'Its aliases would make too much of it.', hint: 'Write the values out.' };
  }
  return { value };
}

/** Does the value, with all aliases followed, stay within bounds? */
function fits(value: unknown, budget: { left: number }): boolean {
  budget.left -= typeof value === 'string' ? value.length + 1 : 1;
  if (budget.left < 0) return false;
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, inner]) => {
    budget.left -= key.length;
    return fits(inner, budget);
  });
}

// ------------------------------------------------------------------ numbers

function lossyNumbersOf(document: Document): LossyNumber[] {
  const found: LossyNumber[] = [];
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key === 'key' || typeof node.value !== 'number' || node.source === undefined) return;
      if (String(node.value) === node.source) return;
      const path = pathOf(key, ancestors);
      if (path) found.push({ path, source: node.source, value: node.value });
    },
  });
  return found;
}

/** The way of keys to a visited node; null when it has keys that are no plain names. */
function pathOf(key: unknown, ancestors: readonly unknown[]): KeyPath | null {
  const path: KeyPath = [];
  for (const [index, ancestor] of ancestors.entries()) {
    const child = ancestors[index + 1];
    if (typeof ancestor !== 'object' || ancestor === null) return null;
    if ('key' in ancestor) {
      if (!isScalar(ancestor.key)) return null;
      path.push(String(ancestor.key.value));
    } else if (
      'items' in ancestor &&
      Array.isArray(ancestor.items) &&
      'flow' in ancestor &&
      !(typeof child === 'object' && child && 'key' in child)
    ) {
      const at = child === undefined ? key : ancestor.items.indexOf(child);
      if (typeof at === 'number') path.push(at);
    }
  }
  return path;
}
