/**
 * The audit: which entries somebody will ask about, and the one sentence each
 * gets: who did what, to what, and how it was before.
 *
 * Told are changes that people and programs made, and what nodes did that
 * changes the cluster (a new lead, a node that joined). Not told is what
 * follows by itself: attempts that start and end, runs that end. Pure, from
 * the entry and the state *before* it, so every controller files equal rows.
 *
 * Promise: every kind of fact is decided about here (the compiler asks for
 * it), and no row holds a secret or the hash of one.
 */
import type { Charter, Entry, Fact, FileChange } from '../contract/facts.ts';
import { limits } from '../contract/limits.ts';
import type { AuditArea, AuditRow, RightsEntry } from '../contract/model.ts';
import type { KnownToken } from './access/access.ts';
import { termText } from './cluster/terms.ts';
import { lossInWords } from './happenings.ts';
import type { Replicated } from './replicated.ts';

type Change = AuditRow['changes'][number];
type Told = {
  area: AuditArea;
  act: string;
  subject: string;
  sentence: string;
  changes?: (Change | null)[];
  /** Who it was, where the entry was written by a node for somebody. */
  by?: string;
};
type Of<K extends Fact['kind']> = Extract<Fact, { kind: K }>;

const HASH_SHOWN = 12;
/** Evidence and statement of a confirmed loss are kept whole: their own bounds are these. */
const STATEMENT_CHARS_MAX = 2_000;

/** The row of an entry; null when nobody changed anything by it. `state` does not hold the entry yet. */
export function auditOf(state: Replicated, entry: Entry): AuditRow | null {
  const told = toldOf(state, entry);
  if (!told) return null;
  const { by = entry.by, area, act, subject, sentence } = told;
  const changes = (told.changes ?? []).filter((one) => one !== null);
  const listed = changes.slice(0, limits.auditChangesMax).map(clipped);
  return {
    ...{ index: entry.index, term: termText(entry.term), at: new Date(entry.at).toISOString() },
    ...{ by, who: whoOf(state, { by, via: entry.via }), via: entry.via, area, act },
    ...(entry.from === undefined ? {} : { from: entry.from }),
    ...{ subject: clip(subject), sentence: clip(sentence, STATEMENT_CHARS_MAX), changes: listed },
    ...(changes.length > listed.length ? { more: changes.length - listed.length } : {}),
  };
}

const clip = (text: string, max: number = limits.auditCharsMax): string =>
  text.length <= max ? text : `${text.slice(0, max - 1)}…`;

function clipped({ what, before, after }: Change): Change {
  const max = what === 'evidence' || what === 'statement' ? STATEMENT_CHARS_MAX : limits.auditCharsMax;
  return {
    what: clip(what),
    ...(before === undefined ? {} : { before: clip(before, max) }),
    ...(after === undefined ? {} : { after: clip(after, max) }),
  };
}

/** As people call somebody. A token by its label, since its id says nothing in a year. */
export function whoOf(state: Pick<Replicated, 'access'>, { by, via }: Pick<Entry, 'by' | 'via'>): string {
  if (by.startsWith('user:')) return by.slice(5);
  if (by.startsWith('token:')) {
    const id = by.slice(6);
    const label = state.access.tokens.get(id)?.label;
    return label ? `token ${label}` : `token ${id}`;
  }
  if (by === 'desktop') return `desktop of ${via}`;
  return by === 'node' ? 'the cluster' : by;
}

