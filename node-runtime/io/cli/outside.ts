/**
 * What the command line is given from outside: a terminal, and the few acts
 * that need a node inside this process.
 *
 * Everything else a command does goes over HTTP to a node, like any other
 * program. The acts are functions so that this folder knows no other part of
 * the runtime; an act that cannot do its work throws an Error whose message is
 * a sentence for a person (a `next` property may say what to do).
 */
import type { Duty } from '../../contract/facts.ts';
import type { Discovered } from '../../contract/model.ts';

export type Finding = {
  level: 'ok' | 'note' | 'warning' | 'problem';
  what: string;
  /** What to do now, in a sentence. */
  next?: string;
};

export type Founded = {
  cluster: string;
  node: string;
  admin: string;
  /** Only when it was made by us; shown once and kept nowhere. */
  password: string | null;
  fingerprint: string;
};

/** What a node was let in as. */
export type JoinedNode = { cluster: string; node: string; duties: Duty[]; fingerprint: string };

export type ReadyNode = { url: string | null; fingerprint: string; socketPath: string; name: string };

export type LocalActs = {
  /** Makes a cluster of one in an empty folder. */
  init(o: { data: string; cluster: string; name?: string; admin?: string; password?: string }): Promise<Founded>;
  /** Joins a cluster with a one-time code, in an empty folder; does not run the node. */
  join(o: { data: string; code: string; name?: string }): Promise<JoinedNode>;
  /**
   * Asks the member at an address to be let in, and waits for a person there; `onWords` gets the words to compare.
   * Does not run the node.
   */
  askToJoin(o: {
    data: string;
    address: string;
    name?: string;
    onWords(words: string[], clusterName: string): void;
  }): Promise<JoinedNode>;
  /** Runs the node of a folder until it is told to stop; gives the exit code. */
  node(o: {
    data: string;
    listen: string | null;
    /** Where the other nodes reach this one; null: the port after `listen`. */
    peers: string | null;
    name?: string;
    example?: boolean;
    /** How patient it is with the others; all nodes of a cluster alike. */
    links?: 'lan' | 'slow';
    /** Whether it tells the network that it is there; left out: when it is open to the network. */
    discovery?: 'off' | 'own' | 'all';
    onReady(ready: ReadyNode): void;
  }): Promise<number>;
  /** Nodes that say in the network that they are there. */
  lookAround(): Promise<Discovered[]>;
  /** Runs a cluster to look at, in a folder of its own. */
  demo(o: { nodes: number; open: boolean; keep?: string; say(line: string): void }): Promise<number>;
  doctor(o: { data: string }): Promise<Finding[]>;
  /** Gives up a damaged journal, which is put aside, so that it is copied anew from another controller. */
  copyAnew(o: { data: string }): Promise<{ aside: string; from: string[] }>;
  /** Starts the node of this folder in this process, without network. */
  offline(data: string): Promise<{ socketPath: string; stop(): Promise<void> }>;
};

export type TerminalInput = NodeJS.ReadableStream & { isTTY?: boolean; setRawMode?(on: boolean): unknown };

export type Terminal = {
  out(text: string): void;
  err(text: string): void;
  /** Is stdout a terminal: colours and progress only then. */
  isTty: boolean;
  columns: number;
  env: Readonly<Record<string, string | undefined>>;
  stdin: TerminalInput;
  /** Of this program, for `--version`. */
  version?: string;
};
