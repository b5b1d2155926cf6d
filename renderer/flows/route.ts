/**
 * Addresses of the console: the part after `#` ↔ a closed union of places.
 *
 * What is not understood becomes the overview; nothing is ever executed from
 * an address.
 */
export type Place =
  | { screen: 'overview' }
  | { screen: 'nodes'; node?: string }
  | { screen: 'recovery' }
  | { screen: 'sandboxes'; sandbox?: string; path: string; file?: string; view?: 'edit' | 'history' | 'trash' }
  | { screen: 'launch'; sandbox: string; path: string; from?: string }
  | { screen: 'runs'; state?: string; sandbox?: string; path?: string; text?: string }
  | { screen: 'run'; run: string; task?: string; attempt?: number }
  | {
      screen: 'audit';
      act?: string;
      who?: string;
      subject?: string;
      via?: string;
      text?: string;
      since?: string;
      entry?: string;
    }
  | { screen: 'settings' }
  | { screen: 'link'; code: string };

const segments = (path: string): string[] => path.split('/').filter(Boolean).map(decoded);
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
const given = <K extends string>(query: URLSearchParams, ...names: K[]): { [N in K]?: string } => {
  const found: { [N in K]?: string } = {};
  for (const name of names) {
    const value = query.get(name);
    if (value) found[name] = value;
  }
  return found;
};
const views = ['edit', 'history', 'trash'] as const;

export function placeOf(hash: string): Place {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const [screen, ...rest] = segments(path);
  const query = new URLSearchParams(search);
  if (screen === 'recovery' || screen === 'settings') return { screen };
  if (screen === 'audit') return { screen, ...given(query, 'act', 'who', 'subject', 'via', 'text', 'since', 'entry') };
  if (screen === 'nodes') return { screen, ...given(query, 'node') };
  if (screen === 'link' && rest[0]) return { screen, code: rest[0] };
  if (screen === 'launch' && rest.length > 1) {
    return { screen, sandbox: rest[0]!, path: rest.slice(1).join('/'), ...given(query, 'from') };
  }
  if (screen === 'runs') {
    if (!rest[0]) return { screen, ...given(query, 'state', 'sandbox', 'path', 'text') };
    const attempt = Number(query.get('attempt'));
    return { screen: 'run', run: rest[0], ...given(query, 'task'), ...(attempt > 0 ? { attempt } : {}) };
  }
  if (screen === 'sandboxes') {
    const view = views.find((one) => one === query.get('view'));
    return {
      screen,
      ...(rest[0] ? { sandbox: rest[0] } : {}),
      path: rest.slice(1).join('/'),
      ...given(query, 'file'),
      ...(view ? { view } : {}),
    };
  }
  return { screen: 'overview' };
}

const joined = (...parts: string[]): string =>
  parts
    .flatMap((part) => part.split('/'))
    .filter(Boolean)
    .map(encodeURIComponent)
    .join('/');

export function hashOf(place: Place): string {
  const { screen, ...rest } = place as Record<string, string | number | undefined> & { screen: Place['screen'] };
  const inPath: Record<Place['screen'], string[]> = {
    overview: [],
    nodes: [],
    recovery: [],
    audit: [],
    settings: [],
    sandboxes: ['sandbox', 'path'],
    launch: ['sandbox', 'path'],
    runs: [],
    run: ['run'],
    link: ['code'],
  };
  const words = inPath[screen];
  const path = joined(screen === 'run' ? 'runs' : screen, ...words.map((word) => String(rest[word] ?? '')));
  const query = new URLSearchParams();
  for (const [word, value] of Object.entries(rest)) {
    if (!words.includes(word) && value !== undefined && value !== '') query.set(word, String(value));
  }
  return `#/${path}${query.size > 0 ? `?${query}` : ''}`;
}
