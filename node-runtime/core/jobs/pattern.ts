/**
 * Regular expressions of parameters, matched in bounded time.
 *
 * A pattern comes from a job file and a value from whoever launches, so the
 * engine of the language, which may need for ever for some pairs, is not used.
 * This one follows all ways through the pattern at once: its cost is the
 * length of the value times the size of the pattern. It knows letters, `.`,
 * classes, `\d \w \s`, groups, `|` and the repetitions; no look-around and no
 * references back. The whole value has to match, as in an HTML form.
 */
type Test = (code: number) => boolean;
/** A place in the pattern: takes a character, or leads on to other places for nothing. */
type Place = { test: Test; next: number } | { ways: number[] };
/** A part of a pattern as a tree. */
type Part =
  | { kind: 'one'; test: Test }
  | { kind: 'all'; parts: Part[] }
  | { kind: 'any'; parts: Part[] }
  | { kind: 'repeat'; part: Part; least: number; most: number };

const PLACES_MAX = 500;
const REPEATS_MAX = 200;
const DEPTH_MAX = 30;
/** Empty groups make no places, but repeating them takes time too. */
const STEPS_MAX = 5_000;

/** Thrown and caught in this file only. */
class Wrong extends Error {}

export type Pattern = (value: string) => boolean;

/** The pattern as a test of whole values, or a sentence about what is wrong with it. */
export function readPattern(source: string): { matches: Pattern } | { mistake: string } {
  try {
    const places = compile(new PatternReader(source).read());
    return { matches: (value) => run(places, value) };
  } catch (wrong) {
    if (wrong instanceof Wrong) return { mistake: wrong.message };
    throw wrong;
  }
}

// ----------------------------------------------------------------- reading

