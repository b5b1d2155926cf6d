/**
 * What the handlers of requests work with: the loop and the doors of a node,
 * put together once by `running-node.ts`.
 */

import type { Auditing } from '../auditing.ts';
import type { Contents } from '../contents.ts';
import type { Refusal } from '../contract/errors.ts';
import type { Discovered, RightsEntry, Sandbox } from '../contract/model.ts';
import type { Directory } from '../contract/peer-messages.ts';
import type { SandboxRecord } from '../core/sandboxes/sandboxes.ts';
import type { Blobs } from '../io/files/blobs.ts';
import type { Uploads } from '../io/files/uploads.ts';
import type { Caller, Log } from '../io/http/asked.ts';
import type { Peers } from '../io/http/peers.ts';
import type { Journal } from '../io/journal/journal.ts';
import type { Load } from '../io/machine/machine.ts';
import type { Metrics } from '../io/machine/metrics.ts';
import type { Identity } from '../io/trust/identity.ts';
import type { ChangeIdentity } from '../io/trust/identity-store.ts';
import type { Live } from '../live.ts';
import type { Loop } from '../node.ts';

/** `rights` absent: the role decides. */
export type ListedSandbox = SandboxRecord & { rights?: RightsEntry[] };

export type Parts = {
  loop: Loop;
  journal: Journal;
  audit: Auditing;
  blobs: Blobs;
  uploads: Uploads;
  live: Live;
  /** The other nodes; null while this node is alone and not opened to any. */
  peers(): Peers | null;
  contents: Contents;
  identity(): Identity;
  /** One change after the other; each is on disk before it is used. */
  changeIdentity: ChangeIdentity;
  /** Who belongs to the cluster, as this node last heard: also where no journal is kept. */
  directory(): Directory;
  /** The controllers that can be reached say that this node is no member any more. */
  isRemoved(): boolean;
  /** A sandbox of the cluster, with its list of rights; a node that keeps no journal asks the active. */
  sandbox(name: string): Promise<ListedSandbox | Refusal>;
  /** A local sandbox as it is measured on the node that holds it. */
  viewOfLocal(record: SandboxRecord): Promise<Sandbox>;
  /** What this node hears of in the network. */
  discovered(): Discovered[];
  /** Who asks, where only what was shown is known. */
  identifyShown(asked: { headers: Record<string, string>; address: string }): Promise<Caller | Refusal>;
  log: Log;
  /** The data folder of this node. */
  data: string;
  name: string;
  version: string;
  startedAt: number;
  fingerprint: string;
  /** `host:port` by which other machines may reach the door for people and programs; none when there is none. */
  doorAddresses(): string[];
  /** `host:port` by which members may reach this node; none when they can't. */
  peerAddresses(): string[];
  /** Attempts here whose outcome is not committed yet. */
  spooled(): number;
  /** Where people reach this node, once it listens. */
  address(): string | null;
  load(): Load;
  tasksRunning(): number;
  metrics: Metrics;
  /** credential id → ms of its last use, since this node started */
  lastUsed: Map<string, number>;
};
