/**
 * The log of a node: one JSON line an event on standard error, or in a person's
 * words where a terminal reads it. Door of pino.
 *
 * Secrets never reach a log: callers pass what may be told, and the names
 * below are cut out wherever they turn up all the same.
 */
import { pino } from 'pino';

export type NodeLog = {
  info(what: object, sentence: string): void;
  warn(what: object, sentence: string): void;
  error(what: object, sentence: string): void;
};

const secret = ['password', 'passwordHash', 'secret', 'token', 'authorization', 'cookie'];

export function makeLog(name: string, level = process.env['BINNACLE_LOG'] ?? 'info'): NodeLog {
  const redact = { paths: secret.flatMap((word) => [word, `*.${word}`]), censor: '[kept secret]' };
  return pino(
    { name: 'binnacle', base: { node: name }, level, redact, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination(2),
  );
}
