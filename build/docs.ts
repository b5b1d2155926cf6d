/**
 * Generated documents: docs/api.md, docs/errors.md, docs/job-file.md and the
 * two machine-readable ones. `--check` writes nothing and fails when a
 * committed one is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { jobFileJsonSchema } from '../node-runtime/contract/job-file.ts';
import { errorsMarkdown, routesMarkdown } from '../node-runtime/io/http/documents.ts';
import { openapiText } from '../node-runtime/io/http/openapi.ts';
import { programVersion } from '../node-runtime/version.ts';
import { jobFileMarkdown } from './job-file-document.ts';

const docs = fileURLToPath(new URL('../docs/', import.meta.url));
const made: Record<string, string> = {
  'api.md': routesMarkdown(),
  'errors.md': errorsMarkdown(),
  'job-file.md': jobFileMarkdown(jobFileJsonSchema()),
  'openapi.json': openapiText(programVersion),
  'job-file.schema.json': `${JSON.stringify(jobFileJsonSchema(), null, 2)}\n`,
};

const stale: string[] = [];
for (const [name, text] of Object.entries(made)) {
  let before = '';
  try {
    before = readFileSync(docs + name, 'utf8');
  } catch {
    // Not there yet: written below, or stale.
  }
  if (before === text) continue;
  if (process.argv.includes('--check')) stale.push(name);
  else writeFileSync(docs + name, text);
}
if (stale.length > 0) {
  console.log(`stale: ${stale.join(', ')}. Renew with: npm run docs`);
  process.exit(1);
}
