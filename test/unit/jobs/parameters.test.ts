/** Parameters: how they are declared, what may be given, and patterns in bounded time. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JobFile } from '../../../node-runtime/contract/job-file.ts';
import { bindParameters, fieldsOf } from '../../../node-runtime/core/jobs/parameters.ts';
import { readPattern } from '../../../node-runtime/core/jobs/pattern.ts';
import { spentMs } from '../../support/spent.ts';

const job: JobFile = {
  parameters: {
    day: { type: 'date', default: 'yesterday' },
    count: { type: 'integer', default: 5, minimum: 1, maximum: 9 },
    ratio: 0.5,
    site: { type: 'choice', options: ['north', 'south'], label: 'Site' },
    strict: false,
    note: { type: 'text', required: false },
    code: { type: 'string', pattern: '[A-Z]{2}\\d+', default: 'AB1' },
  },
  tasks: { a: { run: 'x' } },
};
const bind = (given: Record<string, string | number | boolean>) =>
  bindParameters(fieldsOf(job), given, { today: '2024-03-01', open: false });
const problems = (given: Record<string, string | number | boolean>) => {
  const bound = bind(given);
  return 'code' in bound
    ? bound.problems?.map((one) => `${one.path}: ${one.sentence}${one.hint ? ` ${one.hint}` : ''}`)
    : [];
};

describe('parameters', () => {
  test('take defaults, and types from what is given as text', () => {
    expect(bind({ site: 'north' })).toEqual({
      values: { day: '2024-02-29', count: 5, ratio: 0.5, site: 'north', strict: false, code: 'AB1' },
    });
    expect(bind({ site: 'south', count: '7', strict: 'true', day: 'tomorrow', note: 'a\nb', ratio: '1e-2' })).toEqual({
      values: { day: '2024-03-02', count: 7, ratio: 0.01, site: 'south', strict: true, note: 'a\nb', code: 'AB1' },
    });
  });

  test('a short declaration is a default with its type; nothing at all has to be given', () => {
    const fields = fieldsOf({ parameters: { a: 1, b: 1.5, c: true, d: 'x', e: null }, tasks: {} });
    expect(fields.map(({ type, required }) => [type, required])).toEqual([
      ['integer', false],
      ['number', false],
      ['boolean', false],
      ['string', false],
      ['string', true],
    ]);
  });

  test.each([
    [{}, 'parameters.site: Site has to be given.'],
    [{ site: '' }, 'parameters.site: Site has to be given.'],
    [{ site: 'nort' }, 'parameters.site: Site must be one of north, south. Did you mean north?'],
    [{ site: 'north', dya: 'today' }, 'parameters.dya: This job has no parameter dya. Did you mean day?'],
    [
      { site: 'north', day: '2024-02-30' },
      'parameters.day: day must be a date. Write YYYY-MM-DD, or today, yesterday, tomorrow.',
    ],
    [{ site: 'north', count: 10 }, 'parameters.count: count must be at most 9.'],
    [{ site: 'north', count: 1.5 }, 'parameters.count: count must be a whole number.'],
    [{ site: 'north', count: '0x3' }, 'parameters.count: count must be a number.'],
    [{ site: 'north', ratio: Number.NaN }, 'parameters.ratio: ratio must be a number.'],
    [{ site: 'north', strict: 'yes' }, 'parameters.strict: strict must be true or false.'],
    [{ site: 'north', code: 'ab1' }, 'parameters.code: code has to look like [A-Z]{2}\\d+'],
    [
      { site: 'north', code: 'AB1\n' },
      'parameters.code: code must be a single line. A parameter of type text may have several.',
    ],
    [{ site: 'north', note: 'a\0b' }, 'parameters.note: A value may not contain the character NUL.'],
    [{ site: 'north', note: 'x'.repeat(40_000) }, 'parameters.note: A value may have at most 32768 characters.'],
  ])('%j: %s', (given, expected) => {
    expect(problems(given)).toEqual([expected]);
  });

  test('all mistakes are told at once', () => {
    expect(bind({ count: 99, strict: 'no' })).toMatchObject({ code: 'parameters_wrong', problems: { length: 3 } });
  });

  test('of a script are open, but have to fit into an environment', () => {
    const open = (given: Record<string, string | number | boolean>) =>
      bindParameters([], given, { today: '2024-03-01', open: true });
    expect(open({ day: '2024-05-01', Any_1: 3, constructor: true })).toEqual({
      values: { day: '2024-05-01', Any_1: 3, constructor: true },
    });
    expect(open({ 'a b': 1, day: 1, DAY: 2, nul: '\0' })).toMatchObject({
      problems: [{ path: 'parameters.a b' }, { path: 'parameters.DAY' }, { path: 'parameters.nul' }],
    });
    expect(open(JSON.parse('{"__proto__": "x"}'))).toMatchObject({ code: 'parameters_wrong' });
  });
});

describe('a pattern', () => {
  const matches = (pattern: string, value: string) => {
    const read = readPattern(pattern);
    if ('mistake' in read) throw new Error(read.mistake);
    return read.matches(value);
  };

  test('means what the language means by it, for the whole value', () => {
    const patterns = [
      'abc',
      'a*',
      '(ab)+',
      'a|bc|',
      '[a-c]+',
      '[^a-c]',
      '\\d{2,3}',
      '\\d{2,}',
      '\\w+@\\w+',
      'a?b?c?',
      '(a|b)*c',
      '.',
      '(?:a(b)?){2}',
      '[\\d-]+',
      '^a$',
      '\\.',
      '[\\]]',
      '\\s',
      '\\D',
      '(a*)*b',
      '()',
      'x{0}',
    ];
    const values = [
      '',
      'a',
      'ab',
      'abc',
      'abab',
      'bc',
      'c',
      'd',
      '12',
      '123',
      '1234',
      'me@home',
      'aac',
      '1-2',
      '.',
      ']',
      ' ',
      '\n',
      'aaaa',
      'aab',
      'x',
    ];
    for (const pattern of patterns) {
      const expected = new RegExp(`^(?:${pattern.replace(/^\^|\$$/g, '')})$`);
      for (const value of values)
        expect(matches(pattern, value), `${pattern} on ${JSON.stringify(value)}`).toBe(expected.test(value));
    }
  });

  test.each([
    '(',
    ')',
    '[a',
    'a{2',
    '*a',
    'a**',
    '(?=a)',
    '(?<n>a)',
    '\\1',
    '\\b',
    'a{3,2}',
    'a{999}',
    '[z-a]',
    'a^b',
    '\\',
    '((((a{200}){200}){200}){200})',
    '(((((){200}){200}){200}){200}){200}',
  ])('%s cannot be read', (pattern) => {
    expect(readPattern(pattern)).toMatchObject({ mistake: expect.stringMatching(/\S/) });
  });

  test('that takes an ordinary engine for ever is decided in time', () => {
    const evil = ['(a+)+b', '(a|a)*b', '(a*)*b', 'a*a*a*a*a*a*a*b', '(a|aa)+b', '(.*)*(.*)*b', '(a?){100}a{100}b'];
    for (const pattern of evil) {
      const start = spentMs();
      expect(matches(pattern, 'a'.repeat(32_768))).toBe(false);
      expect(spentMs() - start, pattern).toBeLessThan(5_000);
    }
  });

  test('of any shape gets an answer', () => {
    const check = fc.property(
      fc.array(fc.constantFrom(...'ab(|)*+?{}[]^$.\\d1,-w'), { maxLength: 20 }),
      fc.string({ maxLength: 20 }),
      (pattern, value) => {
        const read = readPattern(pattern.join(''));
        if ('matches' in read) expect([true, false]).toContain(read.matches(value));
        else expect(read.mistake).toMatch(/\S/);
      },
    );
    fc.assert(check, { numRuns: 3_000 });
  });
});
