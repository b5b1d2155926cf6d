/**
 * Answers the page's calls: first who asks, then what is asked, then the
 * handler. One handler a channel, and a channel without one does not compile.
 */
import { type IpcMainInvokeEvent, ipcMain, type WebContents } from 'electron';
import { z } from 'zod';
import { type ArgumentsOf, channelArguments } from './arguments.ts';
import { isTrusted } from './sender.ts';

type Channels = typeof channelArguments;
export type Handlers = { [C in keyof Channels]: (...args: ArgumentsOf<C>) => unknown };

function isOurs(event: IpcMainInvokeEvent, ours: WebContents | null): boolean {
  const { senderFrame } = event;
  const frame = senderFrame && { origin: senderFrame.origin, isTop: senderFrame.parent === null };
  return isTrusted({ frame, isOurWindow: ours !== null && event.sender === ours });
}

/** `ourPage` is asked at each call: windows come and go. */
export function serveBridge(handlers: Handlers, ourPage: () => WebContents | null): void {
  for (const channel of Object.keys(channelArguments) as (keyof Channels)[]) {
    ipcMain.handle(channel, (event, ...given: unknown[]) => {
      if (!isOurs(event, ourPage())) throw new Error('Only the console may ask that.');
      const parsed = channelArguments[channel].safeParse(given);
      if (!parsed.success) throw new Error(`${channel}: ${z.prettifyError(parsed.error)}`);
      return (handlers[channel] as (...args: unknown[]) => unknown)(...parsed.data);
    });
  }
}
