/**
 * Files and whole folders out of a drop, each with its path below the drop.
 *
 * The entries must be taken from the drop before anything is awaited: after
 * the event the browser empties it. Empty folders are reported too.
 */
export type Dropped = { files: { path: string; file: File }[]; emptyFolders: string[] };

const childrenOf = (folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> => {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  return new Promise((resolve, reject) => {
    // A reader gives at most a hundred at a time and is done when it gives none.
    const next = (): void =>
      reader.readEntries((some) => {
        if (some.length === 0) resolve(all);
        else {
          all.push(...some);
          next();
        }
      }, reject);
    next();
  });
};

async function collect(entry: FileSystemEntry, into: Dropped): Promise<void> {
  const path = entry.fullPath.replace(/^\/+/, '');
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    into.files.push({ path, file });
    return;
  }
  const children = await childrenOf(entry as FileSystemDirectoryEntry);
  if (children.length === 0) into.emptyFolders.push(path);
  for (const child of children) await collect(child, into);
}

export async function droppedOf(transfer: DataTransfer): Promise<Dropped> {
  const into: Dropped = { files: [], emptyFolders: [] };
  const plain: File[] = [...transfer.files];
  const entries = [...transfer.items].map((item) => (item.kind === 'file' ? item.webkitGetAsEntry() : null));
  if (entries.every((entry) => entry === null)) {
    for (const file of plain) into.files.push({ path: file.name, file });
    return into;
  }
  for (const entry of entries) if (entry) await collect(entry, into);
  return into;
}

/** Files out of a file chooser; a chosen folder keeps its structure. */
export const chosenOf = (list: FileList): Dropped => ({
  files: [...list].map((file) => ({ path: file.webkitRelativePath || file.name, file })),
  emptyFolders: [],
});
