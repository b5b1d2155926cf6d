// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are the language under test
/**
 * Checking job files: mistakes at their exact place with a way out, hostile
 * texts refused at once, and nothing that throws or hangs.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limits } from '../../../node-runtime/contract/limits.ts';
import { checkJobText, isJobPath, isScriptText, warningsOf } from '../../../node-runtime/requests/job-text.ts';
import { spentMs } from '../../support/spent.ts';

const survey = `name: Survey
description: Measures, then reports.
parameters:
  day: { type: date, default: yesterday }
  samples: { type: integer, default: 5, minimum: 1, maximum: 50 }
  site:
    type: choice
    options: [north, south]
    default: north
  note: none
  strict: false
  reason:
env:
  REGION: "\${{ params.site }}"
  PORT: 8080
timeout: 1h30m
tasks:
  prepare:
    run: |
      mkdir -p measured
      echo "for \${{ params.day }}"
  measure:
    name: Measure it
    needs: prepare
    run: [./measure.sh, "\${{ params.site }}", 5, true]
    env: { LEVEL: high }
    working_directory: tools
    timeout: 10m
    retry: { attempts: 3, delay: 10s, backoff: 2 }
    if: params.samples > 2 && tasks.prepare.state == 'succeeded'
  compare:
    needs: [prepare, measure]
    run: exit $(( \${{ params.samples }} - 5 ))
    retry: 2
    continue_on_error: true
finally:
  report:
    if: \${{ failure() || tasks.compare.exit_code == 3 }}
    run: ./report.sh
  close:
    needs: report
    run: ./close.sh
`;

const check = (text: string, path = 'a/x.job.yaml') => checkJobText(path, text).check;
const places = (text: string, path?: string) =>
  check(text, path).problems.map((one) => `${one.line}:${one.column} ${one.sentence}${one.hint ? ` ${one.hint}` : ''}`);
/** The one task of a short file; its mistakes are in line 3 or below. */
const task = (lines: string) => `tasks:\n  load:\n${lines.replace(/^/gm, '    ')}\n`;

describe('a job file that is right', () => {
  test('is read, named and counted', () => {
    expect(check(survey)).toEqual({ format: 'job', ok: true, name: 'Survey', tasks: 5, problems: [] });
    expect(checkJobText('x.job.yaml', survey).job?.tasks['measure']?.timeout).toBe('10m');
  });

  test('is called after its file when it has no name', () => {
    expect(check(task('run: x'), 'in/nightly-load.job.yaml').name).toBe('nightly-load');
  });

  test('may be JSON, also with tabs', () => {
    const text = JSON.stringify(
      { name: 'N', tasks: { a: { run: ['x', 'y'] }, b: { run: 'y', needs: ['a'] } } },
      null,
      '\t',
    );
    expect(check(text, 'x.job.json')).toMatchObject({ ok: true, name: 'N', tasks: 2 });
  });

  test('may begin with a byte order mark and have lines that end as on Windows', () => {
    expect(check(`\ufeff${survey.replaceAll('\n', '\r\n')}`)).toMatchObject({ ok: true, tasks: 5 });
  });

  test('may use anchors and aliases sparingly', () => {
    expect(check('tasks:\n  a: &a\n    run: x\n  b: *a\n')).toMatchObject({ ok: true, tasks: 2 });
  });
});

