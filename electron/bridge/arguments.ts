/**
 * What each channel accepts. Anything else is refused before a handler runs:
 * too many arguments, too few, too long, of another kind.
 */
import { z } from 'zod';
import { desktopLimits as limits } from '../limits.ts';
import { SettingsChange } from '../settings/settings.ts';
import type { channels } from './names.ts';

type Channel = (typeof channels)[keyof typeof channels];

const nothing = z.tuple([]);

export const channelArguments = {
  'app.facts': nothing,
  notify: z.tuple([z.string().min(1).max(limits.noteTitleCharsMax), z.string().max(limits.noteBodyCharsMax)]),
  'settings.get': nothing,
  'settings.set': z.tuple([SettingsChange]),
  'runtime.state': nothing,
  'runtime.restart': nothing,
  'opened.take': nothing,
} as const satisfies Record<Channel, z.ZodType<unknown[]>>;

export type ArgumentsOf<C extends Channel> = z.infer<(typeof channelArguments)[C]>;
