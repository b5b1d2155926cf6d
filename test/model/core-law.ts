/**
 * What must hold, seen from above: what was decided, activated, committed and
 * given up so far, as one plain value that grows with what members save and do.
 *
 * It hears of saves and effects only, never of what a member believes. A
 * claim may excuse the loss of committed entries, but only of those that its
 * activation named, or of any when it said that none can be excluded. The same
 * law as in the simulation, but as a value: the explorer keeps millions.
 *
 * Checks: I1, I2, I3, I5, I6, I7, I11, I13, I14, P27, P29, S13.
 */
import type { Charter, Loss, Term } from '../../node-runtime/contract/facts.ts';
import { holds, isQuorum, votersOf, voterText } from '../../node-runtime/core/cluster/charter.ts';
import { compareTerms, termText } from '../../node-runtime/core/cluster/terms.ts';

export class Violation extends Error {}
export const broken = (rule: string, words: string): never => {
  throw new Violation(`${rule}: ${words}`);
};

/** What the law hears of. Positions in a journal are named by their chains. */
export type Seen =
  | { seen: 'accepted'; voter: string; charter: Charter }
  | { seen: 'promised'; voter: string; term: Term }
  | { seen: 'cut'; voter: string; charter: Charter; first: number; chains: string[] }
  | { seen: 'activated'; node: string; charter: Charter; loss: Loss | null; chains: string[] }
  | { seen: 'stopped'; term: Term }
  | { seen: 'confirmed'; term: Term; voter: string; index: number; onDisk: boolean }
  | { seen: 'committed'; voter: string; charter: Charter; from: number; chains: string[] }
  | { seen: 'applied'; voter: string; charter: Charter; from: number; chains: string[] }
  | { seen: 'activateWished'; term: Term }
  /** The former active of a parking knows that all agreed to it; or was started again after it. */
  | { seen: 'parkingKnown'; term: Term }
  | { seen: 'restarted'; term: Term }
  | { seen: 'claimTaken'; id: string; lost: string[] }
  | { seen: 'started'; attempt: string };

type Activation = { charter: Charter; loss: Loss | null; chains: string[] };

export type Law = {
  charters: Record<string, Charter>;
  /** Who ever had a charter on disk. */
  acceptors: Record<string, string[]>;
  decided: Record<string, true>;
  activations: Record<string, Activation>;
  /** Terms in which somebody acts or may. */
  live: Record<string, true>;
  /** Chain of every committed entry, by lineage of eras (place 0 is index 1). */
  committed: Record<string, string[]>;
  lost: Record<string, string[]>;
  confirmed: Record<string, number>;
  stored: Record<string, number>;
  promised: Record<string, Term>;
  /** S13: how far an older active can still commit, once a claim that shares its voters was decided. */
  frozen: Record<string, number>;
  /** Whom a person declared lost, by claim; the term in which it acted. */
  claimed: Record<string, string[]>;
  claims: Record<string, string>;
  /** Terms asked for because a person activated a node; parkings whose former active was started again. */
  unparked: Record<string, true>;
  started: Record<string, number>;
};

export const newLaw = (): Law => ({
  charters: {},
  acceptors: {},
  decided: {},
  activations: {},
  live: {},
  committed: { '': [] },
  lost: {},
  confirmed: {},
  stored: {},
  promised: {},
  frozen: {},
  claimed: {},
  claims: {},
  unparked: {},
  started: {},
});

export const lineageOf = (charter: Charter): string => charter.lineage?.claim ?? '';

/** One text for equal laws: names in order. */
export const lawText = (law: Law): string =>
  JSON.stringify(law, (_name, value: unknown) =>
    value && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );

