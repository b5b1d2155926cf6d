/**
 * Random lists of changes against the simplest model that could be right: a
 * plain object of paths. Decide must refuse exactly what the model cannot do,
 * and every revision must be readable afterwards as it was then.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FileChange } from '../../../node-runtime/contract/facts.ts';
import { listFolder, manifestAt, trashOf, versionsOf } from '../../../node-runtime/core/sandboxes/listing.ts';
import {
  applyToSandboxes,
  emptySandboxes,
  loadSandboxes,
  type SandboxRecord,
  saveSandboxes,
} from '../../../node-runtime/core/sandboxes/sandboxes.ts';
import { Lab, put } from './support.ts';

/** Path → content of a file, or null for a folder. `past` holds every content a path ever had, per version. */
type Model = { now: Record<string, number | null>; past: Record<string, (number | null)[]> };

const parents = (path: string): string[] => {
  const names = path.split('/');
  return names.slice(1).map((_, i) => names.slice(0, i + 1).join('/'));
};
const isBelow = (path: string, folder: string) => path.startsWith(`${folder}/`);

/** The model after the change, or null where it cannot be done. */
function after(model: Model, change: FileChange): Model | null {
  const { now, past } = structuredClone(model);
  let blocked = false;
  const has = (path: string) => Object.hasOwn(now, path);
  const write = (path: string, content: number | null) => {
    for (const parent of parents(path)) {
      if (typeof now[parent] === 'number') blocked = true;
      now[parent] = null;
    }
    now[path] = content;
    if (content !== null) past[path] = [...(past[path] ?? []), content];
  };
  const erase = (path: string) => {
    for (const each of Object.keys(now)) {
      if (each !== path && !isBelow(each, path)) continue;
      if (now[each] !== null) past[each]!.push(null);
      delete now[each];
    }
  };
  const bring = (path: string, to: string) => {
    for (const [each, content] of Object.entries(model.now)) {
      if (each === path || isBelow(each, path)) write(to + each.slice(path.length), content);
    }
  };
  if (change.op === 'put') {
    if (now[change.path] === null) return null;
    write(change.path, change.bytes);
  } else if (change.op === 'folder') {
    if (has(change.path)) return null;
    write(change.path, null);
  } else if (change.op === 'remove') {
    if (!has(change.path)) return null;
    erase(change.path);
  } else if (change.op === 'restore') {
    const content = past[change.path]?.[change.version - 1] ?? null;
    if (content === null || now[change.path] === null) return null;
    write(change.path, content);
  } else {
    if (!has(change.path) || isBelow(change.to, change.path) || has(change.to)) return null;
    bring(change.path, change.to);
    // while both are there they may differ by case alone only if this is a change of case in place
    const isRecased = change.op === 'move' && change.path.toLowerCase() === change.to.toLowerCase();
    const isInPlace = parents(change.path).at(-1) === parents(change.to).at(-1);
    if (!(isRecased && isInPlace) && !isWhole(now)) return null;
    if (change.op === 'move') erase(change.path);
  }
  return !blocked && isWhole(now) ? { now, past } : null;
}

/** No file above anything, and no two names of one folder that differ only by case. */
function isWhole(now: Model['now']): boolean {
  const paths = Object.keys(now);
  const folded = new Set(paths.map((path) => path.toLowerCase()));
  return folded.size === paths.length && paths.every((path) => parents(path).every((parent) => now[parent] === null));
}

const name = fc.constantFrom('a', 'b', 'c', 'd', 'A');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));
const content = fc.integer({ min: 1, max: 9 });
const change: fc.Arbitrary<FileChange> = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(path, content).map(([at, bytes]) => put(at, bytes)) },
  { weight: 1, arbitrary: path.map((at) => ({ op: 'folder' as const, path: at })) },
  { weight: 2, arbitrary: path.map((at) => ({ op: 'remove' as const, path: at })) },
  { weight: 3, arbitrary: fc.tuple(path, path).map(([at, to]) => ({ op: 'move' as const, path: at, to })) },
  { weight: 2, arbitrary: fc.tuple(path, path).map(([at, to]) => ({ op: 'copy' as const, path: at, to })) },
  {
    weight: 3,
    arbitrary: fc.tuple(path, fc.integer({ min: 1, max: 4 })).map(([at, version]) => ({
      op: 'restore' as const,
      path: at,
      version,
    })),
  },
);
const lists = fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { minLength: 5, maxLength: 40, size: 'max' });

