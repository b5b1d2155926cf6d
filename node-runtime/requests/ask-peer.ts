/** One small JSON question to another node (`/peer/v1/…`): its answer, or its refusal, or that it can't be reached. */
import { type ErrorCode, errors, type Refusal, refuse } from '../contract/errors.ts';
import { limits } from '../contract/limits.ts';
import { PeerUnreachable } from '../io/http/peer-requests.ts';
import { nameOf } from './cluster-words.ts';
import type { Parts } from './parts.ts';

const HEADERS_MS = 10_000;

export async function askPeer<T>(
  parts: Parts,
  node: string,
  address: string,
  body?: unknown,
  withinMs = HEADERS_MS,
): Promise<T | Refusal> {
  const peers = parts.peers();
  if (!peers) return refuse('node_unreachable', `${parts.name} speaks to no other node.`);
  try {
    const answer = await peers.request(node, {
      method: body === undefined ? 'GET' : 'POST',
      path: `/peer/v1/${address}`,
      headersTimeoutMs: withinMs,
      signal: AbortSignal.timeout(withinMs),
      ...(body === undefined
        ? {}
        : { body: Buffer.from(JSON.stringify(body)), headers: { 'content-type': 'application/json' } }),
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of answer.body) {
      bytes += (chunk as Buffer).length;
      if (bytes > limits.peerFrameBytesMax)
        return refuse('body_too_large', `${nameOf(parts, node)} answered too much.`);
      chunks.push(chunk as Buffer);
    }
    const text = Buffer.concat(chunks).toString('utf8');
    if (answer.status === 200) return JSON.parse(text) as T;
    const problem = JSON.parse(text) as { code: string; detail: string };
    const code = problem.code in errors ? (problem.code as ErrorCode) : 'internal';
    return refuse(code, problem.detail);
  } catch (error) {
    if (!(error instanceof PeerUnreachable)) throw error;
    return refuse('node_unreachable', `${nameOf(parts, node)} does not answer.`);
  }
}