/** Takes in what was seen, in place; `count` hears of what is worth counting. */
export function take(law: Law, seen: Seen, count: (what: string) => void): void {
  switch (seen.seen) {
    case 'promised':
      law.promised[seen.voter] = seen.term;
      return;
    case 'accepted':
      return accepted(law, seen.voter, seen.charter, count);
    case 'cut':
      return cut(law, seen, count);
    case 'activated':
      return activated(law, seen, count);
    case 'stopped':
      return stopped(law, seen.term);
    case 'confirmed':
      return confirmed(law, seen);
    case 'committed':
      return committed(law, seen, count);
    case 'applied':
      return applied(law, seen);
    case 'activateWished':
      law.unparked[termText(seen.term)] = true;
      return;
    case 'restarted':
      law.unparked[`${termText(seen.term)} restarted`] = true;
      return;
    case 'parkingKnown':
      law.unparked[`${termText(seen.term)} known`] = true;
      return;
    case 'claimTaken':
      law.claimed[seen.id] = seen.lost;
      return count('claims taken');
    case 'started': {
      const times = (law.started[seen.attempt] ?? 0) + 1;
      law.started[seen.attempt] = times;
      if (times > 1) broken('I11', `attempt ${seen.attempt} is started ${times} times`);
      return count('attempts started');
    }
  }
}

function accepted(law: Law, voter: string, charter: Charter, count: (what: string) => void): void {
  const name = termText(charter.term);
  const known = law.charters[name];
  if (known && JSON.stringify(known) !== JSON.stringify(charter)) broken('I2', `two charters of term ${name}`);
  law.charters[name] ??= charter;
  const got = new Set(law.acceptors[name]).add(voter);
  law.acceptors[name] = [...got].sort();
  if (!law.decided[name] && votersOf(charter).length > 0 && isQuorum(charter, got)) decided(law, name, charter, count);
}

function decided(law: Law, name: string, charter: Charter, count: (what: string) => void): void {
  law.decided[name] = true;
  for (const other of Object.keys(law.decided).map((one) => law.charters[one]!)) {
    if (other === charter || lineageOf(other) !== lineageOf(charter)) continue;
    const [older, newer] = compareTerms(other.term, charter.term) < 0 ? [other, charter] : [charter, other];
    if (!follows(law, newer, older))
      broken('I1', `${termText(older.term)} and ${termText(newer.term)} are both decided, neither follows the other`);
  }
  const before = charter.follows && law.charters[termText(charter.follows)];
  if (before && !charter.claim && !votersOf(charter).some((one) => one.node === charter.active && holds(before, one)))
    broken('I3', `${charter.active} leads ${name} and was not in the write set of ${termText(before.term)}`);
  if (before?.parked) unparks(law, name, charter, before);
  if (charter.claim) claimDecided(law, name, charter);
  count(charter.parked ? 'parkings decided' : charter.claim ? 'charters of claims decided' : 'charters decided');
  if (before?.parked) count('parkings left');
  if (charter.term.era !== (charter.lineage?.era ?? 0)) count('charters with a term of another era than their own');
}

/** P27: the former active after a new start, the other only when a person says so; a claim always may. */
function unparks(law: Law, name: string, charter: Charter, before: Charter): void {
  if (charter.claim || charter.parked || law.unparked[name]) return;
  if (charter.active !== before.active)
    broken('P27', `${charter.active} leaves the parking of ${before.active} unasked`);
  const parking = termText(before.term);
  if (law.unparked[`${parking} known`] && !law.unparked[`${parking} restarted`])
    broken('P27', `${charter.active} leaves its parking without a new start`);
}

function claimDecided(law: Law, name: string, charter: Charter): void {
  const { id, newest } = charter.claim!;
  if (law.claims[id]) broken('I14', `claim ${id} acts in ${law.claims[id]} and in ${name}`);
  law.claims[id] = name;
  if (!charter.follows || compareTerms(newest, charter.follows) !== 0)
    broken('I14', `claim ${id} was made over ${termText(newest)} and acts over another charter`);
  for (const older of Object.keys(law.live)) {
    const one = law.charters[older]!;
    if (older === name || compareTerms(one.term, charter.term) > 0) continue;
    const free = votersOf(one)
      .map(voterText)
      .filter((text) => compareTerms(law.promised[text] ?? one.term, one.term) <= 0);
    if (!isQuorum(one, new Set(free))) law.frozen[older] = confirmable(law, one);
  }
}

