/**
 * Commands about who may do what: tokens of programs, people with passwords,
 * and where they are signed in.
 *
 * `token create` prints the token alone on stdout, once; it is kept nowhere in
 * readable form. Passwords are never arguments.
 */
import type { Role, SignedIn, Token, User } from '../../contract/model.ts';
import type { BodyOf } from '../../contract/routes.ts';
import { type Context, withNode } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { rightsInLetters, scopeOf } from './rights-words.ts';
import { newPassword } from './secret-entry.ts';
import type { Column } from './table.ts';
import { momentInWords, plain } from './words.ts';

const ok = exitCodes.ok.code;

export async function tokenCreate(
  context: Context,
  options: { role: Role; label?: string; expires?: number; sandbox?: string[] },
): Promise<number> {
  const body: BodyOf<'tokenCreate'> = { role: options.role };
  if (options.label !== undefined) body.label = options.label;
  if (options.expires !== undefined) body.expiresInDays = options.expires;
  if (options.sandbox?.length) body.scope = scopeOf(options.sandbox);
  return withNode(context, 'offline', async (client) => {
    const token = await client.ask('tokenCreate', { body });
    if (context.json) context.document(token);
    else {
      context.say(token.secret);
      if (context.terminal.isTty) context.note('Keep it now: it is shown only this once.');
    }
    return ok;
  });
}

export async function tokenList(context: Context): Promise<number> {
  return withNode(context, 'offline', async (client) => {
    const { tokens } = await client.ask('tokens');
    if (context.json) context.document({ tokens });
    else context.rows(tokenColumns, tokens, 'No tokens.');
    return ok;
  });
}

const tokenColumns: Column<Token>[] = [
  { title: 'TOKEN', cell: (each) => each.id },
  { title: 'ROLE', cell: (each) => each.role },
  { title: 'LABEL', cell: (each) => each.label, shrinks: true },
  { title: 'ONLY IN', cell: (each) => onlyIn(each), shrinks: true },
  { title: 'MADE', cell: (each) => momentInWords(each.createdAt) },
  { title: 'BY', cell: (each) => each.createdBy },
  { title: 'EXPIRES', cell: (each) => momentInWords(each.expiresAt) || 'never' },
  { title: 'LAST USED', cell: (each) => momentInWords(each.lastUsedAt) || 'never' },
];

const onlyIn = ({ scope }: Token): string =>
  scope?.sandboxes.map(({ name, may }) => `${name}:${rightsInLetters(may)}`).join(' ') ?? '';

export async function tokenRemove(context: Context, token: string): Promise<number> {
  return withNode(context, 'offline', async (client) => {
    await client.ask('tokenRemove', { params: { token } });
    if (context.json) context.document({ removed: token });
    else context.say(`Token ${plain(token)} was removed; it is useless from now on.`);
    return ok;
  });
}

export async function userList(context: Context): Promise<number> {
  return withNode(context, 'offline', async (client) => {
    const { users } = await client.ask('users');
    if (context.json) context.document({ users });
    else context.rows(userColumns, users, 'No people.');
    return ok;
  });
}

const userColumns: Column<User>[] = [
  { title: 'NAME', cell: (each) => each.name },
  { title: 'ROLE', cell: (each) => each.role },
  { title: 'ADDED', cell: (each) => momentInWords(each.createdAt) },
  { title: 'LAST SIGNED IN', cell: (each) => momentInWords(each.lastSignInAt) || 'never' },
];

type PasswordOptions = { passwordFile?: string };

export async function userAdd(
  context: Context,
  name: string,
  options: PasswordOptions & { role: Role },
): Promise<number> {
  const password = await newPassword(context.terminal, name, options.passwordFile);
  return withNode(context, 'offline', async (client) => {
    const user = await client.ask('userCreate', { body: { name, role: options.role, password } });
    return toldOf(context, user, `${plain(user.name)} may sign in now, as ${user.role}.`);
  });
}

export async function userPassword(context: Context, name: string, options: PasswordOptions): Promise<number> {
  const password = await newPassword(context.terminal, name, options.passwordFile);
  return change(context, name, { password }, () => `${plain(name)} has a new password.`);
}

export async function userRole(context: Context, name: string, role: Role): Promise<number> {
  return change(context, name, { role }, (user) => `${plain(name)} is now ${user.role}.`);
}

function change(
  context: Context,
  name: string,
  body: BodyOf<'userChange'>,
  sentence: (user: User) => string,
): Promise<number> {
  return withNode(context, 'offline', async (client) => {
    const user = await client.ask('userChange', { params: { user: name }, body });
    return toldOf(context, user, sentence(user));
  });
}

export async function userRemove(context: Context, name: string): Promise<number> {
  return withNode(context, 'offline', async (client) => {
    await client.ask('userRemove', { params: { user: name } });
    if (context.json) context.document({ removed: name });
    else context.say(`${plain(name)} can no longer sign in.`);
    return ok;
  });
}

function toldOf(context: Context, user: User, sentence: string): number {
  if (context.json) context.document(user);
  else context.say(sentence);
  return ok;
}

type WhoseSessions = { user?: string; all?: boolean };
const whoseQuery = ({ user, all }: WhoseSessions) => ({
  ...(user === undefined ? {} : { user }),
  ...(all ? { all: '1' as const } : {}),
});

export async function sessionList(context: Context, options: WhoseSessions): Promise<number> {
  return withNode(context, 'offline', async (client) => {
    const { sessions } = await client.ask('sessions', { query: whoseQuery(options) });
    if (context.json) context.document({ sessions });
    else context.rows(sessionColumns, sessions, 'Nobody is signed in there. Administrators see everybody with --all.');
    return ok;
  });
}

const sessionColumns: Column<SignedIn>[] = [
  { title: 'SESSION', cell: (each) => (each.thisOne ? `${each.id} (this one)` : each.id) },
  { title: 'WHO', cell: (each) => (each.byLink ? `a guest of ${each.who}` : each.who) },
  { title: 'ROLE', cell: (each) => each.role },
  { title: 'WITH', cell: (each) => each.program ?? '', shrinks: true },
  { title: 'FROM', cell: (each) => each.from ?? '' },
  { title: 'SINCE', cell: (each) => momentInWords(each.since) },
  { title: 'LAST SEEN', cell: (each) => momentInWords(each.lastSeenAt) || 'not lately' },
];

export async function sessionEnd(context: Context, session: string): Promise<number> {
  return withNode(context, 'offline', async (client) => {
    await client.ask('sessionEnd', { params: { session } });
    if (context.json) context.document({ ended: session });
    else context.say(`Session ${plain(session)} has ended.`);
    return ok;
  });
}

export async function sessionEndAll(context: Context, options: WhoseSessions): Promise<number> {
  return withNode(context, 'offline', async (client) => {
    await client.ask('sessionsEnd', { query: whoseQuery(options) });
    const who = options.all ? 'Everybody' : options.user === undefined ? 'You' : plain(options.user);
    if (context.json) context.document({ ended: options.all ? 'all' : (options.user ?? 'own') });
    else context.say(`${who} ${who === 'You' ? 'are' : 'is'} signed out everywhere. Tokens of programs go on.`);
    return ok;
  });
}
