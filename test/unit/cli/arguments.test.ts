import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { pathOf } from '../../../node-runtime/io/cli/client.ts';
import { runCommandLine } from '../../../node-runtime/io/cli/command-line.ts';
import { exitCodeOf, exitCodes } from '../../../node-runtime/io/cli/exit-codes.ts';
import { dataFolder, defaultDataFolder, readFingerprint } from '../../../node-runtime/io/cli/find-node.ts';
import type { LocalActs } from '../../../node-runtime/io/cli/outside.ts';
import { listenAddress, readParameters, wholeNumber } from '../../../node-runtime/io/cli/parameters.ts';
import { isPlainName, sandboxPlace } from '../../../node-runtime/io/cli/sandbox-path.ts';

async function said(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const ran = { out: '', err: '' };
  const code = await runCommandLine(argv, {} as LocalActs, {
    out: (text) => {
      ran.out += text;
    },
    err: (text) => {
      ran.err += text;
    },
    isTty: false,
    columns: 80,
    env: {},
    stdin: process.stdin,
    version: '1.2.3',
  });
  return { code, ...ran };
}

describe('parameters', () => {
  it('are name=value; the value may hold more', () => {
    expect([...readParameters(['a=1', 'b=', 'c=x=y z'])]).toEqual([
      ['a', '1'],
      ['b', ''],
      ['c', 'x=y z'],
    ]);
  });
  it.each([[['a']], [['=1']], [['a=1', 'a=2']]])('%j is refused', (texts) => {
    expect(() => readParameters(texts)).toThrow();
  });
  it('that are numbers are whole and inside their bounds', () => {
    const read = wholeNumber('--limit', 1, 500);
    expect(read('500')).toBe(500);
    for (const text of ['0', '501', '1.5', '-1', '', '1e2', 'x']) expect(() => read(text)).toThrow('--limit');
  });
});

describe('addresses', () => {
  it('to listen at are host and port', () => {
    for (const text of ['0.0.0.0:7400', '[::]:0', 'deck-17:65535']) expect(listenAddress(text)).toBe(text);
    for (const text of ['7400', 'deck', '::1:7400', 'a/b:1', 'deck:65536', ':80']) {
      expect(() => listenAddress(text)).toThrow('no address');
    }
  });
  it('of a sandbox are its name and a path in it', () => {
    expect(sandboxPlace('lab')).toEqual({ sandbox: 'lab', path: '', isFolder: true });
    expect(sandboxPlace('lab/a/b')).toEqual({ sandbox: 'lab', path: 'a/b', isFolder: false });
    expect(sandboxPlace('lab/a//')).toEqual({ sandbox: 'lab', path: 'a', isFolder: true });
    expect(() => sandboxPlace('/a')).toThrow();
  });
  it('of a file on this computer are plain names', () => {
    for (const name of ['a.txt', '..a', 'ü']) expect(isPlainName(name)).toBe(true);
    for (const name of ['', '.', '..', 'a/b', 'a\\b', 'a\0b']) expect(isPlainName(name)).toBe(false);
  });
  it('of a route are filled so that no part of them leads elsewhere', () => {
    expect(pathOf('/s/{box}/f/{path*}', { box: 'a b', path: 'x/y?#/ü' }, { v: 1, no: undefined })).toBe(
      '/s/a%20b/f/x/y%3F%23/%C3%BC?v=1',
    );
    for (const path of ['..', 'a/../b', 'a//b', './a', '']) expect(() => pathOf('/f/{path*}', { path })).toThrow();
  });
});

describe('a fingerprint', () => {
  const hex = '0123456789abcdef'.repeat(4);
  it('is read with colons, capitals and its name', () => {
    for (const text of [hex, hex.toUpperCase(), `sha256:${hex}`, ` ${hex.replace(/..(?!$)/g, '$&:')} `]) {
      expect(readFingerprint(text)).toBe(hex);
    }
  });
  it('is nothing when it is cut or of another kind', () => {
    for (const text of ['', hex.slice(2), `${hex}00`, 'g'.repeat(64)]) expect(readFingerprint(text)).toBeNull();
  });
});

