/**
 * The journal: what an entry is, and every kind of fact it may carry.
 *
 * A fact says what became so, in the past tense. It holds everything that
 * `apply` needs: no clock, no chance, no file is asked when it is folded into
 * state, so every controller comes to the same state. Kinds carry a version
 * when their shape changes; a fact is never edited, only followed by another.
 */
import type { JobCheck, Problem, RightsEntry, Role, RunState, TokenScope } from './model.ts';

/** `era.number.node`, compared in that order (PROTOCOL section 2). */
export type Term = { era: number; number: number; node: string };

export type Entry = {
  term: Term;
  index: number;
  /** Wall time in ms when it was made. Shown, never compared for safety. */
  at: number;
  /** Who asked: `user:ops`, `token:abc`, `desktop`, `node`. */
  by: string;
  /** Through which node it came. */
  via: string;
  /** Where the request came from: an address, or `this computer`; absent for what nodes do themselves. */
  from?: string;
  /** Idempotency record, committed with the fact (P36). */
  key?: KeptAnswer;
  fact: Fact;
};

/** What an entry looks like on disk: its text is what crc and chain are made over. */
export type StoredEntry = {
  term: Term;
  index: number;
  /** JSON of {@link Entry} without term, index. */
  text: string;
  /** hex sha-256 over previous chain, term, index, text (PROTOCOL section 2). */
  chain: string;
};

export type KeptAnswer = {
  key: string;
  /** Who used it: the same key of another person is another key. */
  by: string;
  /** hash of route and body: same key, other body is refused */
  request: string;
  status: number;
  /** Small JSON answer, given again to the same key. Null where it is a run: */
  answer: unknown;
  /** the answer is this run, as it is by then (decision 0006) */
  run?: string;
};

/** Charter (PROTOCOL section 2). */
export type Voter = { node: string; store: string };
export type Charter = {
  term: Term;
  follows: Term | null;
  active: string;
  writeSet: string[];
  voters: Voter[][];
  parked?: { by: string; why: string };
  /** The confirmed loss this charter rests on (P30). */
  claim?: Claim;
  /** What its active may lack because of that claim; handed on until an activation entry lists it (P30). */
  loss?: Loss;
  /** The claim that opened this era, handed on to every charter that follows; absent in era 0 (P32). */
  lineage?: Lineage;
  /** Id of the newest claim of any kind, handed on: who knows another one may hold entries that were given up. */
  lastClaim?: string;
  reason: string;
  at: number;
};

/** The claim that opened an era, and the era: who follows it. */
export type Lineage = { era: number; claim: string };

/** `from` an index on, up to the last one that can have been acknowledged; `upTo` null: not known. */
export type Loss = { from: number; upTo: number | null; certain: 'none' | 'at most' | 'cannot be excluded' };

/** A person's statement that voters are lost for good: bound to what was known, used once (P28). */
export type Claim = {
  id: string;
  cluster: string;
  /** `node#store` of each voter that is declared lost. */
  lost: string[];
  candidate: string;
  incarnation: string;
  /** Term of the newest charter the candidate knew. */
  newest: Term;
  /** What the candidate knew, as it was shown to the person. */
  evidence: string;
  by: string;
  statement: string;
  /** Wall time in ms. */
  at: number;
  expiresAt: number;
  /** A lost node's own parking code, checked by the shell: where its journal ends for ever. */
  proof?: { voter: string; end: { index: number; term: Term; chain: string } };
  /** Two eras stand against each other and a person chose this one: the others are alive and known to be (P32). */
  chosen?: boolean;
};

/** What a node is there for, as people decided; who leads and who votes follows from the charter. */
export type Duty = 'controller' | 'watch' | 'worker';

/** A certificate in PEM; `fingerprint` is the hex sha-256 of its DER. */
export type AuthorityCertificate = { fingerprint: string; cert: string };

