/**
 * The one way a command ends badly: a sentence, what to do next, an exit code.
 *
 * Whatever goes wrong below becomes a `Failure` where it is understood; the
 * command line prints it once, at its edge. Nothing here prints. A fault that
 * nobody understood is still a sentence for people; `--verbose` shows its
 * cause.
 */
import type { ErrorCode, Problem } from '../../contract/errors.ts';
import { errors } from '../../contract/errors.ts';
import type { ProblemDetails } from '../../contract/model.ts';
import type { ExitName } from './exit-codes.ts';

type Told = { next?: string; problem?: ProblemDetails; cause?: unknown };

export class Failure extends Error {
  readonly exit: ExitName;
  readonly next: string | undefined;
  /** The node's own document, when a node refused. */
  readonly problem: ProblemDetails | undefined;

  constructor(exit: ExitName, sentence: string, told: Told = {}) {
    super(sentence, told.cause === undefined ? undefined : { cause: told.cause });
    this.name = 'Failure';
    this.exit = exit;
    this.next = told.next;
    this.problem = told.problem;
  }

  get code(): string | undefined {
    return this.problem?.code;
  }
}

export const misused = (sentence: string, next?: string): Failure =>
  new Failure('usage', sentence, next === undefined ? {} : { next });

export const interrupted = (sentence = 'Interrupted.'): Failure => new Failure('interrupted', sentence);

const codeOf = (fault: unknown): string => String((fault as { code?: unknown } | null)?.code ?? '');

/** Turns anything thrown into a Failure; what is one already stays as it is. */
export function failureOf(fault: unknown): Failure {
  if (fault instanceof Failure) return fault;
  const { message, next, problems } = (fault ?? {}) as { message?: unknown; next?: string; problems?: Problem[] };
  const code = codeOf(fault);
  const detail = (fault as { detail?: unknown } | null)?.detail;
  const known = code in errors ? errors[code as ErrorCode] : undefined;
  const sentence = typeof detail === 'string' ? detail : String(message || fault);
  if (!known) return new Failure('here', sentence, { cause: fault, ...(next ? { next } : {}) });
  const problem: ProblemDetails = {
    type: `/errors/${code}`,
    title: known.title,
    status: known.status,
    code,
    detail: sentence,
    next: next ?? known.next,
    ...(problems ? { problems } : {}),
  };
  return new Failure('refused', sentence, { next: problem.next, problem, cause: fault });
}

const sentences: Record<string, string> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be read or written by you',
  EPERM: 'may not be changed by you',
  EISDIR: 'is a folder',
  ENOTDIR: 'is inside something that is no folder',
  ENOSPC: 'does not fit: the disk is full',
  EDQUOT: 'does not fit: your quota is used up',
  EROFS: 'lies on a disk that cannot be written',
};

/** A failure of a file of this computer, in words. */
export function fileFailure(path: string, fault: unknown): Failure {
  const why = sentences[codeOf(fault)] ?? `cannot be used (${codeOf(fault) || String(fault)})`;
  return new Failure('here', `${path} ${why}.`, { cause: fault });
}
