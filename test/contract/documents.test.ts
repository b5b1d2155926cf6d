/** The OpenAPI document and the Markdown of the tables: whole, true to the tables, without loose ends. */
import { describe, expect, test } from 'vitest';
import { errors } from '../../node-runtime/contract/errors.ts';
import { routes } from '../../node-runtime/contract/routes.ts';
import { errorsMarkdown, routesMarkdown } from '../../node-runtime/io/http/documents.ts';
import { openapiDocument, openapiText } from '../../node-runtime/io/http/openapi.ts';
import { names } from './support/doors.ts';

type Operation = {
  operationId: string;
  security: unknown[];
  parameters?: { in: string; name: string }[];
  requestBody?: { content: Record<string, unknown> };
  responses: Record<string, { content?: Record<string, unknown> }>;
};
const text = openapiText('1.2.3');
const document = JSON.parse(text) as {
  openapi: string;
  info: { version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown> };
};

describe('openapi.json', () => {
  test.each(names)('describes %s', (name) => {
    const route = routes[name];
    const operation = document.paths[route.path.replaceAll('*}', '}')]?.[route.method.toLowerCase()];
    expect(operation?.operationId).toBe(name);
    expect(operation?.security).toHaveLength(route.role === 'nobody' ? 0 : 2);
    const inPath = (operation?.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name);
    expect(inPath).toEqual([...route.path.matchAll(/\{(\w+)/g)].map((found) => found[1]));
    const headers = (operation?.parameters ?? []).filter((one) => one.in === 'header').map((one) => one.name);
    expect(headers.includes('Idempotency-Key')).toBe(route.change);
    expect(Object.keys(operation?.requestBody?.content ?? {})).toEqual(
      route.body === null ? [] : [route.body === 'bytes' ? 'application/octet-stream' : 'application/json'],
    );
    expect(Object.keys(operation?.responses ?? {})).toEqual([String(route.status), 'default']);
    expect(operation?.responses['default']?.content).toHaveProperty(['application/problem+json']);
  });

  test('is of version 3.1 and carries the version of the program', () => {
    expect([document.openapi, document.info.version]).toEqual(['3.1.0', '1.2.3']);
    expect(openapiDocument('1.2.3')).toEqual(document);
  });

  test('describes nothing that is not in the table', () => {
    expect(Object.values(document.paths).flatMap((path) => Object.keys(path))).toHaveLength(names.length);
  });

  test('every reference leads somewhere', () => {
    const references = [...text.matchAll(/"\$ref": "#\/components\/schemas\/([^"]+)"/g)].map((found) => found[1]!);
    expect(references.length).toBeGreaterThan(20);
    for (const reference of references) expect(document.components.schemas).toHaveProperty([reference]);
  });
});

test('errors.md has a heading for every code, at which problem details point', () => {
  const headings = [...errorsMarkdown().matchAll(/^## (.+)$/gm)].map((found) => found[1]);
  expect(headings).toEqual(Object.keys(errors));
});

test('api.md has a section for every route, and its links lead to them', () => {
  const markdown = routesMarkdown();
  const headings = [...markdown.matchAll(/^## (.+)$/gm)].map((found) => found[1]!);
  const links = [...markdown.matchAll(/\]\(#(\w+)\)/g)].map((found) => found[1]!);
  expect(headings).toEqual(names);
  expect(links).toEqual(names.map((name) => name.toLowerCase()));
});