/** What a node says of its certificates, by their fingerprints. */
export type NodeTrust = {
  /** The authority that signed its certificate. */
  issuer: string;
  /** Those it trusts. */
  authorities: string[];
  /** Those whose key it keeps. */
  keeps: string[];
};

export type Fact =
  // cluster
  | { kind: 'clusterFounded'; cluster: string; name: string; node: string; nodeName: string }
  | { kind: 'activated'; charter: Charter; loss?: Loss }
  /** A node was let in by an invite; it has a memory (`store`) and no seat yet. */
  | {
      kind: 'nodeJoined';
      node: string;
      store: string;
      name: string;
      duties: Duty[];
      addresses: string[];
      slots: number;
      /** Protocol version it reads (PROTOCOL section 13). */
      speaks: number;
      program: string;
      invite: string;
      /** Hex sha-256 of its public key (SPKI): nobody else is this node, whatever a certificate says. */
      key?: string;
    }
  /** What a node says of itself when it starts and it is not what was known: a new address, a new memory (P33). */
  | {
      kind: 'nodeChanged';
      node: string;
      store?: string;
      name?: string;
      addresses?: string[];
      slots?: number;
      speaks?: number;
      program?: string;
      key?: string;
      trust?: NodeTrust;
    }
  | { kind: 'dutiesChanged'; node: string; duties: Duty[] }
  /** The watch that is wanted first; null: the best one. */
  | { kind: 'watchAppointed'; node: string | null }
  | { kind: 'nodeDrained'; node: string; drained: boolean }
  | { kind: 'nodeRemoved'; node: string }
  /** After a confirmed loss: what this worker knows was read, so older runs may use it again (P31). */
  | { kind: 'workerRead'; node: string }
  /** Another authority is to take the place of the one that signs: all are to trust both (`core/members/authority.ts`). */
  | { kind: 'authorityAdded'; before: AuthorityCertificate; next: AuthorityCertificate }
  /** All trust both: the new one signs from here on. */
  | { kind: 'authorityTurned' }
  /** All have a certificate by the new one: the old one is trusted no more. */
  | { kind: 'authoritySettled' }
  | { kind: 'inviteMade'; id: string; hash: string; duties: Duty[]; expiresAt: number }
  | { kind: 'inviteRemoved'; id: string }
  /** A person compared the words, or did not know the node: it was not let in. */
  | { kind: 'joinRefused'; name: string; address: string }
  /** Somebody asked that the lead be handed over, or that all stop; what came of it is said by the charters that follow. */
  | { kind: 'leadAsked'; what: 'switchOver' | 'park'; why?: string }
  /** From here on entries and messages of this version may be written (PROTOCOL section 13). */
  | { kind: 'versionEnabled'; version: number }
  // people and programs
  | { kind: 'userCreated'; name: string; role: Role; passwordHash: string }
  | { kind: 'userChanged'; name: string; role?: Role; passwordHash?: string }
  | { kind: 'userRemoved'; name: string }
  | {
      kind: 'tokenCreated';
      id: string;
      use: 'token' | 'session' | 'link';
      label: string;
      role: Role;
      user?: string;
      hash: string;
      expiresAt?: number;
      /** Of a token of a program: it can do nothing but this. */
      scope?: TokenScope;
      /** Of a session: the address it was opened from, and with what, in words. */
      from?: string;
      program?: string;
    }
  | { kind: 'tokenRemoved'; id: string }
  /** When programs and sessions were last seen, wall time in ms: noted at most once an hour for each. */
  | { kind: 'tokensUsed'; used: { id: string; at: number }[] }
  /** Ended by a person: these were signed in and are no more. */
  | { kind: 'sessionsEnded'; ids: string[] }
  // secrets
  /** `sealed` can be read by controllers only, which keep the key beside the authority's; `version` counts from 1. */
  | { kind: 'secretSaved'; name: string; version: number; sealed: string; description?: string }
  | { kind: 'secretRemoved'; name: string }
  // sandboxes
  | {
      kind: 'sandboxCreated';
      name: string;
      storage: 'kept' | 'local';
      node?: string;
      directory?: string;
      description: string;
    }
  | { kind: 'sandboxRemoved'; name: string }
  /** Who may what in it; null: the role decides again. Rights stay with the name. */
  | { kind: 'sandboxRightsChanged'; name: string; rights: RightsEntry[] | null }
  | { kind: 'filesChanged'; sandbox: string; changes: FileChange[] }
  /** A change in the directory of a local sandbox, made there already: for the audit and for consoles. */
  | {
      kind: 'localFilesChanged';
      sandbox: string;
      act: 'write' | 'folder' | 'remove' | 'move' | 'copy' | 'restore';
      paths: string[];
    }
  // runs
  | {
      kind: 'runLaunched';
      run: string;
      sandbox: string;
      path: string;
      revision?: number;
      parameters: Record<string, string | number | boolean>;
      plan: Plan;
    }
  /** `nodeName` is how the node was called then: history stays readable when it is renamed or gone. */
  | { kind: 'attemptPlaced'; run: string; task: string; number: number; node: string; nodeName?: string }
  | { kind: 'attemptStarted'; run: string; task: string; number: number; at: number }
  /** Its worker is silent for longer than it may: what became of it is not known until it is back or a person decides. */
  | { kind: 'attemptLost'; run: string; task: string; number: number }
  /** A worker knows an attempt that the journal does not: it was started by a controller that was given up (P31). */
  | { kind: 'attemptAdopted'; run: string; task: string; number: number; node: string; end?: AttemptEnd }
  | { kind: 'attemptEnded'; run: string; task: string; number: number; end: AttemptEnd; retryAt?: number }
  | { kind: 'taskSkipped'; run: string; task: string; state: 'skipped' | 'cancelled' | 'failed'; reason: string }
  | { kind: 'cancelAsked'; run: string }
  | { kind: 'runEnded'; run: string; state: RunState; reason?: string };

