/** Who did what: which entries get a row, in which words, with what before and after, and never a secret. */
import { describe, expect, test } from 'vitest';
import type { Charter, Entry, Fact, Plan } from '../../../node-runtime/contract/facts.ts';
import { limits } from '../../../node-runtime/contract/limits.ts';
import { AuditRow } from '../../../node-runtime/contract/model.ts';
import { auditOf } from '../../../node-runtime/core/audit/audit.ts';
import { changesText, csvCell, csvHead, csvLine } from '../../../node-runtime/core/audit/csv.ts';
import { applyEntry, emptyReplicated, type Replicated } from '../../../node-runtime/core/replicated.ts';

const A = 'n-00000000aa';
const B = 'n-00000000bb';
const SECRET = 'not-to-be-seen';
const AT = Date.UTC(2026, 2, 1, 9, 30);
const hash = (letter: string): string => letter.repeat(64);
const plan: Plan = { name: 'Calibrate', format: 'job', tasks: [] };

const charterOf = (active: string, more: Partial<Charter> = {}): Charter => ({
  ...{ term: { era: 0, number: 4, node: active }, follows: null, active, writeSet: [`${active}#s1`] },
  ...{ voters: [], reason: 'the active was silent', at: AT, ...more },
});

/** A journal of one entry after another, and the rows that it gives. */
class Told {
  readonly state: Replicated = emptyReplicated();

  say(fact: Fact, of: Partial<Pick<Entry, 'by' | 'via' | 'from'>> = {}) {
    const origin = { by: 'user:ops', via: 'ctl-a', from: '10.0.0.7', ...of };
    const term = { era: 0, number: 3, node: A };
    const entry: Entry = { term, index: this.state.index + 1, at: AT, ...origin, fact };
    const row = auditOf(this.state, entry);
    applyEntry(this.state, entry);
    if (row) expect(AuditRow.parse(row)).toEqual(row);
    expect(JSON.stringify(row)).not.toContain(SECRET);
    return row;
  }
}

function lab(): Told {
  const told = new Told();
  told.say({ kind: 'clusterFounded', cluster: 'c-1', name: 'lab', node: A, nodeName: 'ctl-a' }, { by: 'node' });
  told.say({ kind: 'activated', charter: charterOf(A, { reason: 'founded' }) }, { by: 'node' });
  const joined = { store: 's2', addresses: ['10.0.0.2:7401'], slots: 4, speaks: 1, program: '0.1.0', invite: 'i-1' };
  told.say({ kind: 'nodeJoined', node: B, name: 'ctl-b', duties: ['worker'], ...joined }, { by: 'node' });
  told.say({ kind: 'userCreated', name: 'noor', role: 'viewer', passwordHash: SECRET });
  told.say({ kind: 'sandboxCreated', name: 'line-qa', storage: 'kept', description: 'Quality' });
  const put = { op: 'put', path: 'jobs/a.sh', hash: hash('a'), bytes: 120, executable: true } as const;
  told.say({ kind: 'filesChanged', sandbox: 'line-qa', changes: [put] });
  const launched = { sandbox: 'line-qa', path: 'jobs/a.sh', revision: 1, parameters: { password: SECRET }, plan };
  told.say({ kind: 'runLaunched', run: 'r-1', ...launched });
  return told;
}

const end = { at: AT, state: 'failed', cause: 'exit', exitCode: 1, outputBytes: 0, outputCut: false } as const;
const attempt = { run: 'r-1', task: 'load', number: 1 };

