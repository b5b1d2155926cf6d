/** The language of `if` and of `${{ … }}`: values, truth, and mistakes with their place. */
import { describe, expect, test } from 'vitest';
import { evaluate, type Scope } from '../../../node-runtime/core/jobs/evaluate.ts';
import { parseExpression } from '../../../node-runtime/core/jobs/expression.ts';

const parameters: Record<string, string | number | boolean> = {
  day: '2024-05-01',
  count: 3,
  full: true,
  site: "o'hara",
  empty: '',
};
const scope: Scope = {
  parameter: (name) => (Object.hasOwn(parameters, name) ? parameters[name]! : null),
  state: (task) => ({ load: 'failed', 'load-2': 'succeeded' })[task] ?? 'waiting',
  exitCode: (task) => (task === 'load' ? 3 : null),
  success: false,
  failure: true,
  cancelled: false,
};

function meaningOf(text: string) {
  const parsed = parseExpression(text);
  if ('mistake' in parsed) throw new Error(`${text}: ${parsed.mistake.sentence}`);
  return evaluate(parsed.expression, scope);
}

function mistakeIn(text: string) {
  const parsed = parseExpression(text);
  return 'mistake' in parsed ? parsed.mistake : null;
}

describe('an expression', () => {
  test.each([
    ["'a'", 'a'],
    ['"a"', 'a'],
    ["'it''s'", "it's"],
    ['12', 12],
    ['-1.5', -1.5],
    ['null', null],
    ['params.day', '2024-05-01'],
    ['params.nothing', null],
    ["params.site == 'o''hara'", true],
    ["tasks.load.state == 'failed'", true],
    ["tasks.load-2.state == 'succeeded'", true],
    ['tasks.load.exit_code == 3', true],
    ['tasks.other.exit_code == null', true],
    ['tasks.other.exit_code == 0', false],
    ["params.count == '3'", true],
    ["params.full == 'true'", true],
    ["params.day < '2024-10-01'", true],
    ["'10' > '9'", true],
    ["'b' > 'a'", true],
    ["10 > 'a'", false],
    ['null < 1', false],
    ['params.count >= 3 && params.count <= 3', true],
    ['params.count != 3', false],
    ['!params.full', false],
    ['!!params.count', true],
    ['!params.empty', true],
    ['true || false && false', true],
    ['(true || false) && false', false],
    ['success()', false],
    ['failure()', true],
    ['always()', true],
    ['cancelled()', false],
    ["contains(params.day, '05')", true],
    ["starts_with(params.day, '2024')", true],
    ["ends_with(params.day, '02')", false],
    ['contains(params.count, 3)', true],
    ['!(success() || cancelled())', true],
    ['  params.count   ==3', true],
    ['params.count==-3', false],
  ])('%s is %j', (text, value) => {
    expect(meaningOf(text)).toEqual(value);
  });

  test.each([
    ['', 0, 'ends too early'],
    ['params.a &&', 11, 'ends too early'],
    ['params.a = 1', 9, 'single ='],
    ['a & b', 2, 'single &'],
    ['params', 6, 'dot is missing'],
    ['params.', 7, 'name is missing'],
    ['day == 1', 0, 'day is not known'],
    ['success', 0, 'success is not known'],
    ['sucess()', 0, 'no function sucess'],
    ['contains(1)', 0, 'takes 2 values'],
    ['always(1)', 0, 'takes no values'],
    ["'open", 0, 'has no end'],
    ['(true', 5, 'not closed'],
    ['true)', 4, 'never opened'],
    ['true true', 5, 'operator is missing'],
    ['tasks.load.stat', 11, 'has no stat'],
    ['1 < 2 < 3', 6, 'operator is missing'],
    ['true ; false', 5, '; means nothing'],
    ['#', 0, '# means nothing'],
  ])('%s is wrong at character %i: %s', (text, at, words) => {
    expect(mistakeIn(text)).toMatchObject({ at, sentence: expect.stringContaining(words) });
  });

  test('suggests the name that was meant', () => {
    expect(mistakeIn('sucess()')?.hint).toBe('Did you mean success?');
    expect(mistakeIn('success')?.hint).toBe('Write success()');
    expect(mistakeIn('tasks.load.stat')?.hint).toBe('Did you mean state?');
  });

  test('is bounded in length and depth, not in the number of terms', () => {
    expect(mistakeIn('1'.repeat(3_000))?.sentence).toContain('at most');
    expect(mistakeIn(`${'('.repeat(900)}1${')'.repeat(900)}`)?.sentence).toContain('nested too deeply');
    expect(mistakeIn(`${'!'.repeat(1_900)}1`)?.sentence).toContain('nested too deeply');
    expect(meaningOf(Array(600).fill('1').join('||'))).toBe(true);
  });

  test('names from everyday objects are just unknown names', () => {
    for (const name of ['constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
      expect(meaningOf(`params.${name}`)).toBe(null);
      expect(mistakeIn(`${name}()`)?.sentence).toContain('no function');
    }
  });
});
