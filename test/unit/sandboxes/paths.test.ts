/** Path tricks that must never reach a disk, and plain names that must pass. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkPath, endingOf, foldName, utf8Bytes } from '../../../node-runtime/core/sandboxes/paths.ts';

const refused: [path: string, rule: RegExp][] = [
  ['', /empty/],
  ['/', /begins with/],
  ['/etc/passwd', /begins with/],
  ['//host/share', /begins with/],
  ['a/', /ends with/],
  ['a//b', /follow each other/],
  ['.', /not allowed/],
  ['..', /not allowed/],
  ['../a', /not allowed/],
  ['a/..', /not allowed/],
  ['a/../b', /not allowed/],
  ['a/../../etc/passwd', /not allowed/],
  ['./a', /not allowed/],
  ['a/./b', /not allowed/],
  ['a/.', /not allowed/],
  ['..\\a', /backslash/],
  ['a\\b', /backslash/],
  ['\\\\host\\share', /backslash/],
  ['\\\\?\\C:\\a', /backslash/],
  ['C:', /colon/],
  ['C:/a', /colon/],
  ['c:a', /colon/],
  ['a.txt:hidden', /colon/],
  ['a.txt::$DATA', /colon/],
  ['a/b:c/d', /colon/],
  ['a\0b', /control/],
  ['a.txt\0.png', /control/],
  ['a\nb', /control/],
  ['a\rb', /control/],
  ['a\tb', /control/],
  ['a\x1bb', /control/],
  ['a\x7fb', /control/],
  ['a\x85b', /control/],
  ['a\u2028b', /control/],
  ['a\u2029b', /control/],
  ['photo\u202egpj.exe', /direction/],
  ['a\u202ab', /direction/],
  ['a\u202bb', /direction/],
  ['a\u202cb', /direction/],
  ['a\u202db', /direction/],
  ['a\u2066b', /direction/],
  ['a\u2069b', /direction/],
  ['a\u200eb', /direction/],
  ['a\u200fb', /direction/],
  ['a\u061cb', /direction/],
  ['cafe\u0301', /NFC/],
  ['A\u030angstrom', /NFC/],
  ['\u212bngstrom', /NFC/],
  ['\u1112\u1161\u11ab', /NFC/],
  ['a\ud800', /Unicode/],
  ['\udc00a', /Unicode/],
  ['con', /device/],
  ['CON', /device/],
  ['Con.txt', /device/],
  ['nul', /device/],
  ['nul.tar.gz', /device/],
  ['aux.c', /device/],
  ['prn', /device/],
  ['com1', /device/],
  ['COM9.log', /device/],
  ['com¹', /device/],
  ['LPT1', /device/],
  ['lpt³.txt', /device/],
  ['conin$', /device/],
  ['CONOUT$', /device/],
  ['nul .txt', /device/],
  ['a/aux/b', /device/],
  ['a.', /dot or a space/],
  ['a ', /dot or a space/],
  ['...', /dot or a space/],
  ['. ', /dot or a space/],
  ['.. ', /dot or a space/],
  ['a./b', /dot or a space/],
  ['a /b', /dot or a space/],
  ['.binnacle', /reserved/],
  ['.binnacle-trash/1/what.json', /reserved/],
  ['.Binnacle-Trash', /reserved/],
  ['a/.BINNACLE/b', /reserved/],
  ['.binnacleX', /reserved/],
  ['.bin\u200cnacle-trash', /reserved/],
  ['.\u2060binnacle', /reserved/],
  ['a'.repeat(256), /longer than 255/],
  ['é'.repeat(128), /longer than 255/],
  [`${'a/'.repeat(600)}a`, /longer than 1024/],
  [`${'a'.repeat(200)}/`.repeat(5) + 'a'.repeat(20), /longer than 1024/],
  [`${'a/'.repeat(64)}a`, /more than 64/],
];

const allowed = [
  'a',
  'a/b/c.txt',
  'deploy.job.yaml',
  '.env',
  '..a',
  'a..b',
  '...a',
  'a b',
  ' a',
  'Überraschung/größe.txt',
  '日本語/ファイル.txt',
  '한글.txt',
  'عربي.txt',
  '🚀/emoji-👩‍🔬.md',
  "it's (final) [v2] {x} #1 %41 & ~$@!+=,;^`.txt",
  'console.log',
  'nullable.ts',
  'com10',
  'com',
  'auxiliary',
  'binnacle',
  'x.binnacle',
  'a'.repeat(255),
  `${'a/'.repeat(63)}a`,
  `${`${'a'.repeat(254)}/`.repeat(4)}aaaa`,
];

describe('checkPath', () => {
  it.each(refused)('refuses %j and says which rule it breaks', (path, rule) => {
    expect(checkPath(path)).toMatchObject({ code: 'path_refused', detail: expect.stringMatching(rule) });
  });

  it('has a table of at least sixty tricks', () => expect(refused.length).toBeGreaterThanOrEqual(60));

  it.each(allowed)('lets %j pass unchanged', (path) => {
    expect(checkPath(path)).toBe(path);
  });

  it('lets the top folder pass only where it is asked for', () => {
    expect(checkPath('', { allowTop: true })).toBe('');
    expect(checkPath('', { allowTop: false })).toMatchObject({ code: 'path_refused' });
  });

  it('never lets a path out, whatever is put together from dangerous pieces', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '..',
        '.',
        '/',
        '\\',
        ':',
        '\0',
        ' ',
        'a',
        'C',
        '.binnacle',
        'nul',
        '\u202e',
        'e\u0301',
        '\ud800',
      ),
      fc.string({ unit: 'binary', maxLength: 4 }),
    );
    const path = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(path, (text) => {
        if (checkPath(text) !== text) return;
        for (const name of text.split('/')) {
          expect(['', '.', '..']).not.toContain(name);
          expect(name).not.toMatch(/[\\:\0]/);
          expect(name.toLowerCase().startsWith('.binnacle')).toBe(false);
        }
        expect(new URL(text.split('/').map(encodeURIComponent).join('/'), 'http://host/top/').pathname).toMatch(
          /^\/top\//,
        );
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('names', () => {
  it.each([
    ['README.md', 'readme.MD'],
    ['straße', 'STRASSE'],
    ['ΣΑΣ', 'σας'],
    ['ﬁle', 'FILE'],
    ['\u212a', 'k'],
    ['É', 'é'],
    ['ẞ', 'ss'],
  ])('takes %s and %s for one name without case', (one, other) => {
    expect(foldName(one)).toBe(foldName(other));
  });

  it.each([
    ['a', 'b'],
    ['ı', 'i'],
    ['e', 'é'],
    ['a', 'а'],
  ])('keeps %s and %s apart', (one, other) => {
    expect(foldName(one)).not.toBe(foldName(other));
  });

  it('counts bytes as UTF-8 does', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => utf8Bytes(text) === Buffer.byteLength(text)));
  });

  it('knows .job.yaml as one ending', () => {
    expect(['a/x.job.yaml', 'a.b/x', 'x.tar.gz', '.env', 'X.JOB.JSON'].map(endingOf)).toEqual([
      '.job.yaml',
      '',
      '.gz',
      '',
      '.job.json',
    ]);
  });
});