/** Every kind of fact, as people and as nodes bring it: the act and the sentence of its row, or none. */
const kinds: { [K in Fact['kind']]: [Extract<Fact, { kind: K }>, [string, string] | null, string?] } = {
  clusterFounded: [
    { kind: 'clusterFounded', cluster: 'c-2', name: 'lab', node: A, nodeName: 'ctl-a' },
    ['clusterFounded', 'ctl-a founded the cluster lab'],
    'node',
  ],
  activated: [
    { kind: 'activated', charter: charterOf(B) },
    ['leadChanged', 'ctl-b is active in term 0.4: the active was silent'],
    'node',
  ],
  nodeJoined: [
    {
      ...{ kind: 'nodeJoined', node: 'n-00000000cc', store: 's', name: 'press-2', duties: ['worker', 'watch'] },
      ...{ addresses: [], slots: 1, speaks: 1, program: '0.1.0', invite: 'i-2' },
    },
    ['nodeJoined', 'press-2 joined as worker and watch'],
    'node',
  ],
  nodeChanged: [
    { kind: 'nodeChanged', node: B, program: '0.2.0', slots: 8 },
    ['nodeChanged', 'ctl-b says that it has changed: program, slots'],
    'node',
  ],
  dutiesChanged: [
    { kind: 'dutiesChanged', node: B, duties: ['controller', 'worker'] },
    ['dutiesChanged', 'ops made ctl-b controller and worker'],
  ],
  watchAppointed: [
    { kind: 'watchAppointed', node: B },
    ['watchAppointed', 'ops appointed ctl-b as the watch that is wanted first'],
  ],
  nodeDrained: [
    { kind: 'nodeDrained', node: B, drained: true },
    ['nodeDrained', 'ops drained ctl-b: it gets no new tasks'],
  ],
  nodeRemoved: [{ kind: 'nodeRemoved', node: B }, ['nodeRemoved', 'ops removed ctl-b from the cluster']],
  workerRead: [{ kind: 'workerRead', node: B }, null, 'node'],
  inviteMade: [
    { kind: 'inviteMade', id: 'i-9', hash: SECRET, duties: ['worker'], expiresAt: AT },
    ['inviteMade', 'ops made an invite for a node as worker'],
  ],
  inviteRemoved: [{ kind: 'inviteRemoved', id: 'i-9' }, ['inviteRemoved', 'ops took back the invite i-9']],
  joinRefused: [
    { kind: 'joinRefused', name: 'stranger', address: '10.9.9.9' },
    ['joinRefused', 'ops did not let in stranger, which asked from 10.9.9.9'],
  ],
  authorityAdded: [
    {
      kind: 'authorityAdded',
      before: { fingerprint: 'ab'.repeat(32), cert: 'PEM' },
      next: { fingerprint: 'cd'.repeat(32), cert: 'PEM' },
    },
    ['authorityAdded', 'ops began to change the authority of the cluster'],
  ],
  authorityTurned: [
    { kind: 'authorityTurned' },
    ['authorityTurned', 'All nodes trust the new authority: it signs from here on'],
    'node',
  ],
  authoritySettled: [
    { kind: 'authoritySettled' },
    ['authoritySettled', 'All nodes have new certificates: the old authority is trusted no more'],
    'node',
  ],
  leadAsked: [{ kind: 'leadAsked', what: 'switchOver' }, ['switchOverAsked', 'ops asked for a switch-over']],
  versionEnabled: [
    { kind: 'versionEnabled', version: 2 },
    ['versionEnabled', 'All nodes read version 2 of the protocol: it is used from here on'],
    'node',
  ],
  userCreated: [
    { kind: 'userCreated', name: 'mia', role: 'operator', passwordHash: SECRET },
    ['userCreated', 'ops added mia as operator'],
  ],
  userChanged: [
    { kind: 'userChanged', name: 'noor', role: 'operator', passwordHash: SECRET },
    ['userChanged', 'ops made noor operator and set the password of noor'],
  ],
  userRemoved: [{ kind: 'userRemoved', name: 'noor' }, ['userRemoved', 'ops removed noor']],
  tokenCreated: [
    { kind: 'tokenCreated', id: 't1', use: 'token', label: 'ci', role: 'operator', hash: SECRET },
    ['tokenCreated', 'ops made the token ci with the role operator'],
  ],
  tokenRemoved: [{ kind: 'tokenRemoved', id: 't9' }, ['tokenRemoved', 'ops removed the token t9']],
  sandboxCreated: [
    { kind: 'sandboxCreated', name: 'plc', storage: 'local', node: B, directory: '/srv/plc', description: '' },
    ['sandboxCreated', 'ops made the sandbox plc'],
  ],
  secretSaved: [
    { kind: 'secretSaved', name: 'DB_PASSWORD', version: 1, sealed: SECRET },
    ['secretSaved', 'ops saved the secret DB_PASSWORD'],
  ],
  secretRemoved: [
    { kind: 'secretRemoved', name: 'DB_PASSWORD' },
    ['secretRemoved', 'ops removed the secret DB_PASSWORD'],
  ],
  tokensUsed: [{ kind: 'tokensUsed', used: [{ id: 't9', at: 1 }] }, null],
  sessionsEnded: [{ kind: 'sessionsEnded', ids: ['t8', 't9'] }, ['sessionsEnded', 'ops ended 2 sessions of somebody']],
  sandboxRightsChanged: [
    { kind: 'sandboxRightsChanged', name: 'line-qa', rights: [{ who: 'everyone', may: ['read'] }] },
    ['sandboxRightsChanged', 'ops said who may do what in line-qa'],
  ],
  sandboxRemoved: [{ kind: 'sandboxRemoved', name: 'line-qa' }, ['sandboxRemoved', 'ops removed the sandbox line-qa']],
  filesChanged: [
    { kind: 'filesChanged', sandbox: 'line-qa', changes: [{ op: 'remove', path: 'jobs/a.sh' }] },
    ['filesChanged', 'ops removed jobs/a.sh in line-qa'],
  ],
  localFilesChanged: [
    { kind: 'localFilesChanged', sandbox: 'plc', act: 'move', paths: ['a', 'b'] },
    ['localFilesChanged', 'ops moved a → b in plc'],
  ],
  runLaunched: [
    { kind: 'runLaunched', run: 'r-2', sandbox: 'line-qa', path: 'jobs/a.sh', parameters: { key: SECRET }, plan },
    ['runLaunched', 'ops launched jobs/a.sh of line-qa as r-2'],
  ],
  attemptPlaced: [{ kind: 'attemptPlaced', ...attempt, node: B }, null, 'node'],
  attemptStarted: [{ kind: 'attemptStarted', ...attempt, at: AT }, null, 'node'],
  attemptLost: [{ kind: 'attemptLost', ...attempt }, null, 'node'],
  attemptAdopted: [{ kind: 'attemptAdopted', ...attempt, node: B }, null, 'node'],
  attemptEnded: [{ kind: 'attemptEnded', ...attempt, end }, null, 'node'],
  taskSkipped: [{ kind: 'taskSkipped', run: 'r-1', task: 'load', state: 'skipped', reason: 'if' }, null, 'node'],
  cancelAsked: [{ kind: 'cancelAsked', run: 'r-1' }, ['runCancelled', 'ops cancelled r-1 (Calibrate)']],
  runEnded: [{ kind: 'runEnded', run: 'r-1', state: 'failed' }, null, 'node'],
};

