/**
 * Which language a file is written in, and its highlighter, loaded when first
 * needed. What is not known is shown as plain text.
 */

import type { StreamParser } from '@codemirror/language';
import type { Extension } from '@codemirror/state';

const byEnding: Record<string, string> = {
  yaml: 'yaml',
  yml: 'yaml',
  json: 'json',
  js: 'javascript',
  mjs: 'javascript',
  cjs: 'javascript',
  ts: 'javascript',
  py: 'python',
  sh: 'shell',
  bash: 'shell',
  zsh: 'shell',
  ps1: 'powershell',
  rb: 'ruby',
  pl: 'perl',
  toml: 'toml',
  ini: 'properties',
  cfg: 'properties',
  conf: 'properties',
  env: 'properties',
  sql: 'sql',
  xml: 'xml',
  svg: 'xml',
  html: 'xml',
  lua: 'lua',
  r: 'r',
  jl: 'julia',
  diff: 'diff',
  patch: 'diff',
  css: 'css',
  c: 'c',
  h: 'c',
  cpp: 'c',
  go: 'go',
  rs: 'rust',
};

export function languageOf(path: string, text = ''): string {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  if (name === 'dockerfile') return 'dockerfile';
  const known = byEnding[name.slice(name.lastIndexOf('.') + 1)];
  if (known && name.includes('.')) return known;
  const first = text.slice(0, 80);
  if (/^#!.*python/.test(first)) return 'python';
  if (/^#!.*(node|deno|bun)/.test(first)) return 'javascript';
  return first.startsWith('#!') ? 'shell' : 'plain';
}

type Loaded = StreamParser<unknown>;
const streams: Record<string, () => Promise<Loaded>> = {
  shell: async () => (await import('@codemirror/legacy-modes/mode/shell')).shell as Loaded,
  powershell: async () => (await import('@codemirror/legacy-modes/mode/powershell')).powerShell as Loaded,
  ruby: async () => (await import('@codemirror/legacy-modes/mode/ruby')).ruby as Loaded,
  perl: async () => (await import('@codemirror/legacy-modes/mode/perl')).perl as Loaded,
  toml: async () => (await import('@codemirror/legacy-modes/mode/toml')).toml as Loaded,
  properties: async () => (await import('@codemirror/legacy-modes/mode/properties')).properties as Loaded,
  sql: async () => (await import('@codemirror/legacy-modes/mode/sql')).standardSQL as Loaded,
  xml: async () => (await import('@codemirror/legacy-modes/mode/xml')).xml as Loaded,
  lua: async () => (await import('@codemirror/legacy-modes/mode/lua')).lua as Loaded,
  r: async () => (await import('@codemirror/legacy-modes/mode/r')).r as Loaded,
  julia: async () => (await import('@codemirror/legacy-modes/mode/julia')).julia as Loaded,
  diff: async () => (await import('@codemirror/legacy-modes/mode/diff')).diff as Loaded,
  css: async () => (await import('@codemirror/legacy-modes/mode/css')).css as Loaded,
  c: async () => (await import('@codemirror/legacy-modes/mode/clike')).c as Loaded,
  go: async () => (await import('@codemirror/legacy-modes/mode/go')).go as Loaded,
  rust: async () => (await import('@codemirror/legacy-modes/mode/rust')).rust as Loaded,
  dockerfile: async () => (await import('@codemirror/legacy-modes/mode/dockerfile')).dockerFile as Loaded,
};

export async function highlighterOf(language: string): Promise<Extension> {
  if (language === 'yaml') return (await import('@codemirror/lang-yaml')).yaml();
  if (language === 'json') return (await import('@codemirror/lang-json')).json();
  if (language === 'python') return (await import('@codemirror/lang-python')).python();
  if (language === 'javascript') return (await import('@codemirror/lang-javascript')).javascript({ typescript: true });
  const load = streams[language];
  if (!load) return [];
  const { StreamLanguage } = await import('@codemirror/language');
  return StreamLanguage.define(await load());
}
