/**
 * The small language of `if` and of `${{ … }}`: text → tree.
 *
 *     tasks.load.state == 'failed' && params.full || always()
 *
 * It has no loops, no assignments and no way to reach anything but parameters
 * and results, so evaluating it always ends. Length and depth are bounded.
 * Whether the names in it exist is checked in check.ts; what it means, in
 * evaluate.ts. A mistake names its place, counted from 0 in the text.
 */
import { limits } from '../../contract/limits.ts';
import { didYouMean } from './similar-name.ts';

export type Literal = string | number | boolean | null;
export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=';
export type Expression = { at: number; end: number } & (
  | { kind: 'literal'; value: Literal }
  | { kind: 'parameter'; name: string }
  | { kind: 'result'; task: string; field: 'state' | 'exit_code' }
  | { kind: 'call'; name: FunctionName; parts: Expression[] }
  | { kind: 'not'; part: Expression }
  | { kind: 'and' | 'or'; parts: Expression[] }
  | { kind: 'compare'; operator: Comparison; left: Expression; right: Expression }
);
export type Mistake = { at: number; sentence: string; hint?: string };

/** Functions and how many values they take. */
export const functions = {
  success: 0,
  failure: 0,
  always: 0,
  cancelled: 0,
  contains: 2,
  starts_with: 2,
  ends_with: 2,
} as const;
export type FunctionName = keyof typeof functions;

const DEPTH_MAX = 40;

/** Thrown and caught in this file only. */
class Stop extends Error {
  readonly mistake: Mistake;
  constructor(mistake: Mistake) {
    super(mistake.sentence);
    this.mistake = mistake;
  }
}

export function parseExpression(text: string): { expression: Expression } | { mistake: Mistake } {
  if (text.length > limits.expressionCharsMax) {
    return { mistake: { at: 0, sentence: `An expression may have at most ${limits.expressionCharsMax} characters.` } };
  }
  try {
    const reader = new Reader(tokensOf(text), text.length);
    const expression = reader.or(0);
    reader.expectEnd();
    return { expression };
  } catch (stop) {
    if (stop instanceof Stop) return { mistake: stop.mistake };
    throw stop;
  }
}

/** Every node of the tree, once. */
export function* partsOf(expression: Expression): Generator<Expression> {
  yield expression;
  switch (expression.kind) {
    case 'call':
    case 'and':
    case 'or':
      for (const part of expression.parts) yield* partsOf(part);
      break;
    case 'not':
      yield* partsOf(expression.part);
      break;
    case 'compare':
      yield* partsOf(expression.left);
      yield* partsOf(expression.right);
      break;
  }
}

// ----------------------------------------------------------------- tokens

type Token = { at: number; end: number; text: string; kind: 'name' | 'number' | 'string' | 'sign' };

const tokenPattern =
  /(?<space>\s+)|(?<number>-?\d+(?:\.\d+)?(?![\w.-]))|(?<name>[A-Za-z_0-9][\w-]*)|(?<sign>==|!=|<=|>=|&&|\|\||[<>!().,])/y;

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const quote = text[at];
    if (quote === "'" || quote === '"') {
      const token = stringToken(text, at, quote);
      tokens.push(token);
      at = token.end;
      continue;
    }
    tokenPattern.lastIndex = at;
    const match = tokenPattern.exec(text);
    if (!match) throw new Stop(strayCharacter(text, at));
    const end = at + match[0].length;
    const { number, name, space } = match.groups!;
    if (space === undefined) {
      tokens.push({
        at,
        end,
        text: match[0],
        kind: number !== undefined ? 'number' : name !== undefined ? 'name' : 'sign',
      });
    }
    at = end;
  }
  return tokens;
}

/** Quotes inside are doubled: 'it''s'. */
function stringToken(text: string, at: number, quote: string): Token {
  let value = '';
  for (let end = at + 1; end < text.length; end++) {
    if (text[end] !== quote) value += text[end];
    else if (text[end + 1] === quote) value += text[end++];
    else return { at, end: end + 1, text: value, kind: 'string' };
  }
  throw new Stop({ at, sentence: `The text that begins with ${quote} has no end.`, hint: `Close it with ${quote}.` });
}

function strayCharacter(text: string, at: number): Mistake {
  const found = String.fromCodePoint(text.codePointAt(at)!);
  if (found === '=') return { at, sentence: 'A single = compares nothing.', hint: 'Write ==' };
  if (found === '&' || found === '|') {
    return { at, sentence: `A single ${found} means nothing here.`, hint: `Write ${found}${found}` };
  }
  return { at, sentence: `${found} means nothing in an expression.` };
}

// ------------------------------------------------------------------- tree

class Reader {
  readonly #tokens: Token[];
  readonly #end: number;
  #next = 0;

  constructor(tokens: Token[], end: number) {
    this.#tokens = tokens;
    this.#end = end;
  }

  or(depth: number): Expression {
    return this.#chain('||', 'or', () => this.#and(depth));
  }