/** The row of one more fact; what applying it needs beyond the lab is not asked for. */
function rowOf(fact: Fact, of: Partial<Pick<Entry, 'by' | 'via' | 'from'>> = {}, told = lab()) {
  const entry = { by: 'user:ops', via: 'ctl-a', from: '10.0.0.7', ...of };
  const row = auditOf(told.state, { term: { era: 0, number: 3, node: A }, index: 99, at: AT, ...entry, fact });
  if (row) expect(AuditRow.parse(row)).toEqual(row);
  return row;
}

describe('every kind of fact', () => {
  test.each(Object.entries(kinds))('%s is told in its words, or is nobody’s change', (_, [fact, wanted, by]) => {
    const row = rowOf(fact, by ? { by } : {});
    expect(row && [row.act, row.sentence]).toEqual(wanted);
    expect(JSON.stringify(row)).not.toContain(SECRET);
    if (row) expect(row).toMatchObject({ index: 99, term: `0.3.${A}`, at: '2026-03-01T09:30:00.000Z', via: 'ctl-a' });
  });
});

describe('before and after', () => {
  const changesOf = (fact: Fact, told = lab()) => rowOf(fact, {}, told)!.changes;

  test('the role of a person', () => {
    expect(changesOf({ kind: 'userChanged', name: 'noor', role: 'operator' })).toEqual([
      { what: 'role', before: 'viewer', after: 'operator' },
    ]);
  });

  test('a new password is told without it, and without a role that stays', () => {
    expect(changesOf({ kind: 'userChanged', name: 'noor', passwordHash: SECRET })).toEqual([
      { what: 'password', after: 'set anew' },
    ]);
  });

  test('duties, draining, a preferred watch', () => {
    expect(changesOf({ kind: 'dutiesChanged', node: B, duties: ['watch'] })).toEqual([
      { what: 'duties', before: 'worker', after: 'watch' },
    ]);
    expect(changesOf({ kind: 'nodeDrained', node: B, drained: true })).toEqual([
      { what: 'drained', before: 'no', after: 'yes' },
    ]);
    expect(changesOf({ kind: 'watchAppointed', node: B })).toEqual([{ what: 'preferred watch', after: 'ctl-b' }]);
  });

  test('a file: version, beginning of the hash, size', () => {
    const put = { op: 'put', path: 'jobs/a.sh', hash: hash('b'), bytes: 133, executable: true } as const;
    expect(changesOf({ kind: 'filesChanged', sandbox: 'line-qa', changes: [put] })).toEqual([
      { what: 'jobs/a.sh', before: 'version 1, aaaaaaaaaaaa, 120 bytes', after: 'bbbbbbbbbbbb, 133 bytes' },
    ]);
    const restore = { op: 'restore', path: 'jobs/a.sh', version: 1 } as const;
    expect(changesOf({ kind: 'filesChanged', sandbox: 'line-qa', changes: [restore] })[0]).toMatchObject({
      after: 'as version 1, aaaaaaaaaaaa, 120 bytes',
    });
  });

  test('of a removed sandbox what it was', () => {
    expect(changesOf({ kind: 'sandboxRemoved', name: 'line-qa' })).toEqual([
      { what: 'files', before: '1' },
      { what: 'description', before: 'Quality' },
    ]);
  });

  test('a node that is updated says from which program to which', () => {
    expect(changesOf({ kind: 'nodeChanged', node: B, program: '0.2.0' })).toEqual([
      { what: 'program', before: '0.1.0', after: '0.2.0' },
    ]);
  });

  test('thousands of changes are counted, the first are listed, and every text has a bound', () => {
    const changes = Array.from({ length: 5_000 }, (_, i) => ({
      op: 'remove' as const,
      path: `${'x'.repeat(900)}${i}`,
    }));
    const row = rowOf({ kind: 'filesChanged', sandbox: 'line-qa', changes })!;
    expect(row.sentence).toBe('ops changed 5000 paths in line-qa');
    expect(row.changes).toHaveLength(limits.auditChangesMax);
    expect(row.more).toBe(5_000 - limits.auditChangesMax);
    expect(row.changes[0]!.what).toHaveLength(limits.auditCharsMax);
  });
});

