/** Paths inside a sandbox: `/` between plain names, '' for the top. */
export const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
export const folderOf = (path: string): string => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '');
export const joinPath = (folder: string, name: string): string => (folder ? `${folder}/${name}` : name);

/** The mistake in a name a person typed, or null. The node checks again. */
export function mistakeInName(name: string): string | null {
  if (name.trim() === '') return 'A name is needed.';
  if (name === '.' || name === '..') return 'This name means a place, not a thing.';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[/\\\u0000-\u001f\u007f]/.test(name)) return 'A name has no slashes and no control characters.';
  if (new TextEncoder().encode(name).length > 255) return 'This name is too long: 255 bytes at most.';
  return null;
}

/** "report.csv" → "report copy.csv", then "report copy 2.csv": the first that is free. */
export function freeName(name: string, taken: (name: string) => boolean): string {
  const dot = name.indexOf('.', 1);
  const stem = dot < 0 ? name : name.slice(0, dot);
  const ending = dot < 0 ? '' : name.slice(dot);
  for (let n = 1; ; n++) {
    const free = `${stem} copy${n > 1 ? ` ${n}` : ''}${ending}`;
    if (!taken(free)) return free;
  }
}
