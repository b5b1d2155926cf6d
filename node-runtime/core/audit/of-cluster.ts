/** Who leads and why, what the cluster agreed on: as rows of the audit. */
import type { Charter } from '../../contract/facts.ts';
import { lossInWords } from '../happenings.ts';
import type { Replicated } from '../replicated.ts';
import { type Change, changed, nameOf, type Of, type Told, whoOf, withNames } from './words.ts';

type OfCluster = Of<
  | 'clusterFounded'
  | 'activated'
  | 'versionEnabled'
  | 'leadAsked'
  | 'authorityAdded'
  | 'authorityTurned'
  | 'authoritySettled'
>;

export function ofCluster(state: Replicated, fact: OfCluster, who: string): Told {
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
