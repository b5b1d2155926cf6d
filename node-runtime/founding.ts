/**
 * Founds a cluster of one (`binnacle init`): identity, first administrator,
 * and the first entries of the journal, all on disk before it returns.
 *
 * Runs once for a data folder and refuses a folder that holds a node already.
 * The founding charter makes this node its own active, solo, the only voter.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, renameSync } from 'node:fs';
import path from 'node:path';
import type { Entry, Fact } from './contract/facts.ts';
import { foundingCharter } from './core/cluster/charter.ts';
import { foundingRegister } from './core/cluster/register.ts';
import { foundingTerm } from './core/cluster/terms.ts';
import { entryText } from './core/folding.ts';
import { chainOf, chainStart } from './io/journal/chain.ts';
import { openJournal } from './io/journal/journal.ts';
import { machineName } from './io/machine/machine.ts';
import { machineHosts, makeIdentity } from './io/trust/identity.ts';
import { saveIdentity } from './io/trust/identity-store.ts';
import { hashPassword } from './io/trust/passwords.ts';

export type Founding = { data: string; cluster: string; name?: string; admin?: string; password?: string };
export type Founded = {
  cluster: string;
  node: string;
  admin: string;
  /** Shown once, when it was made here and not given. */
  password: string | null;
  fingerprint: string;
};

/** Where the parts of a node lie in its data folder. */
export const places = (data: string) => ({
  trust: path.join(data, 'trust'),
  journal: path.join(data, 'journal'),
  blobs: path.join(data, 'blobs'),
  uploads: path.join(data, 'uploads'),
  work: data,
  sandboxes: path.join(data, 'sandboxes'),
  running: path.join(data, 'running.json'),
});

/** Who belongs to the cluster, beside the keys: still readable when the journal is damaged. */
export const memberFile = (data: string): string => path.join(places(data).trust, 'members.json');

export const isFounded = (data: string): boolean => existsSync(path.join(places(data).trust, 'identity.json'));

/**
 * A journal without an identity is a founding or joining that was cut off, or a folder that lost its keys: it is put
 * aside, never written over and never deleted.
 */
export function putJournalAside(data: string): void {
  const { journal } = places(data);
  if (existsSync(journal)) renameSync(journal, `${journal}.aside-${Date.now()}`);
}

export async function found(asked: Founding): Promise<Founded> {
  if (isFounded(asked.data)) {
    throw new Error(`${asked.data} holds a node already. Start it with: binnacle node --data ${asked.data}`);
  }
  const nodeName = asked.name ?? machineName();
  const admin = asked.admin ?? 'admin';
  const password = asked.password ?? randomBytes(12).toString('base64url');
  putJournalAside(asked.data);
  const passwordHash = await hashPassword(password);
  if (typeof passwordHash !== 'string') throw new Error(passwordHash.detail);
  const ids = { clusterId: `c-${randomBytes(5).toString('hex')}`, nodeId: `n-${randomBytes(5).toString('hex')}` };
  await writeJournal(asked, ids, nodeName, admin, passwordHash);
  // The identity comes last: its presence says that the founding is complete.
  const identity = await makeIdentity({ ...ids, clusterName: asked.cluster, nodeName, hosts: machineHosts() });
  await saveIdentity(places(asked.data).trust, identity);
  return {
    cluster: asked.cluster,
    node: nodeName,
    admin,
    password: asked.password ? null : password,
    fingerprint: identity.fingerprint,
  };
}

async function writeJournal(
  asked: Founding,
  { clusterId: cluster, nodeId: node }: { clusterId: string; nodeId: string },
  nodeName: string,
  admin: string,
  passwordHash: string,
): Promise<void> {
  const journal = await openJournal({
    directory: places(asked.data).journal,
    onFault: (error) => {
      throw error;
    },
  });
  try {
    const now = Date.now();
    const self = { node, store: journal.opened.store };
    const facts: Fact[] = [
      { kind: 'clusterFounded', cluster, name: asked.cluster, node, nodeName },
      { kind: 'userCreated', name: admin, role: 'admin', passwordHash },
    ];
    let chain = chainStart;
    const entries = facts.map((fact, at) => {
      const entry: Entry = { term: foundingTerm(node), index: at + 1, at: now, by: 'node', via: nodeName, fact };
      const { term, index } = entry;
      const text = entryText(entry);
      chain = chainOf(chain, term, index, text);
      return { term, index, text, chain };
    });
    const register = foundingRegister(cluster, self, foundingCharter(self, now));
    await Promise.all([journal.saveRecord('register', JSON.stringify(register)), journal.append(entries)]);
  } finally {
    await journal.close();
  }
}