const filesOf = (now: Model['now']) =>
  Object.entries(now)
    .filter(([, bytes]) => bytes !== null)
    .sort(([a], [b]) => (a < b ? -1 : 1));

function seen(record: SandboxRecord, folder = ''): Model['now'] {
  const found: Model['now'] = {};
  let cursor: string | undefined;
  do {
    const page = listFolder(record, folder, cursor, 2);
    if ('code' in page) throw new Error(page.detail);
    for (const each of page.entries) {
      found[each.path] = each.kind === 'file' ? each.bytes : null;
      if (each.kind === 'folder') Object.assign(found, seen(record, each.path));
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return found;
}

describe('a kept sandbox', () => {
  it('does what a plain tree of files would do, keeps every revision, and survives a snapshot', () => {
    let done = 0;
    let refused = 0;
    fc.assert(
      fc.property(lists, (all) => {
        const lab = new Lab();
        let model: Model = { now: {}, past: {} };
        const pinned: Model['now'][] = [{}];
        for (const list of all) {
          const expected = list.reduce<Model | null>((before, each) => before && after(before, each), model);
          const before = JSON.stringify(saveSandboxes(lab.state));
          const outcome = lab.change(list);
          expect(outcome === 'done', `${JSON.stringify(list)} on ${JSON.stringify(model.now)}: ${outcome}`).toBe(
            expected !== null,
          );
          if (!expected) {
            expect(JSON.stringify(saveSandboxes(lab.state))).toBe(before);
            refused += 1;
            continue;
          }
          done += 1;
          model = expected;
          pinned.push(structuredClone(model.now));
          expect(seen(lab.record)).toEqual(model.now);
        }
        checkAll(lab, model, pinned);
      }),
      { numRuns: 400 },
    );
    // both ways must be walked often, or the test shows nothing
    expect(Math.min(done, refused)).toBeGreaterThan(500);
  });
});

function checkAll(lab: Lab, model: Model, pinned: Model['now'][]): void {
  const { record } = lab;
  expect(record.revision).toBe(pinned.length - 1);
  expect([record.tree.files, record.tree.bytes]).toEqual([
    filesOf(model.now).length,
    filesOf(model.now).reduce((sum, [, bytes]) => sum + bytes!, 0),
  ]);
  for (const [path, past] of Object.entries(model.past)) {
    const versions = versionsOf(record, path);
    if ('code' in versions) throw new Error(versions.detail);
    expect(versions.toReversed().map((each) => (each.removed ? null : each.bytes))).toEqual(past);
  }
  for (const { path, version } of trashOf(record).items) expect(model.past[path]?.[version - 1]).toBeTypeOf('number');

  const copies = [lab.state, loadSandboxes(JSON.parse(JSON.stringify(saveSandboxes(lab.state)))), emptySandboxes()];
  for (const each of lab.entries) applyToSandboxes(copies[2]!, JSON.parse(JSON.stringify(each)));
  for (const state of copies) {
    expect(saveSandboxes(state)).toEqual(saveSandboxes(lab.state));
    const its = state.get('lab')!;
    expect(seen(its)).toEqual(model.now);
    expect(trashOf(its)).toEqual(trashOf(record));
    expect([its.tree.files, its.tree.bytes, its.tree.entries]).toEqual([
      record.tree.files,
      record.tree.bytes,
      record.tree.entries,
    ]);
    for (const [revision, now] of pinned.entries()) {
      expect(manifestAt(its, revision).map((line) => [line.path, line.bytes])).toEqual(filesOf(now));
    }
  }
}
