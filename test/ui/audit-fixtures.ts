/** The audit of the small lab: one row of each kind that matters to an eye, and as many more as somebody scrolls through. */
import type { AuditRow } from '../../node-runtime/contract/model.ts';
import { ago } from './fixtures.ts';

const row = (index: number, s: number, of: Partial<AuditRow> & Pick<AuditRow, 'act' | 'sentence'>): AuditRow => ({
  ...{ index, term: '1.14.n-0a1b2c3d4e', at: ago(s), by: 'user:ops', who: 'ops', from: '10.0.4.77', via: 'atlas' },
  ...{ area: 'runs', subject: '', changes: [] },
  ...of,
});
const noor = { by: 'user:noor', who: 'noor', from: '10.0.4.81', via: 'borea' };
const program = { by: 'token:t-1', who: 'token nightly import on quay-2', from: '10.0.4.19' };
const cluster = { by: 'node', who: 'the cluster' };
const { from: _, ...byNode } = row(0, 0, { act: '', sentence: '', ...cluster, area: 'cluster' });

export const acts: AuditRow[] = [
  row(81_204, 12, {
    ...{ act: 'runLaunched', subject: 'r-8f2c', sentence: 'ops launched jobs/nightly.job.yaml of ingest as r-8f2c' },
    changes: [{ what: 'revision', after: '7' }],
  }),
  row(81_201, 50, {
    ...{ area: 'people', act: 'userChanged', subject: 'mara', sentence: 'ops made mara operator', via: 'borea' },
    changes: [{ what: 'role', before: 'viewer', after: 'operator' }],
  }),
  row(81_190, 130, {
    ...{ area: 'cluster', act: 'nodeDrained', subject: 'delta', sentence: 'ops drained delta: it gets no new tasks' },
    changes: [{ what: 'drained', before: 'no', after: 'yes' }],
  }),
  row(81_002, 1_900, {
    ...noor,
    ...{ area: 'files', act: 'filesChanged', subject: 'ingest', sentence: 'noor changed 3 paths in ingest' },
    changes: [
      {
        what: 'jobs/nightly.job.yaml',
        before: 'version 6, 4f1c09ae77d2, 2114 bytes',
        after: 'b07de21144c9, 2250 bytes',
      },
      { what: 'jobs/steps/a-step-with-quite-a-long-name-that-has-to-be-broken.py', after: 'aa10e5f0c3b1, 611 bytes' },
      { what: 'jobs/old.sh', before: 'version 2, 0c0ffee0c0ff, 88 bytes' },
    ],
  }),
  row(80_990, 5_100, {
    ...{ area: 'cluster', act: 'watchAppointed', subject: 'deck-17' },
    sentence: 'ops appointed deck-17 as the watch that is wanted first',
    changes: [{ what: 'preferred watch', before: 'quay-2', after: 'deck-17' }],
  }),
  row(80_960, 5_160, { ...noor, area: 'people', act: 'signedIn', subject: 'noor', sentence: 'noor signed in' }),
  {
    ...byNode,
    ...{ index: 80_880, at: ago(5_380), act: 'leadChanged', subject: 'atlas' },
    sentence: 'atlas is active in term 1.14: borea hands over',
    changes: [
      { what: 'active', before: 'borea', after: 'atlas' },
      { what: 'holds every entry', before: 'borea and atlas', after: 'atlas and borea' },
      { what: 'why', after: 'borea hands over' },
    ],
  },
  row(80_879, 5_381, {
    ...{ area: 'cluster', act: 'switchOverAsked', subject: 'borea', sentence: 'ops asked for a switch-over' },
  }),
  row(80_400, 26_000, {
    ...{ ...program, area: 'files', act: 'filesChanged', subject: 'ingest' },
    sentence: 'token nightly import on quay-2 wrote frames/2026-11-21/results-of-a-very-long-measurement.csv in ingest',
    changes: [{ what: 'frames/2026-11-21/results.csv', after: '9911aa22bb33, 48200000 bytes' }],
  }),
  {
    ...byNode,
    ...{
      index: 80_200,
      at: ago(29_000),
      act: 'lossConfirmed',
      subject: 'borea',
      by: 'user:noor',
      who: 'noor',
      via: 'borea',
    },
    sentence:
      'noor confirmed a loss: borea is active in term 1.13. At most 61 acknowledged entries are lost: 80140 to 80200.',
    changes: [
      { what: 'active', before: 'atlas', after: 'borea' },
      { what: 'may be lost', after: 'At most 61 acknowledged entries are lost: 80140 to 80200.' },
      { what: 'declared lost', after: 'atlas' },
      { what: 'statement', after: 'I have seen that atlas is off: its power supply smokes.' },
      { what: 'evidence', after: 'newest 1.12.atlas; highest term 1.12.atlas; heard deck-17#c3' },
    ],
  },
  row(79_100, 90_000, {
    ...{ area: 'cluster', act: 'joinRefused', subject: 'stranger', from: 'this computer', by: 'desktop' },
    ...{ who: 'desktop of atlas', sentence: 'desktop of atlas did not let in stranger, which asked from 10.0.9.9' },
    changes: [{ what: 'asked from', after: '10.0.9.9' }],
  }),
];

/** Two thousand launches before them. */
export const older: AuditRow[] = Array.from({ length: 2_000 }, (_, i) =>
  row(79_000 - i * 3, 100_000 + i * 40, {
    ...(i % 3 === 0 ? program : i % 3 === 1 ? noor : {}),
    ...{ act: 'runLaunched', subject: `r-${i}`, sentence: `somebody launched jobs/step-${i % 9}.job.yaml as r-${i}` },
  }),
);
export const allActs = [...acts, ...older];
