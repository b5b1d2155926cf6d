/**
 * What silence makes a member try, and when.
 *
 * The standby prechecks before it asks, so that an active which a quorum
 * still hears is not disturbed; the active goes solo when the standby is
 * silent. All of it is about time and none of it about right: whoever tries
 * too early or too late is answered by the rules of `ask.ts`.
 *
 * Rules: P10, P18, P19, P20, L1, L2, L5, L6; the jump of the clock in section 6.
 */
import { endOf } from '../journal/tail.ts';
import { ask, askAgain, obstacleTo } from './ask.ts';
import { holds, isQuorum, newerOf, votersOf, voterText, writersOf } from './charter.ts';
import { giveUp, isUnready, newestKnown, selfText } from './knowledge.ts';
import { heartbeat, sayCannotWrite } from './leading.ts';
import type { Member, Phase } from './member-state.ts';
import { note, post, postNow, saveMark } from './outbox.ts';
import type { Leading } from './replication.ts';
import { type Change, isHeard, nextChange, standbyOf } from './seats.ts';
import { compareTerms, nextTerm } from './terms.ts';

const MARK_EVERY_MS = 1_000;

export function onTicked(m: Member): void {
  const { suspectMs } = m.timing;
  if (m.lastTick !== null && m.now - m.lastTick > suspectMs) listenAnew(m); // it was away, not they
  m.lastTick = m.now;
  for (const [node, since] of m.leaving) {
    if ((m.heard.get(node) ?? 0) > since + suspectMs) m.leaving.delete(node); // it is back
  }
  watchDisk(m);
  announce(m);
  if (!m.keepsJournal) return keepMark(m);
  if (m.phase.phase === 'leading') lead(m, m.phase);
  else if (m.phase.phase === 'quiet') suspect(m);
  else if (m.phase.phase === 'sounding') endSounding(m, m.phase);
  else askAgain(m);
}

/** Section 6: whoever was away listens first, and whoever was started behaves as if it had heard the active. */
function listenAnew(m: Member): void {
  m.heardActiveAt = m.now;
  m.disk.givenAt = m.disk.givenAt.map(() => m.now); // the disk was not slow
  if (m.phase.phase !== 'leading') return;
  for (const peer of m.phase.peers.values()) {
    peer.heardAt = m.now;
    peer.sentAt = Number.NEGATIVE_INFINITY;
  }
}

/** L6: a save that hangs makes the node say so and fall silent, so that another takes over. */
function watchDisk(m: Member): void {
  const oldest = m.disk.givenAt[0];
  const stalled = oldest !== undefined && m.now - oldest > m.timing.syncStallMs;
  if (stalled && !m.disk.stalled) {
    sayCannotWrite(m);
    note(m, 'diskHangs', 'A save hangs: this node is silent until its disk answers.');
  }
  m.disk.stalled = stalled;
}

/**
 * Who hears no active, or was just started, says so to all it knows of: an
 * answer that nobody asked for. It tells a node that was put back from an
 * image that its folder is old, also one that was the only voter in its time
 * and would ask nobody; and it brings such a node the answer of those who
 * speak to it only when it spoke (P34).
 */
function announce(m: Member): void {
  const { heartbeatMs } = m.timing;
  if (m.phase.phase === 'leading' || m.disk.stalled) return;
  if (m.now - m.announcedAt < heartbeatMs) return;
  if (m.now - m.heardActiveAt < 3 * heartbeatMs && m.now >= m.listensUntil) return;
  m.announcedAt = m.now;
  const newest = newestKnown(m);
  const { controllers, watch } = m.roster;
  const nodes = new Set([...votersOf(newest), ...controllers, ...(watch ? [watch] : [])].map((voter) => voter.node));
  for (const node of nodes) post(m, node, { kind: 'confirmed', term: m.register.promised, index: 0, round: 0 });
}

function keepMark(m: Member): void {
  if (m.mark === null || m.now - m.markSavedAt < MARK_EVERY_MS || m.disk.stalled) return;
  m.markSavedAt = m.now;
  saveMark(m);
}

// ------------------------------------------------------------ the active

function lead(m: Member, leading: Leading): void {
  heartbeat(m);
  if (m.phase !== leading || m.disk.stalled) return;
  const standby = standbyOf(m, leading.charter);
  const another = standby !== null && isAnother(leading, standby);
  // One that said that it leaves is let go in order (`seats.ts`); but before this term acts only so.
  const goesInOrder = standby !== null && m.leaving.has(standby) && leading.acting;
  if (standby && !goesInOrder && (another || !isHeard(m, leading, standby))) {
    return ask(m, { why: another ? `${standby} is back with another memory` : `${standby} is silent` }); // P18, P25
  }
  if (leading.draining) return drain(m, leading);
  if (!leading.acting || m.now - leading.changeTriedAt < m.timing.heartbeatMs) return;
  const change = nextChange(m, leading);
  if (change) begin(m, leading, change);
}

/** Back with another memory: the one that had to hold every entry is as good as silent (P33). */
function isAnother({ charter, peers }: Leading, node: string): boolean {
  const store = peers.get(node)?.store ?? '';
  const text = charter.writeSet.find((one) => one.startsWith(`${node}#`));
  return store !== '' && text !== undefined && text !== `${node}#${store}`;
}

/** A wanted change stops new entries until the standby is equal, else it would cost the pair (P17, P26). */
function begin(m: Member, leading: Leading, { drain: waits, ...purpose }: Change): void {
  if (!waits) return ask(m, purpose);
  leading.draining = { goal: purpose, since: m.now, told: false, id: null };
  drain(m, leading);
}

