/** Who belongs to the cluster and what for: as rows of the audit. */
import type { Replicated } from '../replicated.ts';
import { type Change, changed, dutiesText, nameOf, type Of, type Told, textOf, wordsOf, yesNo } from './words.ts';

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

export function ofNodes(state: Replicated, fact: OfNodes, who: string): Told | null {
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
