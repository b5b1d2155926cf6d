/**
 * Finding by typing: every typed word must occur; the better the place, the
 * higher the score. 0 means no match. No fuzzy letters: what is found can be
 * explained by looking at it.
 */
export function matchScore(typed: string, text: string): number {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return 1;
  const hay = text.toLowerCase();
  let score = 0;
  for (const word of words) {
    const at = hay.indexOf(word);
    if (at < 0) return 0;
    const before = at === 0 ? '' : (hay[at - 1] ?? '');
    score += at === 0 ? 4 : /[\s/._-]/.test(before) ? 3 : 1;
  }
  return score + 1 / (1 + hay.length);
}
