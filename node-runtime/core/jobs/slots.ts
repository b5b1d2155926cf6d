/**
 * Finds `${{ … }}` in a text. The end `}}` inside a quoted text of the
 * expression does not count.
 */
export const slotOpening = '${{';

/** A place to fill: from `start` to `end` in the text; the expression begins at `sourceAt`. */
export type Slot = { start: number; end: number; source: string; sourceAt: number };
/** `closed` is false when a `${{` has no `}}`: then `end` is the end of the text. */
export type FoundSlot = Slot & { closed: boolean };

/** The slot whose `${{` stands at `start`. */
export function slotAt(text: string, start: number): FoundSlot {
  const sourceAt = start + slotOpening.length;
  let quote = '';
  for (let at = sourceAt; at < text.length; at++) {
    const character = text[at]!;
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === "'" || character === '"') {
      quote = character;
    } else if (character === '}' && text[at + 1] === '}') {
      return { start, end: at + 2, source: text.slice(sourceAt, at), sourceAt, closed: true };
    }
  }
  return { start, end: text.length, source: text.slice(sourceAt), sourceAt, closed: false };
}

/** All slots of a text that is not shell text, first to last. An unclosed one is the last. */
export function slotsOf(text: string): FoundSlot[] {
  const slots: FoundSlot[] = [];
  let at = text.indexOf(slotOpening);
  while (at >= 0) {
    const slot = slotAt(text, at);
    slots.push(slot);
    at = slot.closed ? text.indexOf(slotOpening, slot.end) : -1;
  }
  return slots;
}

export const hasSlots = (text: string): boolean => text.includes(slotOpening);
