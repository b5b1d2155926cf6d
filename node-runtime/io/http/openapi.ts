/**
 * The OpenAPI 3.1 document, made from the route table and the error table.
 *
 * Nothing is described by hand here but what HTTP adds: how to sign in,
 * idempotency keys, problem details. Pure: the same tables and version give
 * the same document.
 */
import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi';
import { limits } from '../../contract/limits.ts';
import { ProblemDetails } from '../../contract/model.ts';
import { type Route, routes } from '../../contract/routes.ts';
import { routeNames } from './addresses.ts';
import { SESSION_COOKIE } from './answers.ts';

export type OpenApiDocument = ReturnType<typeof createDocument>;

export function openapiDocument(version: string): OpenApiDocument {
  const paths: ZodOpenApiPathsObject = {};
  for (const name of routeNames) {
    const route: Route = routes[name];
    const path = route.path.replaceAll('*}', '}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(name, route) };
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Binnacle',
      version,
      description: 'Any node answers any request, or passes it on to the node that can.',
    },
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'A token of a program' },
        session: { type: 'apiKey', in: 'cookie', name: SESSION_COOKIE, description: 'Set by signing in' },
      },
    },
  });
}

/** As it is served at `/api/v1/openapi.json`. Made once for each version. */
export function openapiText(version: string): string {
  const made = texts.get(version) ?? `${JSON.stringify(openapiDocument(version), null, 2)}\n`;
  texts.set(version, made);
  return made;
}
const texts = new Map<string, string>();

const idempotencyKey = z
  .string()
  .max(limits.idempotencyKeyCharsMax)
  .optional()
  .meta({ description: 'The same key with the same request gets the same answer and does nothing twice' });
const etag = z.string().optional();

/** What somebody needs in the sandbox that a route is about, as a sentence; nothing where it is about none. */
export function needText({ needs, path }: Route): string {
  if (needs === null || needs === 'administer') return '';
  const where = path.includes('{run}') ? 'the sandbox of the run' : 'the sandbox';
  return ` Needs the right to ${needs} in ${where}.`;
}

function operationOf(name: string, route: Route): ZodOpenApiOperationObject {
  const bytes = { 'application/octet-stream': { schema: z.string().meta({ format: 'binary' }) } };
  const headers = z.object({
    ...(route.change ? { 'Idempotency-Key': idempotencyKey } : {}),
    ...(route.body === 'bytes' && route.change ? { 'If-Match': etag, 'If-None-Match': etag } : {}),
    ...(route.answer && !('safeParse' in route.answer) && route.path.includes('*') ? { Range: etag } : {}),
  });
  const hasHeaders = Object.keys(headers.shape).length > 0;
  return {
    operationId: name,
    summary: route.summary,
    description: route.role === 'nobody' ? 'Without signing in.' : `Least role: ${route.role}.${needText(route)}`,
    security: route.role === 'nobody' ? [] : [{ token: [] }, { session: [] }],
    requestParams: { path: route.params, query: route.query, ...(hasHeaders ? { header: headers } : {}) },
    ...(route.body === null
      ? {}
      : {
          requestBody: {
            required: true,
            content: route.body === 'bytes' ? bytes : { 'application/json': { schema: route.body } },
          },
        }),
    responses: {
      [route.status]: { description: 'Done', ...(route.answer ? { content: contentOf(route.answer) } : {}) },
      default: { description: 'Not done', content: { 'application/problem+json': { schema: ProblemDetails } } },
    },
  };
}

const contentOf = (answer: NonNullable<Route['answer']>) =>
  'safeParse' in answer
    ? { 'application/json': { schema: answer } }
    : { [answer.media]: { schema: answer.media.endsWith('json') ? z.looseObject({}) : z.string() } };
