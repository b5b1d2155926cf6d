/**
 * Commands about the authority of the cluster: which it is, and another one in
 * its place. The change goes on at the nodes by itself; this only looks at it.
 */
import type { AuthorityStand } from '../../contract/model.ts';
import { type Context, withNode } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { wordsTyped } from './typed-words.ts';
import { momentInWords, plain } from './words.ts';

export const show = (context: Context): Promise<number> =>
  withNode(context, 'running', async (client) => told(context, await client.ask('authority')));

export async function rotate(context: Context, options: { yes?: boolean }): Promise<number> {
  return withNode(context, 'running', async (client) => {
    if (!options.yes) {
      context.note('All nodes get new certificates, one after the other; nothing stops. Open invites end.');
      context.note(
        'Programs that know a node by the fingerprint of its certificate, or of the authority, need the new one.',
      );
      await wordsTyped(context.terminal, 'yes', client.signal);
    }
    return told(context, await client.ask('authorityRotate'));
  });
}

function told(context: Context, stand: AuthorityStand): number {
  if (context.json) context.document(stand);
  else {
    const rows = [
      ['Authority', stand.fingerprint],
      ['Valid until', momentInWords(stand.until)],
      ['Changed', stand.since && stand.by ? `${momentInWords(stand.since)}, begun by ${stand.by}` : ''],
      ['Waits for', stand.waitsFor.join(', ')],
    ] as const;
    context.say(plain(stand.sentence));
    for (const [name, value] of rows)
      if (value !== '') context.say(`${context.paint(name.padEnd(12), 'grey')}${plain(value)}`);
  }
  return exitCodes.ok.code;
}
