/**
 * How a file of a sandbox is served, told from its name alone.
 *
 * Everything here is chosen so that no file of a sandbox can act in our
 * origin: pages and drawings that may hold scripts go out as plain text, all
 * else unknown as bytes to be saved, sniffing is off, and the answer carries a
 * policy of its own that allows nothing. Contents are never looked at.
 */
import { basename, extname } from 'node:path';

const IMAGES: Record<string, string> = {
  '.avif': 'image/avif',
  '.bmp': 'image/bmp',
  '.gif': 'image/gif',
  '.ico': 'image/x-icon',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.png': 'image/png',
  '.webp': 'image/webp',
};

/** HTML, SVG and XML are among them on purpose. */
const TEXT_ENDINGS = new Set(
  `.adoc .asm .awk .bash .bat .c .cc .cfg .clj .cmake .cmd .conf .cpp .cs .csv .css .cts .cxx .dart .diff .env .erl .ex
  .fish .go .gradle .graphql .groovy .h .hpp .hs .htm .html .ini .ipynb .java .jl .js .json .json5 .jsonl .jsx .kt .less
  .log .lua .m .mak .md .mjs .cjs .mts .nix .patch .php .pl .pm .properties .proto .ps1 .py .r .rb .rs .rst .sass .scala
  .scss .sh .sql .srt .svelte .svg .swift .tcl .tex .tf .toml .ts .tsv .tsx .txt .vb .vim .vue .xhtml .xml .xsl .yaml
  .yml .zig .zsh`.split(/\s+/),
);
const TEXT_NAMES = new Set(
  'authors changelog codeowners copying dockerfile gemfile jenkinsfile license makefile notice procfile readme todo'
    .split(' ')
    .concat('.bashrc', '.dockerignore', '.editorconfig', '.env', '.gitattributes', '.gitignore', '.npmrc', '.profile'),
);

/** The media type for reading. Never one that a browser would run. */
export function mediaOf(path: string): string {
  const name = basename(path).toLowerCase();
  const ending = extname(name);
  if (TEXT_ENDINGS.has(ending) || TEXT_NAMES.has(name)) return 'text/plain; charset=utf-8';
  return IMAGES[ending] ?? 'application/octet-stream';
}

/** Headers for the bytes of a file; `download` always saves it, under its own name. */
export function fileHeaders(path: string, download: boolean): Record<string, string> {
  const media = mediaOf(path);
  const isShown = !download && media !== 'application/octet-stream';
  return {
    'content-type': media,
    'content-disposition': disposition(isShown ? 'inline' : 'attachment', basename(path)),
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
  };
}

/** RFC 6266, with the true name in UTF-8 and a plain one for old clients. */
export function disposition(kind: 'inline' | 'attachment', name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
