/** A failure as one or two sentences, for a form that stays open. */
import { Failure } from '../api.ts';

export function sayFailure(cause: unknown): string {
  if (cause instanceof Failure) return `${cause.message} ${cause.next}`.trim();
  console.error(cause);
  return 'The console made a mistake. Reload the page and try again.';
}