export function drain(m: Member, leading: Leading): void {
  const draining = leading.draining!;
  const late = m.now - draining.since > m.timing.suspectMs;
  const standby = standbyOf(m, leading.charter) ?? (draining.goal === 'handOver' ? null : joining(m));
  const end = endOf(m.journal).index;
  const equal = m.synced === end && (!standby || (leading.peers.get(standby)?.match ?? 0) === end);
  if (draining.goal !== 'handOver') {
    if (equal) return ask(m, draining.goal);
    if (!late) return;
    if (draining.goal.parked) return ask(m, draining.goal);
    leading.draining = null; // later again
    leading.changeTriedAt = m.now + m.timing.suspectMs;
    return;
  }
  if (equal && !draining.told && standby && m.committed === end) {
    draining.told = true;
    draining.since = m.now;
    postNow(m, standby, { kind: 'takeOver', term: leading.charter.term }); // P26
  } else if (late) ask(m, { why: 'the switch-over did not come about' }); // P26: goes on in a new term
}

const joining = (m: Member): string | null => {
  const other = m.roster.controllers.find((one) => one.node !== m.self.node)?.node ?? null;
  return other && !isUnready(m, other) && m.phase.phase === 'leading' && isHeard(m, m.phase, other) ? other : null;
};

// ------------------------------------------------------------ the others

function suspect(m: Member): void {
  if (m.conflict || m.needs || m.disk.stalled || m.now < m.retryAt) return;
  const newest = newestKnown(m);
  if (votersOf(newest).length === 0) return note(m, 'notJoined', 'This node waits to be admitted to the cluster.');
  if (isQuorum(newest, new Set([selfText(m)]))) {
    if (m.now < m.listensUntil) return; // P34: others may know that this folder is an old image (decision 0008)
    if (!obstacleTo(m, newest, { why: '' })) ask(m, { why: 'started' }); // a cluster of one asks nobody
    return;
  }
  const first = m.followed !== null || newest.active === m.self.node; // all were started: the former active tries first (P20)
  if (m.now - m.heardActiveAt < m.timing.suspectMs + (first ? 0 : m.timing.heartbeatMs)) return;
  if (newest.parked && !(newest.active === m.self.node && m.mayUnpark)) return void obstacleTo(m, newest, { why: '' });
  sound(m);
}

/** P19: the same question with nothing saved. */
function sound(m: Member): void {
  const newest = newestKnown(m);
  const term = nextTerm(m.self.node, [m.register.promised, newest.term, m.highest]);
  m.phase = { phase: 'sounding', since: m.now, yes: new Map(), no: false, purpose: { why: 'the active was silent' } };
  m.phase.yes.set(selfText(m), { accepted: m.register.accepted, end: endOf(m.journal), mark: null });
  const others = m.roster.controllers.map((one) => one.node);
  const nodes = new Set(
    [...votersOf(newest), ...votersOf(m.register.accepted)].map((voter) => voter.node).concat(others),
  );
  for (const node of nodes) post(m, node, { kind: 'ask', term, precheck: true });
}

/** Called after every answer: with yes from a quorum it asks. */
export function soundingAnswered(m: Member): void {
  const phase = m.phase;
  if (phase.phase !== 'sounding') return;
  const newest = [...phase.yes.values()].map((one) => one.accepted).reduce(newerOf, newestKnown(m));
  if (!isQuorum(newest, new Set(phase.yes.keys()))) return;
  if (obstacleTo(m, newest, phase.purpose)) return giveUp(m, 'may not lead', m.timing.suspectMs);
  if (isDeferred(m, phase, newest)) {
    m.phase = { phase: 'quiet' };
    m.retryAt = m.now + m.timing.roundMs + m.random * m.timing.roundRandomMs;
    m.heardActiveAt = Math.min(m.heardActiveAt, m.now - 2 * m.timing.suspectMs); // once is enough
    return;
  }
  ask(m, phase.purpose);
}

/** P20: the longer journal tries first, then the former active. Only the first time: it may never try. */
function isDeferred(
  m: Member,
  phase: Extract<Phase, { phase: 'sounding' }>,
  newest: ReturnType<typeof newestKnown>,
): boolean {
  if (m.now - m.heardActiveAt > m.timing.suspectMs + 2 * m.timing.roundMs) return false;
  const own = endOf(m.journal);
  return [...phase.yes].some(([text, { end }]) => {
    if (text === selfText(m) || end === null) return false;
    const [node = '', store = ''] = text.split('#');
    if (!holds(newest, { node, store })) return false;
    const order = compareTerms(end.term, own.term) || end.index - own.index;
    return order > 0 || (order === 0 && newest.active === node);
  });
}

function endSounding(m: Member, phase: Extract<Phase, { phase: 'sounding' }>): void {
  soundingAnswered(m);
  if (m.phase !== phase || m.now - phase.since < m.timing.roundMs) return;
  const newest = newestKnown(m);
  if (!holds(newest, m.self)) obstacleTo(m, newest, phase.purpose);
  else if (!phase.no) {
    const silent = votersOf(newest).filter((voter) => !phase.yes.has(voterText(voter)) && voter.node !== m.self.node);
    note(
      m,
      'noQuorum',
      `Can't lead: waits for ${[...new Set(silent.map((voter) => voter.node))].join(' or ') || writersOf(newest).join(' or ')}.`,
    );
  }
  giveUp(m, 'no quorum said yes', m.timing.heartbeatMs);
}