describe('who it was', () => {
  test('a person, a token by its label, the desktop of a node, the cluster; and from where', () => {
    const told = lab();
    told.say({ kind: 'tokenCreated', id: 't1', use: 'token', label: 'ci', role: 'operator', hash: SECRET });
    const drained: Fact = { kind: 'nodeDrained', node: B, drained: true };
    const who = (by: string) => rowOf(drained, { by }, told)!.who;
    expect([who('user:ops'), who('token:t1'), who('token:t2'), who('desktop'), who('node')]).toEqual([
      ...['ops', 'token ci', 'token t2', 'desktop of ctl-a', 'the cluster'],
    ]);
    expect(rowOf(drained, { from: 'this computer', via: 'deck-17' })).toMatchObject({
      from: 'this computer',
      via: 'deck-17',
    });
    const { from: _, ...entry } = { by: 'node', via: 'ctl-a', from: undefined };
    const row = auditOf(told.state, {
      term: { era: 0, number: 3, node: A },
      index: 9,
      at: AT,
      ...entry,
      fact: drained,
    });
    expect(row).not.toHaveProperty('from');
  });

  test('a sign-in, and the end of a session: one’s own, or another’s', () => {
    const told = lab();
    const session = { use: 'session', role: 'viewer', hash: SECRET, expiresAt: AT + 1_000 } as const;
    const made: Fact = { kind: 'tokenCreated', id: 's1', label: 'noor', user: 'noor', ...session };
    expect(told.say(made, { by: 'user:noor' })).toMatchObject({ act: 'signedIn', sentence: 'noor signed in' });
    const ended: Fact = { kind: 'tokenRemoved', id: 's1' };
    expect(rowOf(ended, { by: 'user:noor' }, told)).toMatchObject({ sentence: 'noor ended a session of their own' });
    expect(rowOf(ended, {}, told)).toMatchObject({ act: 'sessionEnded', sentence: 'ops ended a session of noor' });
  });

  test('a link that signs in once is told when it is made; its use is the sign-in that follows', () => {
    const told = lab();
    const link: Fact = { kind: 'tokenCreated', id: 'l1', use: 'link', label: 'ops', role: 'admin', hash: SECRET };
    expect(told.say(link)).toMatchObject({ act: 'linkMade', sentence: 'ops made a link that signs in once as admin' });
    expect(told.say({ kind: 'tokenRemoved', id: 'l1' })).toBeNull();
  });

  test('what a person decides about a lost task is theirs; that it ended is nobody’s', () => {
    const decided: Fact = { kind: 'attemptEnded', ...attempt, end: { ...end, cause: 'lost' }, retryAt: AT };
    expect(rowOf(decided)).toMatchObject({
      act: 'taskDecided',
      sentence: 'ops decided that load of r-1, whose worker was lost, is to be started again',
    });
  });
});