describe('a mistake is shown at its line and column, with what would be right', () => {
  test.each([
    [
      'unknown need',
      'tasks:\n  fetch:\n    run: x\n  load:\n    needs: [fetsh]\n    run: y\n',
      '5:13 There is no task fetsh. Did you mean fetch?',
    ],
    [
      'need as a text',
      'tasks:\n  fetch: { run: x }\n  load:\n    needs: fetsh\n    run: y\n',
      '4:12 There is no task fetsh. Did you mean fetch?',
    ],
    ['unknown key', task('run: x\nneed: y'), '4:5 need is not known here. Did you mean needs?'],
    [
      'key of another system',
      task('run: x\ndepends_on: y'),
      '4:5 depends_on is not known here. It is called needs here.',
    ],
    [
      'key of a later version',
      task('each: [1, 2]\nrun: x'),
      '3:5 each is not supported by this version. Take it out: it would have no effect.',
    ],
    ['wrong type', `name: [a]\n${task('run: x')}`, '1:7 name must be a text, not a list.'],
    [
      'circle',
      'tasks:\n  a: { run: x, needs: b }\n  b: { run: x, needs: [c] }\n  c:\n    needs:\n      - a\n    run: x\n',
      '6:9 These tasks need each other in a circle: a → b → c → a. None of them could ever begin. Take one of the needs out.',
    ],
    [
      'need of itself',
      task('needs: load\nrun: x'),
      '3:12 load needs itself. None of them could ever begin. Take one of the needs out.',
    ],
    [
      'bad duration',
      task('run: x\ntimeout: 10 min'),
      '4:14 tasks.load.timeout must be a time like 45s, 10m or 1h30m, or a number of seconds, not the text "10 min".',
    ],
    [
      'duration out of bounds',
      task('run: x\ntimeout: 0'),
      '4:14 This time is out of bounds: from 1 s to 30 d are allowed.',
    ],
    ['bad expression', task("run: x\nif: tasks.load.state = 'failed'"), '4:26 A single = compares nothing. Write =='],
    ['bad expression in quotes', task('run: x\nif: "always("'), '4:17 A closing parenthesis is missing.'],
    [
      'bad expression in a wrap',
      task('run: x\nif: ${{ alway() }}'),
      '4:13 There is no function alway. Did you mean always?',
    ],
    [
      'bad value in block text',
      task('run: |\n  echo hi\n  echo "${{ params.dya }}"'),
      '5:17 There is no parameter dya. Declare it under parameters.',
    ],
    [
      'bad value in folded text',
      task('run: >\n  echo hi\n  echo "${{ params.dya }}"'),
      '5:17 There is no parameter dya. Declare it under parameters.',
    ],
    [
      'second bad value in a line',
      `parameters: { day: x }\n${task('run: echo "${{ params.day }}" "${{ params.dya }}"')}`,
      '4:40 There is no parameter dya. Did you mean day?',
    ],
    [
      'value in single quotes',
      `parameters: { day: x }\n${task("run: echo '${{ params.day }}'")}`,
      '4:16 Inside single quotes nothing is replaced. Use double quotes around ${{ … }}, or none.',
    ],
    [
      'text in arithmetic',
      `parameters: { day: x }\n${task('run: echo $(( ${{ params.day }} ))')}`,
      '4:19 In arithmetic only numbers are safe, and this may be a text. Declare the parameter with type integer.',
    ],
    ['open value', task('run: echo ${{ success()'), '3:15 This ${{ has no end. Close it with }}'],
    [
      'result that is not known yet',
      'tasks:\n  a: { run: x }\n  b:\n    if: tasks.a.exit_code == 0\n    run: y\n',
      '4:9 This cannot be known: a may not have ended by then. Add a to needs.',
    ],
    [
      'state that does not exist',
      'tasks:\n  a: { run: x }\n  b:\n    needs: a\n    if: tasks.a.state == "success"\n    run: y\n',
      '5:26 No task ever ends as success. Did you mean succeeded?',
    ],
    [
      'bad default for its type',
      `parameters:\n  day: { type: date, default: 31.12.2024 }\n${task('run: x')}`,
      '2:31 The default must be a date. Write YYYY-MM-DD, or today, yesterday, tomorrow.',
    ],
    [
      'default out of bounds',
      `parameters:\n  n: { type: integer, default: 9, maximum: 5 }\n${task('run: x')}`,
      '2:32 The default must be at most 5.',
    ],
    [
      'unknown type',
      `parameters:\n  n: { type: chioce }\n${task('run: x')}`,
      '2:14 parameters.n.type cannot be chioce. Did you mean choice?',
    ],
    [
      'choice without options',
      `parameters:\n  n: { type: choice }\n${task('run: x')}`,
      '2:14 A choice needs options. Add options: [ … ]',
    ],
    [
      'parameters that collide',
      `parameters:\n  day: a\n  Day: b\n${task('run: x')}`,
      '3:3 day and Day would both be PARAM_DAY. Choose another name.',
    ],
    [
      'duplicate id',
      'tasks:\n  a: { run: x }\n  a: { run: y }\n',
      '3:3 This name stands here twice. Take one out, or give it another name.',
    ],
    [
      'duplicate id in finally',
      'tasks:\n  a: { run: x }\nfinally:\n  a: { run: y }\n',
      '4:3 There is a task a already. Ids of tasks and finally are all different.',
    ],
    [
      'id with capitals',
      'tasks:\n  Load: { run: x }\n',
      '2:3 The name Load must be made of small letters, digits, - and _, and begin with a letter or digit.',
    ],
    ['tab', 'tasks:\n\ta:\n', '2:1 Tabs cannot indent in YAML. Use spaces.'],
    [
      'no run',
      'tasks:\n  load:\n    timeout: 5s\n',
      '2:3 tasks.load has no run. Add run: with text for the shell, or a list: the program and its arguments.',
    ],
    [
      'text in place of a task',
      'tasks:\n  load: ./load.sh\n',
      '2:9 tasks.load must be a map of names and values, not the text "./load.sh". Write run: before the text.',
    ],
    [
      'need of a finally task',
      'tasks:\n  a: { run: x, needs: z }\nfinally:\n  z: { run: y }\n',
      '2:23 z is a task of finally: it runs after all others. A task can only need tasks that run before it.',
    ],
    [
      'variable of ours',
      task('run: x\nenv: { PARAM_DAY: 1 }'),
      '4:12 Names that begin with PARAM_ or BINNACLE_ are set by Binnacle. Use another name.',
    ],
    [
      'number that would change',
      task('run: x\nenv: { VERSION: 1.10 }'),
      '4:21 1.10 would be passed on as 1.1. Put it in quotes to keep it as it is.',
    ],
    [
      'working directory outside',
      task('run: x\nworking_directory: ../other'),
      '4:24 A working directory stays inside the sandbox. Use a relative path of plain names.',
    ],
    [
      'condition that is a tag',
      task('run: x\nif: !cancelled()'),
      '4:9 !cancelled() is read as a tag: what begins with ! means something else in YAML. Put the whole value in quotes.',
    ],
    ['no tasks', 'name: x\n', '1:1 The file has no tasks. Add tasks: with an id and, below it, run: …'],
    ['empty tasks', 'tasks: {}\n', '1:8 A job has at least one task. Write an id and, below it, run: …'],
    ['empty file', '# nothing\n', '1:1 The file is empty. Begin with tasks: an id and, below it, run: …'],
    [
      'two documents',
      `${task('run: x')}---\na: 1\n`,
      '4:1 There is more than one document in this file. Take out the line --- and what follows, or make a second file.',
    ],
    [
      'colon in a text',
      task('run: echo a: b'),
      '3:10 There are two colons in this line. Put a text that holds ": " in quotes.',
    ],
    ['too many attempts', task('run: x\nretry: 20'), '4:12 tasks.load.retry must be at most 19.'],
    [
      'unknown alias',
      task('run: *nothing'),
      '1:1 Unresolved alias (the anchor must be set before the alias): nothing. Write the values out.',
    ],
  ])('%s', (_, text, expected) => {
    expect(places(text)).toEqual([expected]);
  });

  test('also in JSON', () => {
    expect(places('{\n  "tasks": {\n    "a": { "run": 1 }\n  }\n}', 'x.job.json')).toEqual([
      '3:19 tasks.a.run must be text for the shell, or a list: the program and its arguments, not 1.',
    ]);
    const json = (text: string) => places(text, 'x.job.json')[0];
    expect(json('{\n  "tasks": {\n    "a": { "run": "x" },\n  }\n}')).toBe(
      '4:3 This is not JSON: there is a comma before } Take the comma out.',
    );
    expect(json('tasks:\n  a: { run: x }\n')).toBe('1:1 This is not JSON: t cannot stand here.');
    expect(json('{ "tasks": }')).toBe('1:12 This is not JSON: a value is missing before }');
    expect(json('{\n  "a": 1\n  "b": 2\n}')).toBe('3:3 This is not JSON: a comma is missing before "');
    expect(json('{ "a": [1, 2')).toBe('1:13 This is not JSON: the text ends too early.');
    expect(json('{ "a": "x')).toMatch(/^1:8 This is not JSON: this text is not closed/);
    expect(json("{ 'a': 1 }")).toBe('1:3 This is not JSON: texts stand in double quotes.');
    expect(json('{} 1')).toBe('1:4 This is not JSON: there is something after its end before 1');
    expect(json('{ "a": 1, "a": 2 }')).toMatch(/^1:11 This name stands here twice/);
  });

  test('many at once, of shape and of meaning, in the order of the file', () => {
    const text = `nme: x
parameters:
  day: { type: date, default: never }
tasks:
  a:
    run: echo "\${{ params.dya }}"
    timeout: soon
  b:
    needs: [c]
  d: { run: x, retry: { attempts: 0, wait: 5 } }
`;
    expect(check(text).problems.map((one) => `${one.line}:${one.column} ${one.path}`)).toEqual([
      '1:1 nme',
      '3:31 parameters.day.default',
      '6:20 tasks.a.run',
      '7:14 tasks.a.timeout',
      '8:3 tasks.b',
      '9:13 tasks.b.needs[0]',
      '10:35 tasks.d.retry.attempts',
      '10:38 tasks.d.retry.wait',
    ]);
  });

  test('at most as many as a person reads', () => {
    const text = `tasks:\n${Array.from({ length: 60 }, (_, index) => `  t${index}: { run: x, needs: nothing }`).join('\n')}\n`;
    expect(check(text).problems).toHaveLength(limits.jobProblemsMax);
  });
});

