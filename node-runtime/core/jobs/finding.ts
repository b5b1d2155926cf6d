/** What checking a job file finds: a mistake, and by which keys its place is reached. */
export type KeyPath = (string | number)[];

/**
 * A mistake at the value (or the key) that `path` leads to. In a text, `slot`
 * says after how many other `${{` it is, and `offset` how many characters from
 * there, or from the beginning of the text when there is no slot.
 */
export type Finding = {
  path: KeyPath;
  at: 'key' | 'value';
  slot?: number;
  offset?: number;
  sentence: string;
  hint?: string;
};
