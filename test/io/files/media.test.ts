/** No file of a sandbox may act in our origin. */
import { describe, expect, it } from 'vitest';
import { fileHeaders, mediaOf } from '../../../node-runtime/io/files/media.ts';

describe('media types', () => {
  it.each([
    'a.html',
    'a.HTM',
    'a.svg',
    'a.xhtml',
    'a.xml',
    'a.js',
    'x/a.mjs',
    'a.css',
    'a.job.yaml',
    'Makefile',
    '.env',
    'a.log',
  ])('serve %s as plain text', (path) => expect(mediaOf(path)).toBe('text/plain; charset=utf-8'));

  it.each([
    ['a.png', 'image/png'],
    ['a.JPEG', 'image/jpeg'],
    ['a.webp', 'image/webp'],
  ])('show %s as %s', (path, media) => expect(mediaOf(path)).toBe(media));

  it.each(['a.pdf', 'a.swf', 'a.exe', 'a', 'a.wasm', 'a.png.unknown', 'html'])('offer %s only for saving', (path) => {
    expect(mediaOf(path)).toBe('application/octet-stream');
    expect(fileHeaders(path, false)['content-disposition']).toMatch(/^attachment/);
  });

  it('forbid everything else and keep names whole', () => {
    const headers = fileHeaders('x/größe "1".svg', true);
    expect(headers).toEqual({
      'content-type': 'text/plain; charset=utf-8',
      'content-disposition': `attachment; filename="gr__e _1_.svg"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%221%22.svg`,
      'content-security-policy': "default-src 'none'; sandbox",
      'x-content-type-options': 'nosniff',
    });
  });
});
