/**
 * Who may import whom. Each rule says why, so that the error teaches.
 * ARCHITECTURE has the same table in words.
 */
const only = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

/** An npm package or Node module that only these folders may touch. */
const door = (packages, folders) =>
  only(
    `door-${packages.split('|')[0].replace(/[^a-z0-9]/g, '-')}`,
    `${packages} is imported in ${folders} only: one door a package, so that it can be replaced there alone.`,
    { path: '^(node-runtime|electron|renderer)/', pathNot: folders },
    { path: `(^|node_modules/)(${packages})(/|$)`, dependencyTypesNot: ['type-only'] },
  );

export default {
  forbidden: [
    only('no-cycles', 'A cycle means that two files are one.', {}, { circular: true }),
    only(
      'contract-stands-alone',
      'The contract is read by every part, so it may depend on none: only on itself and zod.',
      { path: '^node-runtime/contract/' },
      { pathNot: ['^node-runtime/contract/', 'node_modules/zod(/|$)'] },
    ),
    only(
      'core-is-pure',
      'The core decides; it has no Node, npm, clock or chance. What it needs comes in events.',
      { path: '^node-runtime/core/' },
      { pathNot: ['^node-runtime/core/', '^node-runtime/contract/'] },
    ),
    only(
      'core-takes-constants-not-schemas',
      'zod must not run in the core: it takes types, limits and error codes from the contract.',
      { path: '^node-runtime/core/' },
      { path: '^node-runtime/contract/(model|routes)', dependencyTypesNot: ['type-only'] },
    ),
    only(
      'io-folders-do-not-know-each-other',
      'Each folder of io is one door to the world; node.ts hands each what it needs.',
      { path: '^node-runtime/io/([^/]+)/' },
      { path: '^node-runtime/io/([^/]+)/', pathNot: '^node-runtime/io/$1/' },
    ),
    only(
      'io-takes-types-of-the-core',
      'Decisions are made in the core, by events; the doors only know its types.',
      { path: '^node-runtime/io/' },
      { path: '^node-runtime/core/', dependencyTypesNot: ['type-only'] },
    ),
    only(
      'io-does-not-know-the-shell',
      'The doors are used by the shell, never the other way round.',
      { path: '^node-runtime/(io|core|contract)/' },
      { path: '^node-runtime/([^/]+\\.ts$|requests/)' },
    ),
    only(
      'electron-starts-the-runtime-by-path',
      'The runtime has to live without Electron, so the shell knows only the contract.',
      { path: '^electron/' },
      { path: '^(node-runtime|renderer)/', pathNot: '^node-runtime/contract/' },
    ),
    only(
      'renderer-knows-the-contract-only',
      'The page is a thin client: types, limits and error texts, nothing that runs in the node.',
      { path: '^renderer/' },
      {
        path: '^(node-runtime|electron)/',
        pathNot: ['^node-runtime/contract/(limits|errors|invite-code)'],
        dependencyTypesNot: ['type-only'],
      },
    ),
    only(
      'kit-knows-nothing-of-ours',
      'kit → parts → views: primitives can be used anywhere because they know no domain.',
      { path: '^renderer/kit/' },
      { path: '^renderer/(parts|views|state|flows|api)' },
    ),
    only(
      'parts-do-not-use-views',
      'Only views let domains meet.',
      { path: '^renderer/parts/' },
      { path: '^renderer/views/' },
    ),
    only(
      'only-state-and-flows-ask-the-node',
      'One way up and one way down: screens show state and begin flows.',
      { path: '^renderer/(kit|parts|views)/' },
      { path: '^renderer/api', dependencyTypesNot: ['type-only'] },
    ),
    {
      name: 'nothing-unreachable',
      comment: 'A file that no entry leads to is dead: use it or delete it.',
      severity: 'error',
      from: {
        path: '^(node-runtime/(main|embedded)\\.ts|node-runtime/io/(process/(runner|masker)|journal/worker|discovery/mdns-js-worker)\\.ts|electron/(main|preload)\\.ts|renderer/(main|vite\\.config)\\.ts)$',
      },
      to: {
        path: '^(node-runtime|electron|renderer)/',
        pathNot: [
          '^(node-runtime/(main|embedded)\\.ts|node-runtime/io/(process/(runner|masker)|journal/worker|discovery/mdns-js-worker)\\.ts|electron/(main|preload)\\.ts|renderer/(main|vite\\.config)\\.ts)$',
          // Written into the page, the generated documents, and by type only.
          '^renderer/public/|^node-runtime/io/http/documents\\.ts$|\\.d\\.ts$',
          // The protocol of several nodes: reached by its simulation, joined to the loop next.
          '^node-runtime/core/(cluster|journal)/',
        ],
        reachable: false,
      },
    },
    door('better-sqlite3', '^node-runtime/io/journal/'),
    door('fastify|@fastify', '^node-runtime/io/http/'),
    door('zod-openapi', '^node-runtime/io/http/'),
    door('undici', '^node-runtime/io/http/'),
    door('axios|commander', '^node-runtime/io/cli/'),
    door('prom-client', '^node-runtime/io/machine/'),
    door('pino', '^node-runtime/io/machine/'),
    door('yaml', '^node-runtime/io/files/'),
    door('@peculiar/x509|reflect-metadata', '^node-runtime/io/trust/'),
    door('dns-packet|mdns-js', '^node-runtime/io/discovery/'),
    door('dgram', '^node-runtime/io/discovery/'),
    door('child_process', '^node-runtime/io/(process/|discovery/mdns-js\\.ts$)|^electron/host/'),
    door('fs', '^node-runtime/io/|^electron/(settings|host|window)/|^node-runtime/([a-z-]+\\.ts$|requests/)'),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    builtInModules: { add: [] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'svelte', 'node', 'default', 'types'],
      extensions: ['.ts', '.svelte', '.js', '.mjs'],
    },
  },
};
