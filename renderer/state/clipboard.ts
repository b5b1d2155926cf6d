/** Puts a text on the clipboard and says whether that worked: the text may be shown only once. */
import { toasts } from './toasts.svelte.ts';

export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toasts.say('Copied.');
  } catch {
    toasts.say('The browser did not allow copying. Mark the text and copy it yourself.', undefined, 'alarm');
  }
}
