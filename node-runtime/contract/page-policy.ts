/**
 * The content security policy of the console's page, the same in a browser and
 * in the desktop program. It lets nothing in but our own files, and no string
 * become code: `{@html}` throws under it, wanted. Style attributes are allowed
 * because the component library sets them.
 */
export const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src-elem 'self'",
  "style-src-attr 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types svelte-trusted-html',
].join('; ');