function toldOf(state: Replicated, entry: Entry): Told | null {
  const { fact } = entry;
  const who = whoOf(state, entry);
  switch (fact.kind) {
    // What follows by itself, and what the history of runs tells better.
    case 'workerRead':
    case 'attemptPlaced':
    case 'attemptStarted':
    case 'attemptLost':
    case 'attemptAdopted':
    case 'taskSkipped':
    case 'runEnded':
      return null;
    case 'attemptEnded':
      return entry.by === 'node' ? null : taskDecided(fact, who);
    case 'clusterFounded':
    case 'activated':
    case 'versionEnabled':
    case 'leadAsked':
    case 'authorityAdded':
    case 'authorityTurned':
    case 'authoritySettled':
      return ofCluster(state, fact, who);
    case 'nodeJoined':
    case 'nodeChanged':
    case 'dutiesChanged':
    case 'watchAppointed':
    case 'nodeDrained':
    case 'nodeRemoved':
    case 'inviteMade':
    case 'inviteRemoved':
    case 'joinRefused':
      return ofNodes(state, fact, who);
    case 'userCreated':
    case 'userChanged':
    case 'userRemoved':
    case 'tokenCreated':
    case 'tokenRemoved':
    case 'sessionsEnded':
    case 'secretSaved':
    case 'secretRemoved':
      return ofPeople(state, fact, who, entry.by);
    case 'sandboxCreated':
    case 'sandboxRemoved':
    case 'sandboxRightsChanged':
    case 'filesChanged':
    case 'localFilesChanged':
      return ofFiles(state, fact, who);
    case 'runLaunched':
      return {
        ...{ area: 'runs', act: 'runLaunched', subject: fact.run },
        sentence: `${who} launched ${fact.path} of ${fact.sandbox} as ${fact.run}`,
        changes: [fact.revision === undefined ? null : { what: 'revision', after: String(fact.revision) }],
      };
    case 'cancelAsked': {
      const name = state.jobs.runs.get(fact.run)?.plan.name;
      const sentence = `${who} cancelled ${fact.run}${name ? ` (${name})` : ''}`;
      return { area: 'runs', act: 'runCancelled', subject: fact.run, sentence };
    }
  }
}

// ------------------------------------------------------------------- runs

function taskDecided({ run, task, end, retryAt }: Of<'attemptEnded'>, who: string): Told {
  const came = retryAt !== undefined ? 'is to be started again' : end.state === 'succeeded' ? 'succeeded' : 'failed';
  const sentence = `${who} decided that ${task} of ${run}, whose worker was lost, ${came}`;
  return { area: 'runs', act: 'taskDecided', subject: run, sentence, changes: [{ what: task, after: came }] };
}

// ---------------------------------------------------------------- cluster

type OfCluster = Of<
  | 'clusterFounded'
  | 'activated'
  | 'versionEnabled'
  | 'leadAsked'
  | 'authorityAdded'
  | 'authorityTurned'
  | 'authoritySettled'
>;

function ofCluster(state: Replicated, fact: OfCluster, who: string): Told {
  switch (fact.kind) {
    case 'clusterFounded': {
      const sentence = `${fact.nodeName} founded the cluster ${fact.name}`;
      return { area: 'cluster', act: 'clusterFounded', subject: fact.nodeName, sentence };
    }
    case 'activated':
      return activated(state, fact);
    case 'versionEnabled': {
      const sentence = `All nodes read version ${fact.version} of the protocol: it is used from here on`;
      const change = changed('version', String(state.members.version), String(fact.version));
      return {
        area: 'cluster',
        act: 'versionEnabled',
        subject: `version ${fact.version}`,
        sentence,
        changes: [change],
      };
    }
    case 'authorityAdded': {
      const change = changed('authority', fact.before.fingerprint, fact.next.fingerprint);
      const sentence = `${who} began to change the authority of the cluster`;
      return { area: 'cluster', act: 'authorityAdded', subject: 'authority', sentence, changes: [change] };
    }
    case 'authorityTurned':
    case 'authoritySettled': {
      const sentence =
        fact.kind === 'authorityTurned'
          ? 'All nodes trust the new authority: it signs from here on'
          : 'All nodes have new certificates: the old authority is trusted no more';
      return { area: 'cluster', act: fact.kind, subject: 'authority', sentence };
    }
    case 'leadAsked': {
      const subject = state.charter ? nameOf(state, state.charter.active) : '';
      if (fact.what === 'switchOver')
        return { area: 'cluster', act: 'switchOverAsked', subject, sentence: `${who} asked for a switch-over` };
      const sentence = `${who} asked that all stop for maintenance`;
      const why = fact.why === undefined ? null : { what: 'why', after: fact.why };
      return { area: 'cluster', act: 'parkAsked', subject, sentence, changes: [why] };
    }
  }
}

