/**
 * Commands about secrets by name. A value is never an argument, where others
 * could see it, and never printed: there is no command that shows one.
 */
import type { Secret } from '../../contract/model.ts';
import type { BodyOf } from '../../contract/routes.ts';
import { type Context, withNode } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { newSecret, type SecretFrom } from './secret-entry.ts';
import type { Column } from './table.ts';
import { momentInWords, plain } from './words.ts';

const ok = exitCodes.ok.code;

export async function secretList(context: Context): Promise<number> {
  return withNode(context, 'offline', async (client) => {
    const { secrets } = await client.ask('secrets');
    if (context.json) context.document({ secrets });
    else context.rows(columns, secrets, 'No secrets.');
    return ok;
  });
}

const columns: Column<Secret>[] = [
  { title: 'SECRET', cell: (each) => each.name },
  { title: 'VERSION', cell: (each) => String(each.version) },
  { title: 'SAVED', cell: (each) => momentInWords(each.savedAt) },
  { title: 'BY', cell: (each) => each.savedBy },
  { title: 'RUNS', cell: (each) => (each.runs.length === 0 ? '' : String(each.runs.length)) },
  { title: 'FOR', cell: (each) => each.description ?? '', shrinks: true },
];

export async function secretSet(
  context: Context,
  name: string,
  { description, ...from }: SecretFrom & { description?: string },
): Promise<number> {
  const value = await newSecret(context.terminal, name, from);
  const body: BodyOf<'secretSave'> = { value, ...(description === undefined ? {} : { description }) };
  return withNode(context, 'offline', async (client) => {
    const secret = await client.ask('secretSave', { params: { name }, body });
    if (context.json) context.document(secret);
    else if (secret.version === 1) context.say(`${plain(name)} is saved. Job files name it under secrets.`);
    else context.say(`${plain(name)} has a new value; attempts that begin from now on are given it.`);
    return ok;
  });
}

export async function secretRemove(context: Context, name: string): Promise<number> {
  return withNode(context, 'offline', async (client) => {
    const removed = await client.ask('secretRemove', { params: { name } });
    if (context.json) context.document(removed);
    else {
      context.say(`${plain(name)} was removed.`);
      if (removed.runs.length > 0)
        context.note(
          `These runs name it, and what of them has not begun will not start: ${removed.runs.map(plain).join(', ')}.`,
        );
    }
    return ok;
  });
}
