/**
 * Server-sent events out of bytes (WHATWG "event stream interpretation").
 *
 * Takes chunks as they come, cut anywhere, and gives whole events. Comments
 * and unknown fields are left out. Holds at most one unfinished event.
 */
export type SseEvent = { id: string; event: string; text: string };

export function sseParser(onEvent: (event: SseEvent) => void): (chunk: string) => void {
  let rest = '';
  let id = '';
  let event = '';
  let lines: string[] = [];

  const take = (line: string): void => {
    if (line === '') {
      if (lines.length > 0) onEvent({ id, event: event || 'message', text: lines.join('\n') });
      event = '';
      lines = [];
      return;
    }
    if (line.startsWith(':')) return;
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (field === 'data') lines.push(value);
    else if (field === 'event') event = value;
    else if (field === 'id' && !value.includes('\0')) id = value;
  };

  return (chunk) => {
    rest += chunk;
    for (;;) {
      const end = rest.search(/\r\n|\n|\r/);
      if (end < 0 || (rest[end] === '\r' && end === rest.length - 1)) return;
      take(rest.slice(0, end));
      rest = rest.slice(end + (rest.startsWith('\r\n', end) ? 2 : 1));
    }
  };
}
