/**
 * What can go wrong with the durable store, as coded errors.
 *
 * Codes shared with contract/errors (`disk_full`, `journal_damaged`) are
 * answered to users as they are; the others end the start of a node or the
 * node itself. Errors cross the thread border as plain values and become
 * instances of the same classes again on the other side.
 */
export type JournalErrorCode =
  | 'disk_full'
  | 'journal_damaged'
  | 'folder_in_use'
  | 'folder_unsuitable'
  | 'engine_too_old'
  | 'journal_closed'
  | 'journal_fault'
  | 'broken_promise';

export class JournalError extends Error {
  readonly code: JournalErrorCode;

  constructor(code: JournalErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** No space left. Nothing of the group was kept; the same may work later. */
export class DiskFull extends JournalError {
  constructor(message: string, options?: ErrorOptions) {
    super('disk_full', message, options);
  }
}

/** What is on disk is not what was written. Nothing was changed or deleted. */
export class JournalDamaged extends JournalError {
  constructor(what: string, options?: ErrorOptions) {
    super('journal_damaged', what.endsWith(nextStep) ? what : `${what} ${nextStep}`, options);
  }
}

const nextStep =
  'Nothing was changed or deleted. Make a copy of the folder first, then run: binnacle doctor. ' +
  'Restore this node from a backup, or let it copy the journal anew from the other controller.';

/** A mistake of ours: the caller broke what the journal was promised. */
export class BrokenPromise extends JournalError {
  constructor(message: string, options?: ErrorOptions) {
    super('broken_promise', message, options);
  }
}

/** Asserts what the caller promised. */
export function promised(holds: boolean, sentence: () => string): asserts holds {
  if (!holds) throw new BrokenPromise(sentence());
}

export type CarriedError = { code: JournalErrorCode; message: string; engineCode?: string; stack?: string };

/** Plain form for the thread border. Anything unknown is a fault. */
export function carry(error: unknown): CarriedError {
  const known = error instanceof JournalError ? error : asFault(error);
  const engineCode = engineCodeOf(known.cause);
  const carried: CarriedError = { code: known.code, message: known.message };
  if (engineCode) carried.engineCode = engineCode;
  if (known.stack) carried.stack = known.stack;
  return carried;
}

export function uncarry(carried: CarriedError): JournalError {
  const options = carried.engineCode ? { cause: carried.engineCode } : {};
  const made = instanceOf(carried, options);
  if (carried.stack) made.stack = carried.stack;
  return made;
}

function instanceOf({ code, message }: CarriedError, options: ErrorOptions): JournalError {
  if (code === 'disk_full') return new DiskFull(message, options);
  if (code === 'journal_damaged') return new JournalDamaged(message, options);
  if (code === 'broken_promise') return new BrokenPromise(message, options);
  return new JournalError(code, message, options);
}

/** The SQLite result code of an error of the engine, as `SQLITE_FULL`; '' for any other. */
export function engineCodeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : '';
}

/** Also when the small index file that a reading connection needs finds no space. */
export const isDiskFull = (error: unknown): boolean =>
  ['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE'].includes(engineCodeOf(error)) ||
  (error instanceof Error && 'code' in error && error.code === 'ENOSPC');

export function asFault(error: unknown): JournalError {
  const engineCode = engineCodeOf(error);
  const said = error instanceof Error ? error.message : String(error);
  return new JournalError('journal_fault', `The journal cannot go on: ${said}${engineCode && ` (${engineCode})`}.`, {
    cause: error,
  });
}

const damageCodes = ['SQLITE_CORRUPT', 'SQLITE_NOTADB', 'SQLITE_ERROR', 'SQLITE_FORMAT', 'SQLITE_MISMATCH'];

/** Says what an error of the engine means for a file that is read, not written. */
export function asReadError(error: unknown, file: string): Error {
  if (error instanceof JournalError) return error;
  const code = engineCodeOf(error);
  if (damageCodes.some((damage) => code.startsWith(damage))) {
    return new JournalDamaged(`The file ${file} cannot be read: ${(error as Error).message} (${code}).`, {
      cause: error,
    });
  }
  if (isDiskFull(error)) return new DiskFull(`No space is left to open ${file}.`, { cause: error });
  return asFault(error);
}