/** How far a quorum has confirmed already, the active's own word taken as given. */
function confirmable(law: Law, charter: Charter): number {
  const name = termText(charter.term);
  const at = (text: string): number =>
    text.startsWith(`${charter.active}#`) ? Number.POSITIVE_INFINITY : (law.confirmed[`${name}|${text}`] ?? 0);
  const texts = votersOf(charter).map(voterText);
  const found = texts.map(at).filter((index) => isQuorum(charter, new Set(texts.filter((text) => at(text) >= index))));
  return Math.max(0, ...found.map((index) => (index === Number.POSITIVE_INFINITY ? 1e9 : index)));
}

function follows(law: Law, newer: Charter, older: Charter): boolean {
  for (let one: Charter | undefined = newer; one && compareTerms(one.term, older.term) >= 0; ) {
    if (compareTerms(one.term, older.term) === 0) return true;
    one = one.follows ? law.charters[termText(one.follows)] : undefined;
  }
  return false;
}

/** I13: what is cut was not committed, unless a claim gave it up. */
function cut(law: Law, seen: Extract<Seen, { seen: 'cut' }>, count: (what: string) => void): void {
  const known = law.committed[lineageOf(seen.charter)] ?? [];
  seen.chains.forEach((chain, place) => {
    if (known[seen.first + place - 1] === chain)
      broken('I13', `committed entry ${seen.first + place} is cut at ${seen.voter}`);
  });
  count('tails in quarantine');
}

const excuses = (loss: Loss, index: number): boolean =>
  loss.certain === 'cannot be excluded' || (loss.certain === 'at most' && index >= loss.from && index <= loss.upTo!);

/** I2, I6, P29: a new active holds every committed entry, those named by a claim excepted. */
function activated(law: Law, seen: Extract<Seen, { seen: 'activated' }>, count: (what: string) => void): void {
  const { node, charter, loss, chains } = seen;
  const name = termText(charter.term);
  if (charter.term.node !== node || law.activations[name]) broken('I2', `${node} activates ${name}, which is not free`);
  if (!law.decided[name]) broken('P9', `${name} is activated and not decided`);
  if (charter.claim) survivorsAgreed(law, name, charter);
  let before = charter.follows ? law.charters[termText(charter.follows)] : undefined;
  while (before && !law.committed[lineageOf(before)])
    before = before.follows ? law.charters[termText(before.follows)] : undefined; // a claim's era that never began
  const own = lineageOf(charter);
  const parent = law.committed[before ? lineageOf(before) : '']!;
  const kept = parent.filter((chain, place) => chains[place] === chain);
  const late = Object.values(law.activations).some(
    (one) => lineageOf(one.charter) === own && compareTerms(one.charter.term, charter.term) > 0,
  );
  if (kept.length < parent.length && !late) giveUp(law, name, own, parent, kept.length, loss, count);
  if ((loss && !late) || !law.committed[own]) law.committed[own] = kept;
  law.activations[name] = { charter, loss, chains };
  law.live[name] = true;
  count(charter.claim ? 'activations by a claim' : 'activations');
}

function giveUp(
  law: Law,
  name: string,
  own: string,
  parent: string[],
  kept: number,
  loss: Loss | null,
  count: (what: string) => void,
): void {
  parent.slice(kept).forEach((chain, place) => {
    const index = kept + place + 1;
    if (!loss) broken('I6', `${name} is activated without committed entry ${index}`);
    if (!excuses(loss!, index))
      broken('I6', `the claim of ${name} (${JSON.stringify(loss)}) does not name committed entry ${index}`);
    law.lost[own] = [...new Set(law.lost[own]).add(chain)].sort();
  });
  count('committed entries given up');
}

/** P29: nobody who is there and was not declared lost is passed over. */
function survivorsAgreed(law: Law, name: string, charter: Charter): void {
  const before = law.charters[termText(charter.follows!)]!;
  for (const text of votersOf(before).map(voterText)) {
    if (law.claimed[charter.claim!.id]!.includes(text)) continue;
    if (!law.acceptors[name]?.includes(text)) broken('P29', `${name} acts and ${text} was not asked`);
  }
}