/** Who leads now, why, and who said so. A confirmed loss with all that it rests on (P28, P30). */
function activated(state: Replicated, { charter, loss }: Of<'activated'>): Told {
  const name = nameOf(state, charter.active);
  const before = state.charter ? nameOf(state, state.charter.active) : undefined;
  const reason = withNames(state, charter.reason);
  const term = `${charter.term.era}.${charter.term.number}`;
  const changes: (Change | null)[] = [
    changed('active', before, name),
    changed('holds every entry', state.charter ? holders(state, state.charter) : undefined, holders(state, charter)),
    { what: 'why', after: reason },
  ];
  const { claim } = charter;
  if (!claim && !loss) {
    const sentence = `${name} is active in term ${term}: ${reason}`;
    const by = /^activated by ((?:user|token):\S+|desktop)$/.exec(charter.reason)?.[1];
    return { area: 'cluster', act: 'leadChanged', subject: name, sentence, changes, ...(by ? { by } : {}) };
  }
  if (loss) changes.push({ what: 'may be lost', after: lossInWords(loss) });
  if (claim) {
    const lost = claim.lost.map((voter) => nameOf(state, voter.split('#')[0]!)).join(', ');
    changes.push(lost === '' ? null : { what: 'declared lost', after: lost });
    changes.push({ what: 'statement', after: claim.statement });
    changes.push({ what: 'evidence', after: withNames(state, claim.evidence) });
  }
  const who = claim ? `${whoOf(state, { by: claim.by, via: name })} confirmed a loss` : 'A loss was confirmed';
  const sentence = `${who}: ${name} is active in term ${term}. ${loss ? lossInWords(loss) : ''}`.trimEnd();
  return {
    area: 'cluster',
    act: 'lossConfirmed',
    subject: name,
    sentence,
    changes,
    ...(claim ? { by: claim.by } : {}),
  };
}

const holders = (state: Replicated, { writeSet }: Charter): string =>
  writeSet.map((text) => nameOf(state, text.split('#')[0]!)).join(' and ');

// ------------------------------------------------------------------ nodes

type OfNodes = Of<
  | 'nodeJoined'
  | 'nodeChanged'
  | 'dutiesChanged'
  | 'watchAppointed'
  | 'nodeDrained'
  | 'nodeRemoved'
  | 'inviteMade'
  | 'inviteRemoved'
  | 'joinRefused'
>;