describe('who leads', () => {
  test('a fail-over says who led before, who leads now, and why', () => {
    const row = rowOf(
      { kind: 'activated', charter: charterOf(B, { writeSet: [`${B}#s2`, `${A}#s1`] }) },
      { by: 'node' },
    );
    expect(row).toMatchObject({ act: 'leadChanged', subject: 'ctl-b', by: 'node' });
    expect(row!.changes).toEqual([
      { what: 'active', before: 'ctl-a', after: 'ctl-b' },
      { what: 'holds every entry', before: 'ctl-a', after: 'ctl-b and ctl-a' },
      { what: 'why', after: 'the active was silent' },
    ]);
  });

  test('nodes are called by their names in reasons, and whoever ended a parking is named', () => {
    const handed = rowOf({ kind: 'activated', charter: charterOf(B, { reason: `${B} hands over` }) }, { by: 'node' });
    expect(handed!.sentence).toBe('ctl-b is active in term 0.4: ctl-b hands over');
    const ended = charterOf(B, { reason: 'activated by user:noor' });
    expect(rowOf({ kind: 'activated', charter: ended }, { by: 'node' })).toMatchObject({
      by: 'user:noor',
      who: 'noor',
    });
  });

  test('a confirmed loss stands there with its evidence, its statement and what may be lost, under the name of the person', () => {
    const claim = {
      ...{ id: 'claim-1', cluster: 'c-1', lost: [`${B}#s2`], candidate: A, incarnation: 'x' },
      ...{ newest: { era: 0, number: 3, node: B }, evidence: `newest 0.3.${B}; heard nobody`, by: 'user:noor' },
      ...{ statement: 'The machine is off, I stand beside it', at: AT, expiresAt: AT + 1 },
    };
    const loss = { from: 8, upTo: 11, certain: 'at most' as const };
    const charter = charterOf(A, { claim, loss, term: { era: 1, number: 5, node: A } });
    const row = rowOf({ kind: 'activated', charter, loss }, { by: 'node' })!;
    expect(row).toMatchObject({ act: 'lossConfirmed', by: 'user:noor', who: 'noor' });
    expect(row.sentence).toBe(
      'noor confirmed a loss: ctl-a is active in term 1.5. At most 4 acknowledged entries are lost: 8 to 11.',
    );
    expect(row.changes.slice(-4)).toEqual([
      { what: 'may be lost', after: 'At most 4 acknowledged entries are lost: 8 to 11.' },
      { what: 'declared lost', after: 'ctl-b' },
      { what: 'statement', after: 'The machine is off, I stand beside it' },
      { what: 'evidence', after: 'newest 0.3.ctl-b; heard nobody' },
    ]);
  });
});

describe('as a table for spreadsheets', () => {
  test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '\n=1'])('%j is text, no formula', (text) => {
    expect(csvCell(text)).toBe(`"'${text}"`);
  });

  test('quotes, commas and line ends stay inside their cell', () => {
    expect(csvCell('a "b", c\nd')).toBe('"a ""b"", c\nd"');
    expect(csvHead.endsWith('\r\n')).toBe(true);
  });

  test('a row has as many cells as the head', () => {
    const row = rowOf({ kind: 'userChanged', name: 'noor', role: 'operator' })!;
    const cells = (line: string) => line.trimEnd().slice(1, -1).split('","');
    expect(cells(csvLine(row))).toHaveLength(cells(csvHead).length);
    expect(cells(csvLine(row))).toContain('role: viewer → operator');
    expect(changesText({ changes: [{ what: 'a' }], more: 3 })).toBe('a\nand 3 more');
  });
});
