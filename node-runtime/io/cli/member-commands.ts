/**
 * Commands about who belongs to the cluster and what for: invite, drain,
 * roles, watch appoint, remove.
 *
 * `invite` prints the code alone on stdout, so that a script can pass it on.
 * Removing asks for the name of the node to be typed.
 */
import type { Duty } from '../../contract/facts.ts';
import { joinLinkOf } from '../../contract/invite-code.ts';
import type { Node } from '../../contract/model.ts';
import type { BodyOf } from '../../contract/routes.ts';
import { type Context, withNode } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { wordsTyped } from './typed-words.ts';
import { momentInWords, plain } from './words.ts';

const ok = exitCodes.ok.code;

export async function invite(context: Context, options: { role: Duty[]; expires?: number }): Promise<number> {
  const body: BodyOf<'invite'> = { duties: options.role };
  if (options.expires !== undefined) body.expiresInMinutes = options.expires;
  return withNode(context, 'running', async (client) => {
    const made = await client.ask('invite', { body });
    const link = joinLinkOf(made.code);
    if (context.json) context.document({ ...made, link });
    else {
      context.say(plain(made.code));
      if (context.terminal.isTty) {
        context.note(
          `Shown only this once; works once, for a ${made.duties.join(' and ')}, until ${momentInWords(made.expiresAt)}.`,
        );
        context.note('On the new computer: binnacle join CODE, then binnacle node --listen HOST:PORT');
        context.note(`Or with the desktop program, open there: ${plain(link)}`);
      }
    }
    return ok;
  });
}

export const drain = (context: Context, node: string, options: { undo?: boolean }): Promise<number> =>
  change(context, node, { drained: options.undo !== true }, ({ name, drained, tasksRunning }) => {
    if (!drained) return `${name} takes new work again.`;
    return tasksRunning === 0
      ? `${name} gets nothing new, and nothing runs on it.`
      : `${name} gets nothing new; ${tasksRunning === 1 ? 'one task' : `${tasksRunning} tasks`} still run on it to their end.`;
  });

export const appointWatch = (context: Context, node: string): Promise<number> =>
  change(context, node, { watch: true }, ({ name, roles }) =>
    roles.includes('watch')
      ? `${name} is the watch.`
      : `${name} is wanted as the watch. It is seated as soon as enough voters agree; see: binnacle status`,
  );

export const roles = (context: Context, node: string, options: { role: Duty[] }): Promise<number> =>
  change(context, node, { duties: options.role }, ({ name, duties }) => `${name} is there as ${duties.join(' and ')}.`);

function change(
  context: Context,
  node: string,
  body: BodyOf<'nodeChange'>,
  sentence: (node: Node) => string,
): Promise<number> {
  return withNode(context, 'running', async (client) => {
    const changed = await client.ask('nodeChange', { params: { node }, body });
    if (context.json) context.document(changed);
    else context.say(plain(sentence(changed)));
    return ok;
  });
}

export async function remove(context: Context, node: string, options: { yes?: boolean }): Promise<number> {
  return withNode(context, 'running', async (client) => {
    if (!options.yes) {
      const name =
        (await client.ask('nodes')).nodes.find((each) => each.id === node || each.name === node)?.name ?? node;
      context.note(
        `${plain(name)} loses its place at once: its certificate is useless, and what runs on it is not heard of any more.`,
      );
      context.note('To let it in again it needs a new invite.');
      await wordsTyped(context.terminal, plain(name), client.signal);
    }
    await client.ask('nodeRemove', { params: { node } });
    if (context.json) context.document({ removed: node });
    else context.say(`${plain(node)} was removed.`);
    return ok;
  });
}
