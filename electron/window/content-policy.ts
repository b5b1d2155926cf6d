/** The headers of every file of the page in the desktop program. */
import { pagePolicy } from '../../node-runtime/contract/page-policy.ts';

export const pageHeaders = {
  'content-security-policy': pagePolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
} as const;