function ofNodes(state: Replicated, fact: OfNodes, who: string): Told | null {
  const told = (act: string, subject: string, sentence: string, ...changes: (Change | null)[]): Told => ({
    ...{ area: 'cluster', act, subject, sentence, changes },
  });
  switch (fact.kind) {
    case 'nodeJoined':
      return told(
        ...(['nodeJoined', fact.name, `${fact.name} joined as ${dutiesText(fact.duties)}` as string] as const),
        { what: 'node', after: fact.node },
        { what: 'invite', after: fact.invite },
        { what: 'addresses', after: fact.addresses.join(', ') },
        { what: 'program', after: fact.program },
      );
    case 'nodeChanged': {
      const name = nameOf(state, fact.node);
      // Which authorities it follows is part of a change that is told as a whole.
      const { kind: _, node, trust: __, ...said } = fact;
      if (Object.keys(said).length === 0) return null;
      const known = state.members.nodes.get(node);
      const changes = Object.entries(said).map(([what, after]) =>
        changed(what === 'store' ? 'memory' : what, textOf(known?.[what as keyof typeof known]), textOf(after)),
      );
      return told('nodeChanged', name, `${name} says that it has changed: ${wordsOf(changes)}`, ...changes);
    }
    case 'dutiesChanged': {
      const name = nameOf(state, fact.node);
      const before = state.members.nodes.get(fact.node)?.duties;
      const change = changed('duties', before && dutiesText(before), dutiesText(fact.duties));
      return told('dutiesChanged', name, `${who} made ${name} ${dutiesText(fact.duties)}`, change);
    }
    case 'watchAppointed': {
      const name = fact.node === null ? null : nameOf(state, fact.node);
      const before = state.members.appointed === null ? undefined : nameOf(state, state.members.appointed);
      const sentence = name ? `${who} appointed ${name} as the watch that is wanted first` : `${who} prefers no watch`;
      return told('watchAppointed', name ?? '', sentence, changed('preferred watch', before, name ?? undefined));
    }
    case 'nodeDrained': {
      const name = nameOf(state, fact.node);
      const before = state.members.nodes.get(fact.node)?.drained;
      const sentence = fact.drained ? `${who} drained ${name}: it gets no new tasks` : `${who} lets ${name} take tasks`;
      return told('nodeDrained', name, sentence, changed('drained', yesNo(before), yesNo(fact.drained)));
    }
    case 'nodeRemoved': {
      const name = nameOf(state, fact.node);
      const duties = state.members.nodes.get(fact.node)?.duties;
      const changes = [
        duties ? { what: 'duties', before: dutiesText(duties) } : null,
        { what: 'node', before: fact.node },
      ];
      return told('nodeRemoved', name, `${who} removed ${name} from the cluster`, ...changes);
    }
    case 'inviteMade': {
      const sentence = `${who} made an invite for a node as ${dutiesText(fact.duties)}`;
      const expires = { what: 'expires', after: new Date(fact.expiresAt).toISOString() };
      return told('inviteMade', fact.id, sentence, { what: 'duties', after: dutiesText(fact.duties) }, expires);
    }
    case 'inviteRemoved':
      return told('inviteRemoved', fact.id, `${who} took back the invite ${fact.id}`);
    case 'joinRefused':
      return told('joinRefused', fact.name, `${who} did not let in ${fact.name}, which asked from ${fact.address}`, {
        what: 'asked from',
        after: fact.address,
      });
  }
}

// ----------------------------------------------------------------- people

type OfPeople = Of<
  | 'userCreated'
  | 'userChanged'
  | 'userRemoved'
  | 'tokenCreated'
  | 'tokenRemoved'
  | 'sessionsEnded'
  | 'secretSaved'
  | 'secretRemoved'
>;

function ofPeople(state: Replicated, fact: OfPeople, who: string, by: string): Told | null {
  const told = (act: string, subject: string, sentence: string, ...changes: (Change | null)[]): Told => ({
    ...{ area: 'people', act, subject, sentence, changes },
  });
  switch (fact.kind) {
    case 'userCreated':
      return told('userCreated', fact.name, `${who} added ${fact.name} as ${fact.role}`, {
        what: 'role',
        after: fact.role,
      });
    case 'userChanged': {
      const before = state.access.users.get(fact.name)?.role;
      const role = fact.role === undefined ? null : changed('role', before, fact.role);
      const password = fact.passwordHash === undefined ? null : { what: 'password', after: 'set anew' };
      const done = [
        fact.role ? `made ${fact.name} ${fact.role}` : '',
        password ? `set the password of ${fact.name}` : '',
      ];
      return told('userChanged', fact.name, `${who} ${done.filter(Boolean).join(' and ')}`, role, password);
    }
    case 'userRemoved': {
      const before = state.access.users.get(fact.name)?.role;
      return told('userRemoved', fact.name, `${who} removed ${fact.name}`, changed('role', before, undefined));
    }
    case 'tokenCreated':
      return tokenCreated(fact, who, told);
    case 'tokenRemoved': {
      const token = state.access.tokens.get(fact.id);
      if (token?.use === 'link') return null; // used: the session that follows is told
      if (token?.use === 'session') return sessionEnded(token, who, by, told);
      const label = token?.label || fact.id;
      return told('tokenRemoved', label, `${who} removed the token ${label}`, changed('role', token?.role, undefined));
    }
    case 'secretSaved': {
      const known = state.secrets.get(fact.name);
      const about = changed('description', known?.description, fact.description ?? known?.description);
      const value = changed('value', known && `number ${known.version}`, `number ${fact.version}`);
      const sentence = `${who} ${known ? 'gave a new value to' : 'saved'} the secret ${fact.name}`;
      return told('secretSaved', fact.name, sentence, value, about);
    }
    case 'secretRemoved':
      return told('secretRemoved', fact.name, `${who} removed the secret ${fact.name}`);
    case 'sessionsEnded': {
      const tokens = fact.ids.map((id) => state.access.tokens.get(id)).filter((one) => one !== undefined);
      const owners = [...new Set(tokens.map((one) => one.user ?? one.label))].sort();
      const of = owners.length > 1 ? `${owners.length} people` : (owners[0] ?? 'somebody');
      const count = fact.ids.length === 1 ? 'a session' : `${fact.ids.length} sessions`;
      return told('sessionsEnded', of, `${who} ended ${count} of ${of}`, { what: 'of', before: owners.join(', ') });
    }
  }
}