describe('scripts', () => {
  test('are jobs as they are', () => {
    expect(check('anything: [', 'in/load.sh')).toEqual({
      format: 'script',
      ok: true,
      name: 'load.sh',
      tasks: 1,
      problems: [],
    });
    expect(check('#!/usr/bin/awk -f\n', 'in/report')).toMatchObject({ format: 'script', ok: true });
    expect(check('hello', 'in/readme.txt')).toMatchObject({ ok: false, tasks: 0 });
  });

  test('and job files are known by their names', () => {
    for (const path of ['a.job.yaml', 'x/a.job.json', 'a.sh', 'a.py', 'a.js', 'a.mjs', 'a.ps1', 'a.rb', 'a.pl']) {
      expect(isJobPath(path), path).toBe(true);
    }
    for (const path of ['a.yaml', 'job.yaml', '.job.yaml', 'x/.job.yaml', 'a.txt', 'sh', 'a.sh.bak']) {
      expect(isJobPath(path), path).toBe(false);
    }
    expect([isScriptText('#!/bin/sh'), isScriptText(' #!/bin/sh')]).toEqual([true, false]);
  });
});

describe('a hostile text', () => {
  const timed = (text: string, path = 'x.job.yaml') => {
    const start = spentMs();
    const { check: found } = checkJobText(path, text);
    return { ms: spentMs() - start, found };
  };
  const fill = (piece: string, bytes = limits.jobFileBytesMax) => piece.repeat(Math.floor(bytes / piece.length));

  test('that multiplies itself by aliases is refused', () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'.replace(/./g, (name, at: number) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghi'[at]}`).join(',')}]\n`)}`;
    const { found, ms } = timed(bomb);
    expect(found.problems[0]?.sentence).toMatch(/aliases/);
    expect(ms).toBeLessThan(1_000);
    const long = `parameters:\n  a: &a "${'x'.repeat(30_000)}"\n${Array.from({ length: 45 }, (_, at) => `  b${at}: [${Array(2).fill('*a').join(',')}]`).join('\n')}\n`;
    expect(timed(long).found.problems[0]?.sentence).toMatch(/aliases/);
  });

  test('of too many parts is refused before it is parsed', () => {
    const [found] = places('a: 1\n'.repeat(20_000));
    expect(found).toMatch(/ This file has too many parts/);
  });

  test('that is too large is refused by its size in bytes', () => {
    expect(check(`# ${'ü'.repeat(limits.jobFileBytesMax / 2)}`).problems[0]?.sentence).toMatch(/at most 262144 bytes/);
  });

  test.each([
    '[',
    '{',
    '- ',
    '? ',
    '{a: ',
    '[a, ',
    '&a ',
    '! ',
    '*a ',
    '\n',
    '\t',
    '"',
    "'",
    '|\n',
    '---\n',
    '...\n',
    '%a\n',
    ': ',
    'a:\n',
    'a: ',
    '}\n',
    '# a\n',
    ', ',
    'a: b\n',
    '- a\n',
    ' a:\n',
    '\\',
    '\r',
    '\0',
    '${{ ',
    'é',
    '\ud800',
    '\u2028',
    '<<: *a\n',
    '"\\u',
    'a: |\n',
    'a: >\n b\n',
  ])('of nothing but %j is refused in time', (piece) => {
    for (const before of ['', 'tasks:\n  a:\n    run: ']) {
      const { found, ms } = timed(before + fill(piece, limits.jobFileBytesMax - 64));
      expect(found.ok).toBe(false);
      expect(found.problems.length).toBeGreaterThan(0);
      expect(ms).toBeLessThan(2_000);
    }
  });

  test('that is deeply indented is refused', () => {
    const text = Array.from({ length: 700 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n');
    const said = timed(text)
      .found.problems.map(({ sentence }) => sentence)
      .join(' ');
    expect(said).toMatch(/nested too deeply|not known/);
  });

  test('with names of everyday objects is a text like any other', () => {
    expect(places('tasks:\n  constructor: { run: x }\n  tostring: { run: y, needs: constructor }\n')).toEqual([]);
    expect(
      places('parameters:\n  constructor: 1\n  toString: 2\ntasks:\n  a: { run: "${{ params.toString }}" }\n'),
    ).toEqual([]);
    expect(places(task('run: x\nneeds: [valueof]'))[0]).toMatch(/There is no task valueof/);
    expect(places(`__proto__:\n  x: 1\n${task('run: x')}`)[0]).toMatch(/^1:1 __proto__/);
    expect(places(task('run: x\nenv: { __proto__: 1 }'))[0]).toMatch(/^4:12 __proto__/);
  });
});

