/**
 * The settings of this computer: what they may be, and how a file of them is
 * read. Settings of the cluster are not here; the node keeps those.
 *
 * Unknown keys are dropped and missing ones get their default, so that an older
 * and a newer program can share a file. A file that cannot be read as settings
 * yields the defaults and a note for the person; nothing is guessed. Pure.
 */
import { z } from 'zod';

export const Settings = z.object({
  theme: z.enum(['system', 'light', 'dark']).default('system'),
  startAtLogin: z.boolean().default(false),
  /** Keep the machine awake on mains power while its node is needed. */
  keepAwake: z.boolean().default(false),
  notifyWhenRunsEnd: z.boolean().default(true),
  /** Has the person been told once that closing the window leaves Binnacle in the tray? */
  toldAboutTray: z.boolean().default(false),
});
export type Settings = z.infer<typeof Settings>;

/** What the page may change at once: some of the settings, nothing else. */
export const SettingsChange = z.strictObject({
  theme: Settings.shape.theme.unwrap().exactOptional(),
  startAtLogin: z.boolean().exactOptional(),
  keepAwake: z.boolean().exactOptional(),
  notifyWhenRunsEnd: z.boolean().exactOptional(),
});
export type SettingsChange = z.infer<typeof SettingsChange>;

export const defaultSettings: Settings = Settings.parse({});

/** `note` is there when the text was no settings file; it is then to be kept aside. */
export function readSettings(text: string): { settings: Settings; note?: string } {
  const damaged = (why: string) => ({ settings: defaultSettings, note: `The settings file could not be read: ${why}` });
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return damaged('it is no JSON.');
  }
  const parsed = Settings.safeParse(found);
  if (!parsed.success) return damaged(z.prettifyError(parsed.error));
  return { settings: parsed.data };
}
