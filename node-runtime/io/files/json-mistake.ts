/**
 * Where a text stops being JSON. The parser of the language says whether, but
 * not always where; this only walks, builds nothing and needs one pass.
 */
export type JsonMistake = { offset: number; sentence: string; hint?: string };

const space = /[ \t\r\n]*/y;
const token =
  /"[^"\\\n\r\t]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\n\r\t]*)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[[\]{},:]/y;

/** What may come next. `first`: a closing bracket may come too. */
type Wanted = 'value' | 'firstValue' | 'nextValue' | 'key' | 'firstKey' | 'colon' | 'comma' | 'end';

/** The first mistake, or null for JSON. Offsets count from 0. */
export function jsonMistake(text: string): JsonMistake | null {
  try {
    JSON.parse(text);
    return null;
  } catch {
    return (
      walk(text) ?? { offset: 0, sentence: 'This is not JSON: it holds a character that has to be written with \\.' }
    );
  }
}

function walk(text: string): JsonMistake | null {
  const open: ('[' | '{')[] = [];
  let wanted: Wanted = 'value';
  let at = 0;
  for (;;) {
    at = after(space, text, at) ?? at;
    if (at >= text.length)
      return wanted === 'end' ? null : { offset: at, sentence: 'This is not JSON: the text ends too early.' };
    const end = after(token, text, at);
    if (end === null) return stray(text, at);
    const next = text.slice(at, at + 1);
    const follows: Wanted | null = step(wanted, next, open);
    if (follows === null) return misplaced(wanted, next, at);
    wanted = follows;
    at = end;
  }
}

function after(pattern: RegExp, text: string, at: number): number | null {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : null;
}

/** What is wanted after a token that begins with `next`; null when it can't stand here. */
function step(wanted: Wanted, next: string, open: ('[' | '{')[]): Wanted | null {
  const inside = () => (open.length === 0 ? 'end' : 'comma');
  if (next === ']' || next === '}') {
    const fits = wanted === 'comma' || wanted === (next === ']' ? 'firstValue' : 'firstKey');
    if (!fits || open.pop() !== (next === ']' ? '[' : '{')) return null;
    return inside();
  }
  if (next === ',') return wanted === 'comma' ? (open.at(-1) === '[' ? 'nextValue' : 'key') : null;
  if (next === ':') return wanted === 'colon' ? 'value' : null;
  if (wanted === 'key' || wanted === 'firstKey') return next === '"' ? 'colon' : null;
  if (wanted !== 'value' && wanted !== 'firstValue' && wanted !== 'nextValue') return null;
  if (next !== '[' && next !== '{') return inside();
  open.push(next);
  return next === '[' ? 'firstValue' : 'firstKey';
}

function stray(text: string, at: number): JsonMistake {
  if (text[at] === '"')
    return {
      offset: at,
      sentence: 'This is not JSON: this text is not closed, or holds a character that has to be written with \\.',
    };
  if (text[at] === "'") return { offset: at, sentence: 'This is not JSON: texts stand in double quotes.' };
  if (text[at] === '/' || text[at] === '#')
    return { offset: at, sentence: 'This is not JSON: it has no comments.', hint: 'A *.job.yaml file may have some.' };
  return {
    offset: at,
    sentence: `This is not JSON: ${String.fromCodePoint(text.codePointAt(at)!)} cannot stand here.`,
  };
}

function misplaced(wanted: Wanted, next: string, at: number): JsonMistake {
  const isClosing = next === ']' || next === '}';
  if (isClosing && (wanted === 'nextValue' || wanted === 'key')) {
    return { offset: at, sentence: `This is not JSON: there is a comma before ${next}`, hint: 'Take the comma out.' };
  }
  const words: Record<Wanted, string> = {
    value: 'a value is missing',
    firstValue: 'a value is missing',
    nextValue: 'a value is missing',
    key: 'a name in double quotes is missing',
    firstKey: 'a name in double quotes is missing',
    colon: 'a colon is missing',
    comma: 'a comma is missing',
    end: 'there is something after its end',
  };
  return { offset: at, sentence: `This is not JSON: ${words[wanted]} before ${next}` };
}