const shorthand: Record<string, Test> = {
  d: (code) => code >= 48 && code <= 57,
  w: (code) => (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95,
  s: (code) => (code >= 9 && code <= 13) || code === 32 || code === 160,
};
const controls: Record<string, number> = { n: 10, r: 13, t: 9, f: 12, v: 11 };

class PatternReader {
  readonly #text: string[];
  #at = 0;

  constructor(source: string) {
    let text = source;
    if (text.startsWith('^')) text = text.slice(1);
    if (text.endsWith('$') && !text.endsWith('\\$')) text = text.slice(0, -1);
    this.#text = [...text];
  }

  read(): Part {
    const part = this.#choice(0);
    if (this.#at < this.#text.length) throw new Wrong('A parenthesis is closed that was not opened.');
    return part;
  }

  #choice(depth: number): Part {
    if (depth > DEPTH_MAX) throw new Wrong('The groups are nested too deeply.');
    const parts = [this.#sequence(depth)];
    while (this.#take('|')) parts.push(this.#sequence(depth));
    return parts.length === 1 ? parts[0]! : { kind: 'any', parts };
  }

  #sequence(depth: number): Part {
    const parts: Part[] = [];
    while (this.#at < this.#text.length && this.#text[this.#at] !== '|' && this.#text[this.#at] !== ')') {
      parts.push(this.#repeated(this.#single(depth)));
    }
    return { kind: 'all', parts };
  }

  #single(depth: number): Part {
    const character = this.#text[this.#at++]!;
    switch (character) {
      case '(':
        return this.#group(depth);
      case '[':
        return { kind: 'one', test: this.#class() };
      case '.':
        return { kind: 'one', test: (code) => code !== 10 && code !== 13 };
      case '\\':
        return { kind: 'one', test: this.#escaped() };
      case '^':
      case '$':
        throw new Wrong(
          `${character} is only known at the ${character === '^' ? 'beginning' : 'end'}; the whole value has to match anyway.`,
        );
      case '*':
      case '+':
      case '?':
      case '{':
        throw new Wrong(`There is nothing before ${character} that it could repeat.`);
    }
    return { kind: 'one', test: exactly(character.codePointAt(0)!) };
  }

  #group(depth: number): Part {
    if (this.#take('?') && !this.#take(':')) throw new Wrong('Look-around and named groups are not known here.');
    const part = this.#choice(depth + 1);
    if (!this.#take(')')) throw new Wrong('A parenthesis is not closed.');
    return part;
  }

  #repeated(part: Part): Part {
    const [least, most] = this.#repetition() ?? [1, 1];
    if (this.#repetition()) throw new Wrong('A repetition of a repetition means nothing: use a group.');
    return least === 1 && most === 1 ? part : { kind: 'repeat', part, least, most };
  }

  #repetition(): [number, number] | null {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.#take('?')) return [0, 1];
    if (!this.#take('{')) return null;
    const close = this.#text.indexOf('}', this.#at);
    const match = /^(\d{1,4})(,)?(\d{1,4})?$/.exec(close < 0 ? '' : this.#text.slice(this.#at, close).join(''));
    if (!match) throw new Wrong('A repetition is written {3}, {3,} or {3,5}.');
    this.#at = close + 1;
    const least = Number(match[1]);
    const most = match[3] !== undefined ? Number(match[3]) : match[2] === undefined ? least : Number.POSITIVE_INFINITY;
    if (least > REPEATS_MAX || (most !== Number.POSITIVE_INFINITY && most > REPEATS_MAX)) {
      throw new Wrong(`At most ${REPEATS_MAX} repetitions can be counted.`);
    }
    if (most < least) throw new Wrong('A repetition ends before it begins.');
    return [least, most];
  }

  #class(): Test {
    const negated = this.#take('^');
    const tests: Test[] = [];
    while (!this.#take(']')) {
      if (this.#at >= this.#text.length) throw new Wrong('A class [ … ] is not closed.');
      tests.push(this.#classMember());
    }
    return (code) => tests.some((test) => test(code)) !== negated;
  }

  #classMember(): Test {
    const first = this.#classCharacter();
    if (typeof first === 'function') return first;
    if (this.#text[this.#at] !== '-' || this.#text[this.#at + 1] === ']') return exactly(first);
    this.#at++;
    if (this.#at >= this.#text.length) throw new Wrong('A class [ … ] is not closed.');
    const last = this.#classCharacter();
    if (typeof last === 'function' || last < first) throw new Wrong('A range in a class [ … ] is the wrong way round.');
    return (code) => code >= first && code <= last;
  }

  #classCharacter(): number | Test {
    const character = this.#text[this.#at++]!;
    if (character !== '\\') return character.codePointAt(0)!;
    const letter = this.#text[this.#at];
    if (letter !== undefined && Object.hasOwn(controls, letter)) {
      this.#at++;
      return controls[letter]!;
    }
    if (letter !== undefined && !/[a-zA-Z0-9]/.test(letter)) {
      this.#at++;
      return letter.codePointAt(0)!;
    }
    return this.#escaped();
  }

  #escaped(): Test {
    const letter = this.#text[this.#at++];
    if (letter === undefined) throw new Wrong('It ends with a lone \\.');
    if (Object.hasOwn(shorthand, letter)) return shorthand[letter]!;
    const small = letter.toLowerCase();
    if (Object.hasOwn(shorthand, small)) return (code) => !shorthand[small]!(code);
    if (Object.hasOwn(controls, letter)) return exactly(controls[letter]!);
    if (/[a-zA-Z0-9]/.test(letter)) throw new Wrong(`\\${letter} is not known here.`);
    return exactly(letter.codePointAt(0)!);
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }
}

const exactly =
  (wanted: number): Test =>
  (code) =>
    code === wanted;

// ---------------------------------------------------------------- matching

/** Places end to start: place 0 is the end, the last one the start. */
function compile(part: Part): Place[] {
  const places: Place[] = [{ ways: [] }];
  const add = (place: Place): number => {
    if (places.length >= PLACES_MAX) throw new Wrong('The pattern is too large.');
    return places.push(place) - 1;
  };
  let steps = 0;
  const before = (one: Part, next: number): number => {
    if (++steps > STEPS_MAX) throw new Wrong('The pattern is too large.');
    switch (one.kind) {
      case 'one':
        return add({ test: one.test, next });
      case 'all':
        return one.parts.reduceRight((after, inner) => before(inner, after), next);
      case 'any':
        return add({ ways: one.parts.map((inner) => before(inner, next)) });
      case 'repeat':
        return beforeRepeat(one, next);
    }
  };
  const beforeRepeat = ({ part: inner, least, most }: Part & { kind: 'repeat' }, next: number): number => {
    let start = next;
    if (most === Number.POSITIVE_INFINITY) {
      const loop: { ways: number[] } = { ways: [next] };
      start = add(loop);
      loop.ways.unshift(before(inner, start));
    } else {
      for (let count = least; count < most; count++) start = add({ ways: [before(inner, start), next] });
    }
    for (let count = 0; count < least; count++) start = before(inner, start);
    return start;
  };
  const start = before(part, 0);
  add({ ways: [start] });
  return places;
}

function run(places: Place[], value: string): boolean {
  let reached = new Set<number>();
  reach(places, places.length - 1, reached);
  for (const character of value) {
    const code = character.codePointAt(0)!;
    const next = new Set<number>();
    for (const at of reached) {
      const place = places[at]!;
      if ('test' in place && place.test(code)) reach(places, place.next, next);
    }
    if (next.size === 0) return false;
    reached = next;
  }
  return reached.has(0);
}

function reach(places: Place[], from: number, reached: Set<number>): void {
  const waiting = [from];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    if (reached.has(at)) continue;
    reached.add(at);
    const place = places[at]!;
    if ('ways' in place) waiting.push(...place.ways);
  }
}