function stopped(law: Law, term: Term): void {
  const name = termText(term);
  delete law.live[name];
  delete law.frozen[name];
  for (const kept of [law.confirmed, law.stored])
    for (const key of Object.keys(kept)) if (key.startsWith(`${name}|`)) delete kept[key];
}

function confirmed(law: Law, { term, voter, index, onDisk }: Extract<Seen, { seen: 'confirmed' }>): void {
  const name = termText(term);
  if (!law.live[name] || index === 0) return;
  const key = `${name}|${voter}`;
  law.confirmed[key] = Math.max(law.confirmed[key] ?? 0, index);
  if (onDisk) law.stored[key] = Math.max(law.stored[key] ?? 0, index);
}

/** I5, I6, I7, S13: one journal of committed entries, each with both signatures. */
function committed(law: Law, seen: Extract<Seen, { seen: 'committed' }>, count: (what: string) => void): void {
  const { voter, charter, from, chains } = seen;
  const name = termText(charter.term);
  const to = from + chains.length - 1;
  if (!law.live[name]) broken('P9', `${name} commits ${to} and is not active`);
  for (const writer of charter.writeSet)
    if (writer !== voter && !voter.startsWith(`${writer}#`) && (law.stored[`${name}|${writer}`] ?? 0) < to)
      broken('I5', `${to} is committed in ${name} and not on ${writer}`);
  const texts = votersOf(charter).map(voterText);
  const got = texts.filter((text) => text === voter || (law.confirmed[`${name}|${text}`] ?? 0) >= to);
  if (!isQuorum(charter, new Set(got))) broken('I5', `${to} is committed in ${name} without a quorum`);
  if (to > (law.frozen[name] ?? to)) broken('S13', `${name} commits ${to} after a claim's charter was decided`);
  const own = lineageOf(charter);
  const known = law.committed[own]!;
  chains.forEach((chain, place) => {
    commitOne(law, charter, own, known, from + place, chain);
  });
  count('commits');
  if (Object.values(law.activations).some(({ charter: one }) => compareTerms(one.term, charter.term) > 0))
    count('late commits in an older term');
}

function commitOne(law: Law, charter: Charter, own: string, known: string[], index: number, chain: string): void {
  const name = termText(charter.term);
  const there = known[index - 1];
  if (there === chain) return;
  const newer = Object.values(law.activations).filter(
    (one) => lineageOf(one.charter) === own && compareTerms(one.charter.term, charter.term) > 0,
  );
  // An older active, alive after all, may still learn that something was committed before the claim.
  const given = newer.some(({ loss }) => loss !== null && excuses(loss, index));
  if (there !== undefined && !given) broken('I7', `${name} commits entry ${index}, where another is committed`);
  for (const one of newer)
    if (one.chains[index - 1] !== chain && !excusedLater(law, one, charter, index))
      broken('I7', `${name} commits entry ${index}, which the active of ${termText(one.charter.term)} lacks`);
  if (given) law.lost[own] = [...new Set(law.lost[own]).add(chain)].sort();
  else if (index === known.length + 1) known.push(chain);
  else if (there === undefined) broken('I7', `${name} commits entry ${index} after a gap`);
}

function excusedLater(law: Law, newer: Activation, older: Charter, index: number): boolean {
  for (let one: Charter | undefined = newer.charter; one && compareTerms(one.term, older.term) > 0; ) {
    const loss = law.activations[termText(one.term)]?.loss;
    if (loss && excuses(loss, index)) return true;
    one = one.follows ? law.charters[termText(one.follows)] : undefined;
  }
  return false;
}

/** P16: a follower applies nothing that is not committed. */
function applied(law: Law, { voter, charter, from, chains }: Extract<Seen, { seen: 'applied' }>): void {
  const own = lineageOf(charter);
  chains.forEach((chain, place) => {
    const index = from + place;
    if (law.committed[own]?.[index - 1] === chain || law.lost[own]?.includes(chain)) return;
    broken('P16', `${voter} applies entry ${index}, which is not committed`);
  });
}
