/**
 * The routes by which a desktop program's data folder gets its node: a small
 * table of its own, with the schemas and bounds of the large one.
 *
 * Served on the private socket only, to the user of this computer, before
 * there is a node and beside it later; never on a port of the network, and so
 * not part of the API that others see.
 */
import { z } from 'zod';
import { limits } from './limits.ts';
import * as m from './model.ts';
import { type Route, route } from './routes.ts';

/** Names that people read: no control characters, no line breaks, nothing blank at the ends. */
const nameOf = (charsMax: number) =>
  z
    .string()
    .trim()
    .min(1, 'A name is needed.')
    .max(charsMax, `At most ${charsMax} letters.`)
    .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u, 'Letters, digits and signs that can be seen.');
const NodeName = nameOf(limits.nodeNameCharsMax);

/** `choosing` waits for the person of this computer, `waiting` for one at the cluster. `done`: there is a node. */
export const SetupStep = z.enum(['choosing', 'founding', 'joining', 'asking', 'waiting', 'starting', 'done']);
export type SetupStep = z.infer<typeof SetupStep>;

/** Whether other machines may reach this node, and where they do now. */
export const Reach = z.object({ open: z.boolean(), addresses: z.array(z.string()) });
export type Reach = z.infer<typeof Reach>;

export const Setup = z.object({
  step: SetupStep,
  suggested: z.object({ name: z.string(), cluster: z.string() }),
  /** What says in the network that it is a node: hints, and nothing is asked of it before a person says so. */
  discovered: z.array(m.Discovered),
  /** The request that waits for an answer. */
  asked: z
    .object({ clusterName: z.string(), address: z.string(), words: z.array(z.string()), expiresAt: m.Time })
    .optional(),
  /** Why the last try did not come about. */
  failure: z
    .object({ way: z.enum(['found', 'join', 'ask']), code: z.string(), sentence: z.string(), next: z.string() })
    .optional(),
  reach: Reach,
});
export type Setup = z.infer<typeof Setup>;

export const setupRoutes = {
  setup: route('GET', '/api/v1/setup', 'admin', 'How far it is with the node of this computer', { answer: Setup }),
  setupFound: route('POST', '/api/v1/setup/found', 'admin', 'Found a cluster of this computer alone', {
    body: z.object({ cluster: nameOf(limits.clusterNameCharsMax), name: NodeName, open: z.boolean() }),
    answer: Setup,
    change: false,
  }),
  setupJoin: route('POST', '/api/v1/setup/join', 'admin', 'Join by the one-time code of an invite', {
    body: z.object({ code: z.string().max(limits.inviteCodeCharsMax), name: NodeName }),
    answer: Setup,
    change: false,
  }),
  setupAsk: route('POST', '/api/v1/setup/ask', 'admin', 'Ask a member to be let in; six words are compared', {
    body: z.object({ address: z.string().trim().min(1).max(limits.inviteCodeCharsMax), name: NodeName }),
    answer: Setup,
    change: false,
  }),
  setupCancel: route('POST', '/api/v1/setup/cancel', 'admin', 'Withdraw the request to be let in', {
    answer: Setup,
    change: false,
  }),
  setupReach: route('PUT', '/api/v1/setup/reach', 'admin', 'Let other machines reach this node, or not any more', {
    body: z.object({ open: z.boolean() }),
    answer: Setup,
    change: false,
  }),
} as const satisfies Record<string, Route>;

export type SetupRoutes = typeof setupRoutes;
export type SetupRouteName = keyof SetupRoutes;
export type SetupBodyOf<N extends SetupRouteName> = SetupRoutes[N]['body'] extends z.ZodType
  ? z.infer<SetupRoutes[N]['body']>
  : undefined;
