/** How files and sandboxes are said in a row. */
import type { Entry, Sandbox } from '../../../node-runtime/contract/model.ts';
import { plural } from '../../kit/words.ts';

const kinds: Record<string, string> = {
  csv: 'Table',
  tsv: 'Table',
  json: 'JSON',
  yaml: 'YAML',
  yml: 'YAML',
  md: 'Text',
  txt: 'Text',
  log: 'Text',
  png: 'Image',
  jpg: 'Image',
  jpeg: 'Image',
  gif: 'Image',
  webp: 'Image',
  svg: 'Image',
  pdf: 'PDF',
  zip: 'Archive',
  gz: 'Archive',
  tar: 'Archive',
  py: 'Python',
  sql: 'SQL',
  parquet: 'Parquet',
};

export function sayKind(entry: Entry): string {
  if (entry.kind === 'folder') return entry.items === undefined ? 'Folder' : `Folder · ${entry.items}`;
  const wrong = entry.job && !entry.job.ok ? entry.job.problems[0] : undefined;
  if (wrong) return `Job · ${wrong.line ? `line ${wrong.line}: ` : ''}${wrong.sentence}`;
  if (entry.job) return entry.job.format === 'script' ? 'Script' : `Job · ${plural(entry.job.tasks, 'task')}`;
  return kinds[entry.name.slice(entry.name.lastIndexOf('.') + 1).toLowerCase()] ?? 'File';
}
export const isWrong = (entry: Entry): boolean => entry.job?.ok === false;
export const canLaunch = (entry: Entry): boolean => entry.job?.ok === true;

/** `node` is the name of the node where a local sandbox lies. */
export function sayMeaning(sandbox: Sandbox, solo: boolean, node: string | undefined): string {
  if (sandbox.kind === 'local')
    return `Its files lie on ${node ?? 'one node'} only${sandbox.directory ? `, in ${sandbox.directory}` : ''}. When that node is away, they are away too.`;
  if (sandbox.kind === 'partitioned') return 'Each part lies on one node; the console shows one tree.';
  return solo
    ? 'A shared sandbox is kept by the cluster, every version of every file. With one controller there is one copy.'
    : 'A shared sandbox is kept on both controllers and readable on every node. Nothing is lost when one node fails.';
}
