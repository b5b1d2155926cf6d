/**
 * `docs/api.md` and `docs/errors.md`, made from the tables of the contract.
 *
 * Pure functions; a script writes the files and a check proves them fresh.
 * Every code has its own heading, because problem details point at it.
 */
import { z } from 'zod';
import { type ErrorCode, errors } from '../../contract/errors.ts';
import { limits } from '../../contract/limits.ts';
import { type Route, routes } from '../../contract/routes.ts';
import { routeNames } from './addresses.ts';
import { needText } from './openapi.ts';

const MADE = '<!-- Made from the contract by `npm run docs`. Do not edit. -->';

export function errorsMarkdown(): string {
  const sections = (Object.keys(errors) as ErrorCode[]).map((code) => {
    const { status, title, next } = errors[code];
    return `## ${code}\n\n${title}. HTTP status ${status}.\n\nWhat to do: ${next}\n`;
  });
  return [
    `${MADE}\n`,
    '# Errors\n',
    'Every answer that is not a success is `application/problem+json` with `code`, `title`, `detail` (what exactly), `next` (what to do) and, where a place can be named, `problems`. Programs may compare codes; they never change their meaning.\n',
    ...sections,
  ].join('\n');
}

export function routesMarkdown(): string {
  const rows = routeNames.map((name) => {
    const route: Route = routes[name];
    return `| [${name}](#${name.toLowerCase()}) | \`${route.method} ${route.path}\` | ${route.role} | ${cell(route.summary)} |`;
  });
  return [
    `${MADE}\n`,
    '# HTTP API\n',
    'Any node answers any request. The same as an OpenAPI document: `/api/v1/openapi.json`. Failures: [errors.md](errors.md).\n',
    `Programs send \`Authorization: Bearer TOKEN\`. Requests that change something take an \`Idempotency-Key\` of up to ${limits.idempotencyKeyCharsMax} characters: the same key with the same request gets the same answer and does nothing twice. \`{name*}\` is the rest of the path; encode each segment.\n`,
    `| Name | Address | Least role | What |\n|---|---|---|---|\n${rows.join('\n')}\n`,
    ...routeNames.map((name) => sectionOf(name, routes[name])),
  ].join('\n');
}

function sectionOf(name: string, route: Route): string {
  const lines = [
    `## ${name}\n`,
    `\`${route.method} ${route.path}\``,
    '',
    `${route.summary}. Least role: ${route.role}.${needText(route)} Answers ${route.status}${answerText(route.answer)}.`,
    ...(route.change ? ['', 'Takes an `Idempotency-Key`.'] : []),
    ...fieldTable('Query', route.query),
    ...(route.body === 'bytes' ? ['', 'Body: bytes of any media type.'] : []),
    ...(route.body instanceof z.ZodObject ? fieldTable('JSON body', route.body) : []),
  ];
  return `${lines.join('\n')}\n`;
}

function answerText(answer: Route['answer']): string {
  if (answer === null) return ' without a body';
  if (!('safeParse' in answer)) return ` with \`${answer.media}\``;
  const id = z.globalRegistry.get(answer)?.id;
  return id ? ` with ${id}` : ' with JSON';
}

type Field = {
  type?: string;
  enum?: unknown[];
  description?: string;
  anyOf?: Field[];
  maximum?: number;
  maxLength?: number;
};

function fieldTable(title: string, schema: z.ZodObject): string[] {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
  const fields = Object.entries((json.properties ?? {}) as Record<string, Field>);
  if (fields.length === 0) return [];
  const rows = fields.map(([name, field]) => {
    const needed = json.required?.includes(name) ? 'yes' : '';
    return `| \`${name}\` | ${cell(typeText(field))} | ${needed} | ${cell(field.description ?? '')} |`;
  });
  return ['', `| ${title} | Type | Needed | |`, '|---|---|---|---|', ...rows];
}

function typeText(field: Field): string {
  if (field.enum) return field.enum.map(String).join(', ');
  if (field.anyOf) return field.anyOf.map(typeText).join(' or ');
  return field.type ?? 'JSON';
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
