/** People, programs, sessions and secrets: as rows of the audit. No row holds a secret, nor the hash of one. */
import type { KnownToken } from '../access/access.ts';
import type { Replicated } from '../replicated.ts';
import { type Change, changed, type Of, type Told } from './words.ts';

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

export function ofPeople(state: Replicated, fact: OfPeople, who: string, by: string): Told | null {
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
