/**
 * Commands about who may do what: tokens of programs, people with passwords.
 *
 * `token create` prints the token alone on stdout, once; it is kept nowhere in
 * readable form. Passwords are never arguments.
 */
import type { Role, Token, User } from '../../contract/model.ts';
import type { BodyOf } from '../../contract/routes.ts';
import { type Context, withNode } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { newPassword } from './secret-entry.ts';
import type { Column } from './table.ts';
import { momentInWords, plain } from './words.ts';

const ok = exitCodes.ok.code;

export async function tokenCreate(
  context: Context,
  options: { role: Role; label?: string; expires?: number },
): Promise<number> {
  const body: BodyOf<'tokenCreate'> = { role: options.role };
  if (options.label !== undefined) body.label = options.label;
  if (options.expires !== undefined) body.expiresInDays = options.expires;
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
  { title: 'MADE', cell: (each) => momentInWords(each.createdAt) },
  { title: 'BY', cell: (each) => each.createdBy },
  { title: 'EXPIRES', cell: (each) => momentInWords(each.expiresAt) || 'never' },
  { title: 'LAST USED', cell: (each) => momentInWords(each.lastUsedAt) || 'never' },
];

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
