/**
 * May this text be given to the YAML parser? Looks at its pieces only, in one
 * cheap pass, and stops at the first thing that no job file needs and that
 * could make the parser slow: deep nesting, thousands of pieces, many aliases.
 * Also finds what would be read otherwise than meant: tags, directives.
 */
import { CST, Lexer } from 'yaml';

export type YamlRefusal = { offset: number; sentence: string; hint: string };

/** Pieces are keys, values, colons, line ends, spaces… A job of 500 tasks with six lines each has about 25,000. */
const PIECES_MAX = 40_000;
const DEPTH_MAX = 24;
const ALIASES_MAX = 50;

export function refuseCostlyYaml(text: string): YamlRefusal | null {
  let offset = 0;
  let pieces = 0;
  let depth = 0;
  let dashes = 0;
  let aliases = 0;
  let isScalar = false;
  for (const piece of new Lexer().lex(text)) {
    const type = isScalar ? 'scalar' : CST.tokenType(piece);
    isScalar = piece === CST.SCALAR;
    if (piece === CST.SCALAR || piece === CST.DOCUMENT || piece === CST.FLOW_END) continue; // marks, not text
    const at = (sentence: string, hint: string): YamlRefusal => ({ offset, sentence, hint });
    if (++pieces > PIECES_MAX)
      return at('This file has too many parts.', 'Split it, or move long lists into files of their own.');
    dashes = type === 'seq-item-ind' ? dashes + 1 : type === 'space' ? dashes : 0;
    if (type === 'flow-map-start' || type === 'flow-seq-start') depth++;
    if (type === 'flow-map-end' || type === 'flow-seq-end') depth--;
    if (type === 'alias' || type === 'anchor') aliases++;
    if (depth > DEPTH_MAX || dashes > DEPTH_MAX) return at('This is nested too deeply.', 'A few levels are enough.');
    if (aliases > ALIASES_MAX) return at('There are too many anchors and aliases.', 'Write the values out.');
    if (type === 'tag') {
      return at(
        `${piece.slice(0, 40)} is read as a tag: what begins with ! means something else in YAML.`,
        'Put the whole value in quotes.',
      );
    }
    if (type === 'explicit-key-ind')
      return at('A ? at the beginning means something else in YAML.', 'Put the value in quotes.');
    if (type === 'directive-line') return at('Directives are not used in job files.', 'Take this line out.');
    offset += piece.length;
  }
  return null;
}