type Tell = (act: string, subject: string, sentence: string, ...changes: (Change | null)[]) => Told;

function tokenCreated(fact: Of<'tokenCreated'>, who: string, told: Tell): Told {
  const role = { what: 'role', after: fact.role };
  const { expiresAt } = fact;
  const expires = expiresAt === undefined ? null : { what: 'expires', after: new Date(expiresAt).toISOString() };
  const id = { what: 'id', after: fact.id };
  if (fact.use === 'token') {
    const label = fact.label || fact.id;
    const scope = fact.scope
      ? { what: 'only in', after: fact.scope.sandboxes.map(({ name, may }) => `${name}: ${may.join(', ')}`).join('; ') }
      : null;
    const sentence = `${who} made the token ${label} with the role ${fact.role}`;
    return told('tokenCreated', label, sentence, role, expires, scope, id);
  }
  if (fact.use === 'link')
    return told('linkMade', who, `${who} made a link that signs in once as ${fact.role}`, role, expires);
  const program = fact.program === undefined ? null : { what: 'with', after: fact.program };
  return told('signedIn', fact.user ?? who, `${who} signed in`, role, expires, program);
}

function sessionEnded(token: KnownToken, who: string, by: string, told: Tell): Told {
  const owner = token.user ?? token.label;
  const isOwn = token.user === undefined ? by === token.createdBy : by === `user:${token.user}`;
  return told(
    'sessionEnded',
    owner,
    isOwn ? `${who} ended a session of their own` : `${who} ended a session of ${owner}`,
  );
}

// ------------------------------------------------------------------ files

type OfFiles = Of<'sandboxCreated' | 'sandboxRemoved' | 'sandboxRightsChanged' | 'filesChanged' | 'localFilesChanged'>;

const rightsText = (rights: RightsEntry[] | null): string =>
  rights === null ? 'as the role' : rights.map(({ who, may }) => `${who}: ${may.join(', ')}`).join('; ') || 'nobody';

function ofFiles(state: Replicated, fact: OfFiles, who: string): Told {
  const told = (act: string, subject: string, sentence: string, changes: (Change | null)[]): Told => ({
    ...{ area: 'files', act, subject, sentence, changes },
  });
  switch (fact.kind) {
    case 'sandboxCreated': {
      const { name, storage, node, directory, description } = fact;
      const place = node === undefined ? null : { what: 'lies on', after: nameOf(state, node) };
      return told('sandboxCreated', name, `${who} made the sandbox ${name}`, [
        { what: 'kind', after: storage === 'kept' ? 'shared' : 'local' },
        place,
        directory === undefined ? null : { what: 'directory', after: directory },
        description === '' ? null : { what: 'description', after: description },
      ]);
    }
    case 'sandboxRemoved': {
      const known = state.sandboxes.get(fact.name);
      const files = known?.storage === 'kept' ? { what: 'files', before: String(known.tree.files) } : null;
      const description = known?.description ? { what: 'description', before: known.description } : null;
      return told('sandboxRemoved', fact.name, `${who} removed the sandbox ${fact.name}`, [files, description]);
    }
    case 'sandboxRightsChanged': {
      const before = rightsText(state.access.rights.get(fact.name) ?? null);
      const sentence = `${who} said who may do what in ${fact.name}`;
      return told('sandboxRightsChanged', fact.name, sentence, [changed('rights', before, rightsText(fact.rights))]);
    }
    case 'filesChanged': {
      // Those beyond what is listed are only counted: an entry may hold thousands.
      const changes = fact.changes.map((change, place) =>
        place < limits.auditChangesMax ? fileChange(state, fact.sandbox, change) : { what: change.path },
      );
      const [first] = fact.changes;
      const done = fact.changes.length === 1 && first ? fileWords(first) : `changed ${fact.changes.length} paths`;
      return told('filesChanged', fact.sandbox, `${who} ${done} in ${fact.sandbox}`, changes);
    }
    case 'localFilesChanged': {
      const done = `${localWords[fact.act]} ${fact.paths.join(' → ')}`;
      const changes = fact.paths.map((path) => ({ what: path }));
      return told('localFilesChanged', fact.sandbox, `${who} ${done} in ${fact.sandbox}`, changes);
    }
  }
}