describe('the data folder', () => {
  it('is what the flag says, then the environment, then the place of the platform', () => {
    const env = { HOME: '/home/ada', BINNACLE_DATA: '/srv/b' };
    expect(dataFolder({ data: '/d' }, env)).toBe('/d');
    expect(dataFolder({}, env)).toBe('/srv/b');
    expect(defaultDataFolder(env, 'linux')).toBe('/home/ada/.local/share/binnacle/node');
    expect(defaultDataFolder({ ...env, XDG_DATA_HOME: '/x' }, 'linux')).toBe('/x/binnacle/node');
    expect(defaultDataFolder(env, 'darwin')).toBe('/home/ada/Library/Application Support/Binnacle/node');
  });
});

describe('exit codes', () => {
  it('say how a run ended', () => {
    const codes = (['succeeded', 'skipped', 'failed', 'cancelled', 'unknown'] as const).map(exitCodeOf);
    expect(codes).toEqual([0, 0, 1, 5, 6]);
  });
  it('are all in the help, each with its meaning', async () => {
    const { out } = await said('--help');
    for (const { code, means } of Object.values(exitCodes)) expect(out).toContain(`${code}  ${means}`);
  });
});

describe('the command line', () => {
  it('prints its version and help on stdout, and ends well', async () => {
    expect(await said('--version')).toEqual({ code: 0, out: '1.2.3\n', err: '' });
    for (const argv of [['--help'], ['launch', '--help'], ['sandbox', 'put', '-h'], ['help', 'token']]) {
      expect(await said(...argv)).toMatchObject({ code: 0, err: '', out: expect.stringContaining('Usage: binnacle') });
    }
  });
  it.each([
    [['lanch'], 'Did you mean launch?'],
    [['launch'], "Missing required argument 'sandbox'"],
    [['launch', 'a', 'b', 'c'], 'Too many arguments'],
    [['runs', '--limit', '0'], '--limit is a whole number'],
    [['token', 'create', '--role', 'boss'], 'viewer, operator, admin'],
    [['token', 'create'], '--role'],
    [['run', 'r-1', '--insecure'], "Unknown option '--insecure'"],
    [['status', '--url', 'https://a:1', '--data', '/d'], 'two different nodes'],
    [['completion', 'tcsh'], 'bash, zsh, fish'],
  ])('%j is refused with 2 and a sentence on stderr', async (argv, sentence) => {
    const { code, out, err } = await said(...argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(sentence);
    expect(err).not.toContain('    at ');
  });
  it('tells a mistake as JSON when JSON was asked for', async () => {
    const { code, err } = await said('runs', '--limit', 'x', '--json');
    expect(code).toBe(2);
    expect(JSON.parse(err)).toMatchObject({ code: 'usage', detail: expect.stringContaining('--limit') });
  });
});

describe('completion', () => {
  const complete = (script: string, words: string[]): string[] => {
    const list = words.map((word) => `'${word}'`).join(' ');
    const asked = `${script}\nCOMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _binnacle; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', asked], { encoding: 'utf8' }).trim().split('\n');
  };
  it.skipIf(process.platform === 'win32')('of bash offers commands, their commands and their options', async () => {
    const { out } = await said('completion', 'bash');
    expect(complete(out, ['binnacle', 'la'])).toEqual(['launch']);
    expect(complete(out, ['binnacle', 'sandbox', 're'])).toEqual(['restore']);
    expect(complete(out, ['binnacle', 'sw'])).toEqual(['switch-over']);
    expect(complete(out, ['binnacle', 'watch', 'a'])).toEqual(['appoint']);
    expect(complete(out, ['binnacle', 'recover', '--st'])).toEqual(['--statement']);
    expect(complete(out, ['binnacle', '--json', 'sandbox', 'put', '--no'])).toEqual(['--no-replace']);
    expect(complete(out, ['binnacle', 'logs', 'r-42', '--att'])).toEqual(['--attempt']);
    expect(complete(out, ['binnacle', 'sandbox', 'put', 'somefile'])).toEqual(['']);
  });
  it('is there for the other shells', async () => {
    expect((await said('completion', 'zsh')).out).toContain('bashcompinit');
    expect((await said('completion', 'fish')).out).toContain("-n '__fish_seen_subcommand_from token; and not");
  });
});