test('20,000 random and mutated texts: nothing throws, nothing takes long', () => {
  const random = lcg(20_240_501);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const pieces = [
    ...survey.split(/(\s+|[:,[\]{}"'])/),
    '\t',
    '&a ',
    '*a',
    '!x ',
    '? ',
    '- ',
    '|\n',
    '>\n',
    '---\n',
    '${{',
    '}}',
    '\0',
    '\ud83d',
    '"',
    "'",
    '#',
    '%',
    '@',
    '1e9',
    '~',
    '0x1',
    'params.day',
    'tasks.a.state',
    '==',
    '(',
  ];
  const mutated = (): string => {
    let text = random() < 0.5 ? survey : survey.slice(0, Math.floor(random() * survey.length));
    for (let count = Math.floor(random() * 4) + 1; count > 0; count--) {
      const at = Math.floor(random() * text.length);
      const length = random() < 0.5 ? 0 : Math.floor(random() * 12);
      text = text.slice(0, at) + (random() < 0.7 ? pick(pieces) : '') + text.slice(at + length);
    }
    return text;
  };
  const made = (): string => Array.from({ length: Math.floor(random() * 20) }, () => pick(pieces)).join('');
  let wrong = 0;
  let right = 0;
  const slow: string[] = [];
  const started = spentMs();
  for (let count = 0; count < 20_000; count++) {
    const text = random() < 0.15 ? mutated() : made();
    const path = random() < 0.1 ? 'x.job.json' : 'x.job.yaml';
    let ms = Number.POSITIVE_INFINITY;
    // A pause of the machine is not a hang of ours: what was slow once has to be slow again.
    for (let tries = 0; tries < 3 && ms > 100; tries++) {
      const start = spentMs();
      const { check: found, job } = checkJobText(path, text);
      ms = spentMs() - start;
      if (found.ok !== (job !== null) || found.ok !== (found.problems.length === 0))
        throw new Error(`not told: ${text}`);
      for (const problem of found.problems) expectInside(problem, text);
      if (tries === 0) found.ok ? right++ : wrong++;
    }
    if (ms > 100) slow.push(text);
  }
  expect(slow).toEqual([]);
  expect(wrong).toBeGreaterThan(10_000);
  expect(right).toBeGreaterThan(20);
  expect(spentMs() - started).toBeLessThan(60_000);
}, 90_000);

test('any text at all gets an answer', () => {
  const check = fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
    for (const problem of checkJobText('x.job.yaml', text).check.problems) expectInside(problem, text);
  });
  fc.assert(check, { numRuns: 2_000 });
});

function expectInside(
  { line = 0, column = 0, sentence }: { line?: number; column?: number; sentence: string },
  text: string,
): void {
  const found = text.split('\n', line)[line - 1];
  const isInside = found !== undefined && column >= 1 && column <= found.length + 2;
  if (!isInside || sentence.trim() === '')
    throw new Error(`"${sentence}" at ${line}:${column} of ${JSON.stringify(text)}`);
}

/** Small seeded random numbers: a failure comes again. */
function lcg(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('secrets of a job file', () => {
  const withSecrets = (lines: string) => places(`${lines}tasks:\n  load:\n    run: "true"\n`);

  test('are a list of names, or a map of variable to name, of the job and of a task', () => {
    expect(withSecrets('secrets: [DB_PASSWORD]\n')).toEqual([]);
    expect(places(task('secrets: { PGPASSWORD: DB_PASSWORD }\nrun: "true"'))).toEqual([]);
  });

  test.each([
    [
      'secrets: [DB-PASSWORD]\n',
      '1:11 secrets[0] must be made of letters, digits and _, and not begin with a digit, not the text "DB-PASSWORD".',
    ],
    [
      'secrets: DB_PASSWORD\n',
      '1:10 secrets must be a list of names of secrets, or a map: environment variable to name, not the text "DB_PASSWORD".',
    ],
    ['secrets: [PARAM_X]\n', '1:11 Names that begin with PARAM_ or BINNACLE_ are set by Binnacle. Use another name.'],
    ['secrets: [A, B, A]\n', '1:17 A is named twice. Once is enough.'],
    ['env: { A: x }\nsecrets: { A: B }\n', '2:12 A is set by env as well. Take one of the two out.'],
    [
      `secrets: [${Array.from({ length: 51 }, (_, at) => `S${at}`).join()}]\n`,
      '1:10 secrets must have at most 50 items.',
    ],
    ['secret: [A]\n', '1:1 secret is not known here. It is called secrets here.'],
  ])('%j says what is wrong, and where', (lines, problem) => {
    expect(withSecrets(lines)).toEqual([problem]);
  });

  test('that are not there are a warning, with its place, and no mistake of the file', () => {
    const text = 'secrets: { A: KNOWN, B: UNKOWN }\ntasks:\n  load:\n    secrets: [NOWHERE]\n    run: "true"\n';
    const { job } = checkJobText('x.job.yaml', text);
    const known = { name: 'KNOWN', version: 1, sealed: '', savedAt: 0, savedBy: '' };
    const warnings = warningsOf('x.job.yaml', text, job!, new Map([['KNOWN', known]]));
    expect(warnings.map(({ line, column, sentence }) => `${line}:${column} ${sentence}`)).toEqual([
      '1:25 There is no secret UNKOWN. Did you mean KNOWN?',
      '4:15 There is no secret NOWHERE.',
    ]);
  });
});
