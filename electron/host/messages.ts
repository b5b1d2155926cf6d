/**
 * What main and the node runtime say to each other over their message line.
 *
 * Main starts `dist/runtime/embedded.js` in a utility process and sends `start`
 * first. The runtime answers `ready` once its socket accepts connections, or
 * `failed` and then exits. A runner is a second utility process that only main
 * can start: the runtime asks with `runnerWanted`, gets `runner` with a port,
 * and the runner gets `connect` with the other end. If one ends, the other is
 * told. What the runtime says is checked here; a message that does not fit is
 * dropped with a log line, never believed.
 */
import { z } from 'zod';
import { desktopLimits as limits } from '../limits.ts';

/** Text for people: cut where it is too long, because a cut reason is better than none. */
const cut = (charsMax: number) => z.string().transform((text) => text.slice(0, charsMax));
const Sentence = cut(limits.sentenceCharsMax);
const RunnerId = z.string().min(1).max(64);

export const FromRuntime = z.discriminatedUnion('type', [
  /**
   * `socketPath` lies in the `socketDirectory` of `start`; `name` is the node's name, or the proposed one while a person
   * says what becomes of this computer. Comes again when the node has been made, or was started anew.
   */
  z.object({
    type: z.literal('ready'),
    socketPath: z.string().max(limits.socketPathBytesMax),
    name: cut(limits.nameCharsMax),
  }),
  /** It cannot run: what is the matter and what a person can do. The process exits after this. */
  z.object({ type: z.literal('failed'), code: cut(64), sentence: Sentence, next: Sentence }),
  z.object({ type: z.literal('runnerWanted'), id: RunnerId }),
  /** For the tray and the question at quitting. `headline` is one sentence about this node. */
  z.object({
    type: z.literal('roles'),
    roles: z.array(z.string().max(32)).max(limits.rolesMax),
    headline: cut(limits.headlineCharsMax),
    /** Another controller stands by to take the lead. */
    isPaired: z.boolean().default(false),
  }),
  z.object({ type: z.literal('log'), line: cut(limits.logLineCharsMax) }),
]);
export type FromRuntime = z.infer<typeof FromRuntime>;

export type ToRuntime =
  /** `socketDirectory` is a fresh folder of mode 0700; on Windows the beginning of a pipe's name. */
  | { type: 'start'; dataDirectory: string; socketDirectory: string; name: string }
  /** One `MessagePort` comes with it: the line to runner `id`. */
  | { type: 'runner'; id: string }
  | { type: 'runnerGone'; id: string; why: string }
  /** End in order; the process is killed after `desktopLimits.stopMs`. */
  | { type: 'stop' }
  /** The machine is about to sleep: there is no time to wait for replies. */
  | { type: 'suspend' }
  /** It woke up: every lease counts as ended until proven otherwise. */
  | { type: 'resume' };

export type ToRunner =
  /** One `MessagePort` comes with it: the line to the runtime. */
  | { type: 'connect' }
  /** Nobody will ask for anything any more: end in order, or be killed after `stopMs`. */
  | { type: 'runtimeGone'; why: string };
