/** The code of an invite as text, its link, and what people paste of it: one strict form, and bounds. */
import { describe, expect, it } from 'vitest';
import {
  codeInPasted,
  codeOfJoinLink,
  inGroups,
  joinLinkOf,
  readAddress,
  readAddresses,
  readInviteCode,
} from '../../../node-runtime/contract/invite-code.ts';
import { limits } from '../../../node-runtime/contract/limits.ts';

const secret = 'abcdefghjkmnpqrstuvw';
const fingerprint = '0123456789abcdef0123456789abcdef';
const code = `192.168.7.2:7400,[fd00::2]:7400,[fe80::1%en0]:7400,deck-17.lab:80/${secret}.${fingerprint}`;

describe('an address', () => {
  it.each([
    ['192.168.7.2:7400', { host: '192.168.7.2', port: 7400 }],
    [' deck-17.lab:1 ', { host: 'deck-17.lab', port: 1 }],
    ['büro-pc.local:65535', { host: 'büro-pc.local', port: 65_535 }],
    ['[fe80::1%enp3s0]:7400', { host: 'fe80::1%enp3s0', port: 7400 }],
  ])('%s is one', (text, wanted) => {
    expect(readAddress(text)).toEqual(wanted);
  });
  it.each([
    '',
    'deck',
    'deck:',
    ':7400',
    'deck:0',
    'deck:65536',
    'a b:1',
    'https://deck:1',
    '[deck]:1',
    'de/ck:1',
    '-x:1',
  ])('"%s" is none', (text) => {
    expect(readAddress(text)).toBeNull();
  });
  it('of several each has to be one, and there are not endlessly many', () => {
    expect(readAddresses('a:1,b:2')).toHaveLength(2);
    expect(readAddresses('a:1,,b:2')).toBeNull();
    expect(
      readAddresses(
        Array(limits.addressesMax + 1)
          .fill('a:1')
          .join(),
      ),
    ).toBeNull();
  });
});

describe('a code', () => {
  it('carries addresses, a secret and a fingerprint', () => {
    const read = readInviteCode(code)!;
    expect(read.addresses.map(({ host }) => host)).toEqual(['192.168.7.2', 'fd00::2', 'fe80::1%en0', 'deck-17.lab']);
    expect([read.secret, read.fingerprint]).toEqual([secret, fingerprint]);
  });
  it.each([
    ['cut off', code.slice(0, -1)],
    ['too long', `${code}0`],
    ['with a letter that is in no code', code.replace(secret, `0${secret.slice(1)}`)],
    ['without addresses', `/${secret}.${fingerprint}`],
    ['with an address that is none', `nowhere/${secret}.${fingerprint}`],
    ['with a line in it', code.replace('/', '/\n')],
    ['endless', `${'a'.repeat(limits.inviteCodeCharsMax)}:1/${secret}.${fingerprint}`],
  ])('%s is none', (_what, text) => {
    expect(readInviteCode(text)).toBeNull();
  });
});

describe('a link', () => {
  it('carries the code there and back, with nothing in it that programs stumble over', () => {
    const link = joinLinkOf(code);
    expect(link).toMatch(/^binnacle:\/\/join\/[\w.,:/%-]+$/);
    expect(codeOfJoinLink(link)).toBe(code);
    expect(codeOfJoinLink(new URL(link).href)).toBe(code);
  });
  it('of anything else carries none', () => {
    for (const text of [
      'binnacle://join/',
      `binnacle://join/%ff${code}`,
      `binnacle://runs/${code}`,
      `https://join/${code}`,
    ])
      expect(codeOfJoinLink(text)).toBeNull();
  });
});

it('is found in what people paste: code, link or command, also with broken lines', () => {
  for (const text of [code, ` ${code}\n`, joinLinkOf(code), `binnacle join ${code}`, `npx binnacle join ${code}`])
    expect(codeInPasted(text)).toBe(code);
  expect(codeInPasted(`${code.slice(0, 40)}\n  ${code.slice(40)}`)).toBe(code);
  expect(codeInPasted(`see ${code}`)).toBeNull();
  expect(codeInPasted('x'.repeat(10_000))).toBeNull();
});

it('its fingerprint is shown in groups', () => {
  expect(inGroups('0123456789')).toBe('0123 4567 89');
});
