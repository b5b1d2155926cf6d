/** What a reader of the output may see of a secret value: nothing, wherever it stands and however the stream is cut. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Masking } from '../../../node-runtime/io/process/masking.ts';

/** The whole text in pieces that end at `cuts`. */
function through(values: string[], text: string | Buffer, cuts: number[] = []): string {
  const masking = new Masking(values);
  const bytes = Buffer.from(text as string);
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  const shown = places.slice(1).map((to, index) => masking.push(bytes.subarray(places[index], to)));
  return Buffer.concat([...shown, masking.end()]).toString('latin1');
}
const stars = (text: string): string => '*'.repeat(Buffer.byteLength(text));

describe('masking', () => {
  it('shows as many asterisks as the value has bytes, and all else as it was', () => {
    expect(through(['s3cr3t!'], 'a s3cr3t! b s3cr3t!s3cr3t! c\n')).toBe('a ******* b ************** c\n');
    expect(Buffer.from(through(['grün-räder'], 'x grün-räder y'), 'latin1').toString()).toBe(
      `x ${stars('grün-räder')} y`,
    );
  });

  it('finds every line of a value of several lines, and leaves lines that are too short to be told from anything', () => {
    const key = '-----BEGIN KEY-----\nabcdefghijkl\nend\n-----END KEY-----\n';
    expect(through([key], 'x\nabcdefghijkl\nend\n')).toBe('x\n************\nend\n');
    expect(through([key], key)).toBe(stars(key));
    expect(through([key], key.replaceAll('\n', '\r\n'))).not.toMatch(/BEGIN|abcdef/);
  });

  it('masks overlapping values together', () => {
    expect(through(['abcdef', 'defghi'], '.abcdefghi.')).toBe('.*********.');
    expect(through(['abcdefghi', 'cdefgh'], '.abcdefghi.cdefgh.')).toBe('.*********.******.');
    expect(through(['aaaaaa'], 'aaaaaaa', [3, 5])).toBe('*******');
  });

  it.each(['hunter2-hunter2', 'pass word/+ü?&', 'x'.repeat(120), 'line one is long\nline two is longer'])(
    'finds %j as base64, also in the middle of it and wrapped, URL-encoded and as JSON',
    (value) => {
      const masked = (text: string) => through([value], text);
      const plain = Buffer.from(value).toString('base64');
      expect(masked(`<${plain}>`)).toBe(`<${stars(plain)}>`);
      expect(masked(plain.match(/.{1,76}/g)!.join('\n'))).toMatch(/^[*\n]+$/);
      expect(masked(Buffer.from(value).toString('base64url'))).toMatch(/^\*+$/);
      for (const before of ['user:', 'a', 'ab', '']) {
        const text = Buffer.from(`${before}${value}`).toString('base64');
        // At most the two letters that it shares with what stands beside it are left.
        const own = masked(text).replace(/\*/g, '');
        expect(own.length).toBeLessThanOrEqual(Math.ceil((before.length * 8) / 6) + 4);
      }
      expect(masked(encodeURIComponent(value))).toMatch(/^\*+$/);
      expect(masked(new URLSearchParams([['', value]]).toString().slice(1))).toMatch(/^\*+$/);
      expect(masked(JSON.stringify(value))).toMatch(/^"\*+"$/);
    },
  );

  it('holds the beginning of a value back until it is one or is none', () => {
    const masking = new Masking(['s3cr3t!']);
    expect(masking.push(Buffer.from('ask s3cr')).toString()).toBe('ask ');
    expect(masking.push(Buffer.from('et')).toString()).toBe('s3cret');
    expect(masking.push(Buffer.from('s3cr3t')).toString()).toBe('');
    expect(masking.push(Buffer.from('!.')).toString()).toBe('*******.');
  });

  it('masks the beginning of a value with which the output ends, when it is long enough to help', () => {
    expect(through(['correct horse battery'], 'got correct hor')).toBe('got ***********');
    expect(through(['correct horse battery'], 'got cor')).toBe('got cor');
  });

  it('passes bytes of any kind through', () => {
    const bytes = Buffer.from(Array.from({ length: 4_096 }, (_, at) => (at * 7) % 256));
    expect(through(['s3cr3t!'], bytes, [1, 2, 3, 1_000])).toBe(bytes.toString('latin1'));
  });

  it('never shows a value, keeps every offset, and does not depend on where the stream is cut', () => {
    const value = fc.string({ minLength: 6, maxLength: 30, unit: fc.constantFrom('a', 'b', 'ü', '/', '\n', ' ', '%') });
    const noise = fc.string({ maxLength: 20, unit: fc.constantFrom('a', 'b', 'ü', '/', '\n', ' ', '*') });
    fc.assert(
      fc.property(
        fc.array(
          value.filter((text) => text.replace(/\s/g, '').length >= 6),
          { minLength: 1, maxLength: 4 },
        ),
        fc.array(fc.oneof(noise, fc.nat(3)), { maxLength: 12 }),
        fc.array(fc.nat(500), { maxLength: 12 }),
        (values, parts, cuts) => {
          const text = parts.map((part) => (typeof part === 'number' ? values[part % values.length]! : part)).join('');
          const whole = through(values, text);
          expect(through(values, text, cuts)).toBe(whole);
          expect(whole.length).toBe(Buffer.byteLength(text));
          for (const one of values) expect(whole).not.toContain(Buffer.from(one).toString('latin1'));
          const before = Buffer.from(text).toString('latin1');
          for (let at = 0; at < whole.length; at++) if (whole[at] !== '*') expect(whole[at]).toBe(before[at]);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