  #and(depth: number): Expression {
    return this.#chain('&&', 'and', () => this.#comparison(depth));
  }

  #chain(sign: string, kind: 'and' | 'or', read: () => Expression): Expression {
    const first = read();
    if (!this.#isSign(sign)) return first;
    const parts = [first];
    while (this.#take(sign)) parts.push(read());
    return { kind, parts, at: first.at, end: parts.at(-1)!.end };
  }

  #comparison(depth: number): Expression {
    const left = this.#unary(depth);
    const sign = this.#tokens[this.#next];
    if (sign?.kind !== 'sign' || !['==', '!=', '<', '<=', '>', '>='].includes(sign.text)) return left;
    this.#next++;
    const right = this.#unary(depth);
    return { kind: 'compare', operator: sign.text as Comparison, left, right, at: left.at, end: right.end };
  }

  #unary(depth: number): Expression {
    const { at } = this.#peek();
    if (depth > DEPTH_MAX) throw new Stop({ at, sentence: 'This expression is nested too deeply.' });
    if (!this.#take('!')) return this.#primary(depth);
    const part = this.#unary(depth + 1);
    return { kind: 'not', part, at, end: part.end };
  }

  #primary(depth: number): Expression {
    const token = this.#tokens[this.#next];
    if (!token)
      throw new Stop({ at: this.#end, sentence: 'The expression ends too early.', hint: 'A value is missing here.' });
    this.#next++;
    const { at, end } = token;
    if (token.kind === 'string') return { kind: 'literal', value: token.text, at, end };
    if (token.kind === 'number') return { kind: 'literal', value: Number(token.text), at, end };
    if (token.kind === 'name') return this.#named(token, depth);
    if (token.text !== '(') throw new Stop({ at, sentence: `A value is missing before ${token.text}` });
    const inner = this.or(depth + 1);
    this.#expect(')', 'An opening parenthesis is not closed.');
    return inner;
  }

  #named(token: Token, depth: number): Expression {
    const { at, end, text } = token;
    if (text === 'true' || text === 'false') return { kind: 'literal', value: text === 'true', at, end };
    if (text === 'null') return { kind: 'literal', value: null, at, end };
    if (this.#isSign('(')) return this.#call(token, depth);
    if (text === 'params') {
      const name = this.#field('params.NAME');
      return { kind: 'parameter', name: name.text, at, end: name.end };
    }
    if (text === 'tasks') return this.#result(at);
    const known = [...Object.keys(functions), 'params', 'tasks', 'true', 'false'];
    const hint = Object.hasOwn(functions, text)
      ? `Write ${text}()`
      : (didYouMean(text, known) ?? `Write params.${text} for a parameter, '${text}' for a text.`);
    throw new Stop({ at, sentence: `${text} is not known here.`, hint });
  }

  #result(at: number): Expression {
    const task = this.#field('tasks.ID.state');
    const field = this.#field('tasks.ID.state');
    if (field.text !== 'state' && field.text !== 'exit_code') {
      const hint = didYouMean(field.text, ['state', 'exit_code']) ?? 'A task has state and exit_code.';
      throw new Stop({ at: field.at, sentence: `A task has no ${field.text}.`, hint });
    }
    return { kind: 'result', task: task.text, field: field.text, at, end: field.end };
  }

  #field(form: string): Token {
    this.#expect('.', `A dot is missing: ${form}`);
    const token = this.#tokens[this.#next];
    if (token?.kind !== 'name' && token?.kind !== 'number') {
      throw new Stop({ at: this.#peek().at, sentence: `A name is missing: ${form}` });
    }
    this.#next++;
    return token;
  }

  #call(token: Token, depth: number): Expression {
    const name = token.text;
    if (!Object.hasOwn(functions, name)) {
      const hint = didYouMean(name, Object.keys(functions)) ?? `There are ${Object.keys(functions).join(', ')}.`;
      throw new Stop({ at: token.at, sentence: `There is no function ${name}.`, hint });
    }
    this.#next++;
    const parts: Expression[] = [];
    while (this.#tokens[this.#next] && !this.#isSign(')')) {
      if (parts.length > 0) this.#expect(',', 'A comma is missing here, or a closing parenthesis.');
      parts.push(this.or(depth + 1));
    }
    const { end } = this.#expect(')', 'A closing parenthesis is missing.');
    const wanted = functions[name as FunctionName];
    if (parts.length !== wanted) {
      const sentence = `${name} takes ${wanted === 0 ? 'no values' : `${wanted} values`}, not ${parts.length}.`;
      throw new Stop({ at: token.at, sentence });
    }
    return { kind: 'call', name: name as FunctionName, parts, at: token.at, end };
  }

  expectEnd(): void {
    const token = this.#tokens[this.#next];
    if (!token) return;
    const sentence = token.text === ')' ? 'This parenthesis was never opened.' : 'An operator is missing before this.';
    throw new Stop({ at: token.at, sentence, hint: 'Join values by ==, !=, <, >, && or ||' });
  }

  #peek(): { at: number } {
    return this.#tokens[this.#next] ?? { at: this.#end };
  }

  #isSign(text: string): boolean {
    const token = this.#tokens[this.#next];
    return token?.kind === 'sign' && token.text === text;
  }

  #take(sign: string): boolean {
    if (!this.#isSign(sign)) return false;
    this.#next++;
    return true;
  }

  #expect(sign: string, sentence: string): Token {
    if (!this.#isSign(sign)) throw new Stop({ at: this.#peek().at, sentence });
    return this.#tokens[this.#next++]!;
  }
}