const localWords: Record<Of<'localFilesChanged'>['act'], string> = {
  write: 'wrote',
  folder: 'made the folder',
  remove: 'removed',
  move: 'moved',
  copy: 'copied',
  restore: 'restored',
};

function fileWords(change: FileChange): string {
  switch (change.op) {
    case 'put':
      return `wrote ${change.path}`;
    case 'folder':
      return `made the folder ${change.path}`;
    case 'remove':
      return `removed ${change.path}`;
    case 'move':
      return `moved ${change.path} to ${change.to}`;
    case 'copy':
      return `copied ${change.path} to ${change.to}`;
    case 'restore':
      return `restored version ${change.version} of ${change.path}`;
  }
}

/** A content by its version, the beginning of its hash, and its size: enough to find it again. */
function fileChange(state: Replicated, sandbox: string, change: FileChange): Change {
  const tree = state.sandboxes.get(sandbox)?.tree;
  const known = tree?.latest(change.path);
  const isFolder = tree?.kindAt(change.path) === 'folder';
  const there = isFolder
    ? 'folder'
    : known && !known.removed
      ? `version ${known.version}, ${contentText(known)}`
      : null;
  const before = there === null ? {} : { before: there };
  const what = change.path;
  switch (change.op) {
    case 'put':
      return { what, ...before, after: contentText(change) };
    case 'folder':
      return { what, after: 'folder' };
    case 'remove':
      return { what, ...before };
    case 'move':
      return { what, ...before, after: `moved to ${change.to}` };
    case 'copy':
      return { what: change.to, after: `copy of ${what}${there === null ? '' : `, ${there}`}` };
    case 'restore': {
      const old = tree?.numbered(what, change.version);
      return { what, ...before, after: `as version ${change.version}${old ? `, ${contentText(old)}` : ''}` };
    }
  }
}

const contentText = ({ hash, bytes }: { hash: string; bytes: number }): string =>
  `${hash.slice(0, HASH_SHOWN)}, ${bytes} bytes`;

// ------------------------------------------------------------------ words

const nameOf = (state: Replicated, node: string): string => state.members.nodes.get(node)?.name ?? node;

/** Sentences of the protocol name nodes by id. */
const withNames = (state: Replicated, words: string): string =>
  words.replace(/\bn-[0-9a-f]{10}\b/g, (node) => nameOf(state, node));

const dutiesText = (duties: string[]): string => duties.join(' and ') || 'no duty';
const yesNo = (value: boolean | undefined): string | undefined =>
  value === undefined ? undefined : value ? 'yes' : 'no';
const textOf = (value: unknown): string | undefined =>
  value === undefined || value === '' ? undefined : Array.isArray(value) ? value.join(', ') : String(value);
const wordsOf = (changes: (Change | null)[]): string =>
  changes.flatMap((change) => (change ? [change.what] : [])).join(', ') || 'nothing';

/** Null where nothing is to be said: it is as it was. */
function changed(what: string, before: string | undefined, after: string | undefined): Change | null {
  if (before === after) return null;
  return { what, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
}