export type FileChange =
  | { op: 'put'; path: string; hash: string; bytes: number; executable: boolean; job?: JobCheck }
  | { op: 'folder'; path: string }
  /** Removes a file, or a folder with all in it, to the trash. */
  | { op: 'remove'; path: string }
  /** Moves a file, or a folder with all in it. */
  | { op: 'move'; path: string; to: string }
  | { op: 'copy'; path: string; to: string }
  /** Makes an older version the newest, also of a removed file. */
  | { op: 'restore'; path: string; version: number };

/**
 * What a run will do: the job file, checked and resolved, with nothing left to
 * read. Made at launch, kept with the run, so that editing files changes
 * nothing (a run pins its sandbox).
 */
export type Plan = {
  name: string;
  format: 'job' | 'script';
  /** Of all tasks; a task's own goes before it. Kept once, since a job may have many tasks. */
  environment?: Record<string, string>;
  /** Only this node may run it: it holds the local sandbox. */
  node?: string;
  tasks: TaskPlan[];
};
export type TaskPlan = {
  id: string;
  name: string;
  needs: string[];
  finally: boolean;
  /** Expression source; absent means success(). */
  condition?: string;
  /** A program with arguments, or text for the shell. */
  run: { program: string; arguments: string[] } | { shell: string };
  /** Values may hold `${{ … }}`, evaluated when the attempt is placed. */
  environment: Record<string, string>;
  /** Environment variable → name of the secret it is given; the job's and the task's. Never a value. */
  secrets?: Record<string, string>;
  workingDirectory: string;
  timeoutMs: number | null;
  attemptsMax: number;
  retryDelayMs: number;
  retryBackoff: number;
  continueOnError: boolean;
};

export type AttemptEnd = {
  at: number;
  state: 'succeeded' | 'failed' | 'cancelled' | 'unknown';
  cause: 'exit' | 'signal' | 'timeout' | 'cancelled' | 'cannot_start' | 'lost';
  exitCode?: number;
  signal?: string;
  detail?: string;
  outputBytes: number;
  outputCut: boolean;
};

export type { JobCheck, Problem };
