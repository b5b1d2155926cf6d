/**
 * What a controller has on disk, read by nobody's code but SQLite's: entries,
 * the tail that was cut, as a copy is opened. So a mistake in the node's own
 * reading cannot hide one in its writing.
 */
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import SQLite from 'better-sqlite3';
import type { Fact, KeptAnswer } from '../../node-runtime/contract/facts.ts';

export type SeenEntry = {
  index: number;
  term: string;
  chain: string;
  text: string;
  key: KeptAnswer | null;
  fact: Fact;
};
export type SeenJournal = { node: string; entries: SeenEntry[]; quarantine: SeenEntry[] };

type Row = { idx: number; era: number; number: number; node: string; text: string; chain: string };

/** The node may be running: what it writes meanwhile is in the copy or not. */
export function lookAtJournal(node: string, data: string): SeenJournal {
  const copy = mkdtempSync(path.join(tmpdir(), 'binnacle-look-'));
  try {
    cpSync(path.join(data, 'journal'), copy, { recursive: true });
    const database = new SQLite(path.join(copy, 'journal.db'));
    try {
      const rows = (table: string): SeenEntry[] =>
        database
          .prepare<[], Row>(`SELECT idx, era, number, node, text, chain FROM ${table} ORDER BY idx`)
          .all()
          .map(seen);
      return { node, entries: rows('entries'), quarantine: rows('quarantine') };
    } finally {
      database.close();
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function seen(row: Row): SeenEntry {
  const { key, fact } = JSON.parse(row.text) as { key?: KeptAnswer; fact: Fact };
  const term = `${row.era}.${row.number}.${row.node}`;
  return { index: row.idx, term, chain: row.chain, text: row.text, key: key ?? null, fact };
}

/** The chain as PROTOCOL section 2 defines it, written here a second time on purpose. */
export const chainAfter = (previous: string, entry: SeenEntry): string =>
  createHash('sha256').update(`${previous}\n${entry.term}\n${entry.index}\n${entry.text}`).digest('hex');
