/** What the journal has kept is answered before history and audit are written. */
import { rmSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import type { Answers, Request } from '../../../node-runtime/io/journal/messages.ts';
import { openStore } from '../../../node-runtime/io/journal/opening.ts';
import { Store } from '../../../node-runtime/io/journal/store.ts';
import { entriesUpTo, freshFolder } from './folders.ts';

let store: Store;
let folder: string;
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

test("an append does not wait for the audit's rows that came with it, and each is answered once", () => {
  folder = freshFolder();
  store = new Store(folder, openStore(folder));
  const row = {
    ...{ index: 1, at: 1, term: '0.1.a', by: 'user:ops', via: 'a', area: 'files', act: 'x', subject: 's' },
    ...{ words: 'words of it', text: '{"index":1}' },
  };
  const group: Request[] = [
    { id: 1, full: 0, ask: { kind: 'append', entries: entriesUpTo(1) } },
    { id: 2, full: 0, ask: { kind: 'fileAudit', filing: { rows: [row] } } },
  ];
  const listed = (id: number): unknown[] => {
    const asked: Request = { id, full: 0, ask: { kind: 'audited', filter: { limit: 5 } } };
    return store.carryOut([asked]).values.map(({ value }) => value);
  };
  let first: Answers | null = null;
  let rowsThen: unknown[] = ['not looked'];
  const rest = store.carryOut(group, (answers) => {
    first = answers;
    rowsThen = listed(3);
  });
  expect(first).toMatchObject({ done: [1], failed: [] });
  expect(rowsThen).toEqual([[]]);
  expect(rest).toMatchObject({ done: [2], failed: [] });
  expect(listed(4)).toEqual([[row.text]]);
});
