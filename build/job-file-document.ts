/**
 * docs/job-file.md: the reference of job files, made from the JSON Schema that
 * editors and the checker use, so that it cannot say anything else.
 */
type Schema = {
  description?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  propertyNames?: Schema;
  items?: Schema;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  $ref?: string;
  $defs?: Record<string, Schema>;
};

export function jobFileMarkdown(root: Schema): string {
  const lines: string[] = [
    '# Job files: reference',
    '',
    'Made from the schema that also checks them (`job-file.schema.json`, served at `/api/v1/job-file.schema.json`).',
    'The guide with examples is [writing-jobs.md](operating/writing-jobs.md).',
    '',
  ];
  const told = new Set<string>();
  const tell = (title: string, schema: Schema): void => {
    const of = resolve(schema, root);
    if (!of.properties || told.has(title)) return;
    told.add(title);
    lines.push(`## ${title}`, '');
    if (of.description) lines.push(of.description, '');
    lines.push('| Key | Value | Meaning |', '|---|---|---|');
    for (const [key, value] of Object.entries(of.properties)) {
      const needed = of.required?.includes(key) ? ' (needed)' : '';
      lines.push(
        `| \`${key}\`${needed} | ${cell(kindOf(resolve(value, root), root))} | ${cell(value.description ?? resolve(value, root).description ?? '')} |`,
      );
    }
    lines.push('');
    for (const [key, value] of Object.entries(of.properties))
      for (const [name, inner] of objectsIn(resolve(value, root), root))
        tell(name === '' ? key : `${key}: ${name}`, inner);
  };
  tell('The file', root);
  return `${lines.join('\n').trimEnd()}\n`;
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function resolve(schema: Schema, root: Schema): Schema {
  const name = schema.$ref?.replace(/^#\/\$defs\//, '');
  return name === undefined
    ? schema
    : resolve({ ...root.$defs?.[name], ...(schema.description ? { description: schema.description } : {}) }, root);
}

/** Objects with keys of their own inside a value, named by where they stand. */
function objectsIn(schema: Schema, root: Schema): [string, Schema][] {
  if (schema.properties) return [['', schema]];
  const inner: [string, Schema][] = [];
  for (const one of schema.anyOf ?? schema.oneOf ?? []) inner.push(...objectsIn(resolve(one, root), root));
  if (typeof schema.additionalProperties === 'object') {
    for (const [, found] of objectsIn(resolve(schema.additionalProperties, root), root)) inner.push(['each', found]);
  }
  if (schema.items) for (const [, found] of objectsIn(resolve(schema.items, root), root)) inner.push(['each', found]);
  return inner;
}

function kindOf(schema: Schema, root: Schema): string {
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum) return schema.enum.map((one) => `\`${String(one)}\``).join(', ');
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return [...new Set(choices.map((one) => kindOf(resolve(one, root), root)))].join(' or ');
  if (schema.type === 'array') return `list of ${kindOf(resolve(schema.items ?? {}, root), root)}`;
  if (typeof schema.additionalProperties === 'object')
    return `map of ${kindOf(resolve(schema.additionalProperties, root), root)}`;
  if (schema.properties) return 'keys, see below';
  const bounds = [
    schema.minimum !== undefined ? `from ${schema.minimum}` : '',
    schema.maximum !== undefined ? `to ${schema.maximum}` : '',
    schema.maxLength !== undefined ? `at most ${schema.maxLength} characters` : '',
  ].filter(Boolean);
  const type = [schema.type ?? 'any'].flat().join(' or ').replace('string', 'text').replace('integer', 'whole number');
  return bounds.length > 0 ? `${type}, ${bounds.join(' ')}` : type;
}
