// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are the language under test
/**
 * Values in shell text, executed by the real shell: whatever a parameter
 * holds, it stays one value and never becomes a command.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Scope } from '../../../node-runtime/core/jobs/evaluate.ts';
import { shellSlotsOf } from '../../../node-runtime/core/jobs/shell-text.ts';
import { fillShell, fillText } from '../../../node-runtime/core/jobs/template.ts';
import { spentMs } from '../../support/spent.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'binnacle-injection-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const scopeWith = (values: Record<string, string>): Scope => ({
  parameter: (name) => values[name] ?? null,
  state: () => 'succeeded',
  exitCode: () => 0,
  success: true,
  failure: false,
  cancelled: false,
});

function runShell(text: string, value: string) {
  const filled = fillShell(text, scopeWith({ x: value }));
  const ended = spawnSync('/bin/sh', ['-e', '-c', filled.text], {
    cwd: folder,
    env: { PATH: process.env['PATH'], ...filled.variables },
    encoding: 'utf8',
    timeout: 10_000,
  });
  return { ...ended, text: filled.text };
}

/** All ways to write `${{ params.x }}`; each prints the value between < and >. */
const places: [string, string][] = [
  ['plain', 'printf "<%s>" ${{ params.x }}'],
  ['in double quotes', 'printf "<%s>" "${{ params.x }}"'],
  ['next to text', 'printf "<%s>" ${{ params.x }}"" '],
  ['in an assignment', 'y=${{ params.x }}\nprintf "<%s>" "$y"'],
  ['after a comment with a quote', '# don\'t\nprintf "<%s>" ${{ params.x }}'],
  ['in a command substitution', 'y="$(printf "%s." "${{ params.x }}")"\nprintf "<%s>" "${y%.}"'],
  ['in backquotes', 'y=`printf "%s." "${{ params.x }}"`\nprintf "<%s>" "${y%.}"'],
  ['as a default', 'printf "<%s>" "${NOTHING:-${{ params.x }}}"'],
  ['as a plain default', 'printf "<%s>" ${NOTHING:-${{ params.x }}}'],
];

const hostile = [
  '$(touch owned)',
  '`touch owned`',
  '; touch owned',
  '"; touch owned; "',
  "'; touch owned; '",
  '&& touch owned',
  '| touch owned',
  '> owned',
  '\ntouch owned\n',
  '\n$(touch owned)',
  '${IFS}touch${IFS}owned',
  '$BINNACLE_VALUE_1',
  '"$(touch owned)"',
  '\\"; touch owned #',
  '-e a b * ? [a-z]',
  'a  b\tc',
  '*',
  "it's",
  '}} touch owned ${{',
  'EOF\ntouch owned',
  '',
];

describe('a value in shell text', () => {
  for (const [name, text] of places) {
    test(`stays one value: ${name}`, () => {
      for (const value of hostile) {
        const { stdout, stderr, status, text: ran } = runShell(text, value);
        expect({ stdout, stderr, status, ran }).toEqual({ stdout: `<${value}>`, stderr: '', status: 0, ran });
        expect(existsSync(path.join(folder, 'owned'))).toBe(false);
      }
    });
  }

  test('stays a value in a here-document', () => {
    for (const value of hostile) {
      const { stdout, status } = runShell('cat <<EOF\n<${{ params.x }}>\nEOF\n', value);
      expect({ stdout, status }).toEqual({ stdout: `<${value}>\n`, status: 0 });
      expect(existsSync(path.join(folder, 'owned'))).toBe(false);
    }
  });

  test('never executes, wherever it stands: any value, any surroundings', () => {
    const piece = fc.constantFrom(
      '"',
      "'",
      '`',
      '$(',
      ')',
      '\n',
      '#',
      ' ',
      '\\',
      '${',
      '}',
      '<<E\n',
      'E\n',
      'echo ',
      ';',
      '$((',
      '))',
      'x',
    );
    const around = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
    const check = fc.property(around, around, fc.constantFrom(...hostile), (before, after, value) => {
      runShell(`${before}\${{ params.x }}${after}`, value);
      expect(existsSync(path.join(folder, 'owned'))).toBe(false);
    });
    fc.assert(check, { numRuns: 200 });
  });

  test('is not in the text that the shell reads', () => {
    const check = fc.property(fc.string(), fc.string({ minLength: 8 }), (before, value) => {
      const filled = fillShell(`${before}\${{ params.x }}`, scopeWith({ x: value }));
      const other = fillShell(`${before}\${{ params.x }}`, scopeWith({ x: 'another' }));
      expect(filled.text).toBe(other.text);
    });
    fc.assert(check, { numRuns: 300 });
  });

  test('the test can fail: the same value put in as text does execute', () => {
    const text = fillText('echo ${{ params.x }}', scopeWith({ x: '$(touch owned-by-text)' }));
    spawnSync('/bin/sh', ['-e', '-c', text], { cwd: folder });
    expect(existsSync(path.join(folder, 'owned-by-text'))).toBe(true);
  });
});

describe('the shell scanner', () => {
  test.each([
    ["echo '${{ a }}'", 'single'],
    ['echo "${{ a }}"', 'double'],
    ['echo "it\'s ${{ a }}"', 'double'],
    ['echo ${{ a }}', 'plain'],
    ["echo \\' ${{ a }}", 'plain'],
    ['# ${{ a }}', 'comment'],
    ['echo a#b \'x\' "${{ a }}"', 'double'],
    ['echo $(( ${{ a }} + 1 ))', 'arithmetic'],
    ['echo "$(( ${{ a }} + 1 ))"', 'arithmetic'],
    ['(( ${{ a }} > 1 ))', 'arithmetic'],
    ['echo "$(echo ${{ a }})"', 'plain'],
    ['echo "$(echo "${{ a }}")"', 'double'],
    ['cat <<EOF\n${{ a }}\nEOF', 'here'],
    ["cat <<'EOF'\n${{ a }}\nEOF", 'quotedHere'],
    ['cat <<-\\EOF\n\t${{ a }}\n\tEOF', 'quotedHere'],
    ["cat <<EOF\nit's\nEOF\necho ${{ a }}", 'plain'],
    ["cat <<-EOF\n\tit's\n\tEOF\necho ${{ a }}", 'plain'],
    ["cat <<A <<'B'\nx\nA\n${{ a }}\nB", 'quotedHere'],
    ["cat <<<'x' ${{ a }}", 'plain'],
    ["case x in a) echo 'b' ;; esac; echo ${{ a }}", 'plain'],
  ])('%j: %s', (text, place) => {
    expect(shellSlotsOf(text).map((slot) => slot.place)).toEqual([place]);
  });

  test('a backslash keeps the text as it is', () => {
    expect(shellSlotsOf('echo \\${{ a }}')).toEqual([]);
    expect(shellSlotsOf('echo "\\${{ a }}"')).toEqual([]);
  });

  test('takes time in proportion to the text, whatever the text', () => {
    const pieces = [
      '${',
      '"',
      "'",
      '`',
      '$(',
      '$((',
      '((',
      '<<a\n',
      '<<a ',
      '#',
      '\n',
      '\\',
      '${{ a }}',
      '${{',
      '}',
      ')',
      'x',
    ];
    for (const piece of pieces) {
      const text = `\${{ a }}${piece.repeat(Math.ceil(250_000 / piece.length))}`;
      const start = spentMs();
      shellSlotsOf(text);
      expect(spentMs() - start, piece).toBeLessThan(1_000);
    }
  });
});
