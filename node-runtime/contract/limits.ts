/**
 * Every bound that Binnacle puts on what comes from outside or grows inside.
 *
 * One table, units last. A limit that is reached is a refusal with a code
 * (`errors.ts`), never a crash and never a silent cut. A test fills each. What the
 * network may send to discovery is bounded beside it (`io/discovery/bounds.ts`).
 */
export const limits = {
  // Paths and sandboxes
  nameBytesMax: 255,
  pathBytesMax: 1024,
  pathDepthMax: 64,
  sandboxNameCharsMax: 48,
  sandboxesMax: 500,
  filesPerSandboxMax: 200_000,
  fileBytesMax: 64 * 1024 ** 3,
  changesPerEntryMax: 5_000,
  listPageMax: 5_000,
  zipBytesMax: 8 * 1024 ** 3,

  // HTTP
  /** Room for the text of the largest job file, escaped. */
  jsonBodyBytesMax: 3 * 1024 ** 2,
  chunkBytesMax: 8 * 1024 ** 2,
  uploadsOpenMax: 200,
  uploadIdleMs: 24 * 3_600_000,
  headerBytesMax: 16 * 1024,
  requestTimeoutMs: 30_000,
  connectionsMax: 2_000,
  idempotencyKeyCharsMax: 128,
  idempotencyKeepMs: 7 * 24 * 3_600_000,
  /** Beyond so many, the oldest are forgotten before their seven days are over. */
  idempotencyKeysMax: 200_000,
  eventStreamsMax: 400,
  eventStreamBufferBytesMax: 1024 ** 2,
  eventsKept: 2_000,
  eventHeartbeatMs: 15_000,
  eventWriteMs: 30_000,
  headersTimeoutMs: 10_000,
  keepAliveMs: 75_000,
  closeGraceMs: 5_000,
  logReadBytesMax: 1024 ** 2,

  // Job files, runs
  /** Checking one takes a moment of the loop: larger ones are no job files. Scripts may be of any size. */
  jobFileBytesMax: 256 * 1024,
  jobProblemsMax: 20,
  parametersMax: 100,
  parameterCharsMax: 32 * 1024,
  tasksMax: 500,
  environmentMax: 200,
  environmentCharsMax: 32 * 1024,
  scriptCharsMax: 96 * 1024,
  expressionCharsMax: 2_000,
  attemptsMax: 20,
  timeoutMsMax: 30 * 24 * 3_600_000,
  runsUnfinishedMax: 10_000,
  runsEndedInMemory: 500,
  runsPageMax: 500,
  slotsMax: 512,
  outputBytesMax: 256 * 1024 ** 2,
  stopGraceMs: 10_000,

  // People and programs
  usersMax: 1_000,
  tokensMax: 5_000,
  passwordCharsMin: 10,
  passwordCharsMax: 256,
  sessionMs: 12 * 3_600_000,
  signInLinkMs: 10 * 60_000,
  signInTriesPerMinute: 10,
  passwordHashesAtOnce: 2,
  passwordHashesWaitingMax: 20,
  signInKeptMax: 10_000,
  /** The last use of a token or session is kept this exactly; the node that saw it knows it better while it runs. */
  lastUseKeptMs: 3_600_000,
  lastUsesPerEntryMax: 500,
  /** How soon an open stream ends after its session did. */
  sessionLookMs: 400,
  programWordsCharsMax: 60,
  rightsEntriesMax: 100,
  /** Sandboxes with rights of their own, with those that were removed: rights stay with the name. */
  rightsListsMax: 2_000,
  scopeSandboxesMax: 50,

  // Audit
  auditPageMax: 500,
  /** Changes of one entry that are listed with before and after. */
  auditChangesMax: 20,
  auditCharsMax: 300,

  // Secrets
  secretsMax: 200,
  secretNameCharsMax: 64,
  /** A shorter one would turn half of an output into asterisks, and can be guessed anyway. */
  secretCharsMin: 6,
  secretBytesMax: 16 * 1024,
  secretDescriptionCharsMax: 200,
  secretsPerTaskMax: 50,

  // Cluster
  nodesMax: 1_000,
  addressesMax: 16,
  invitesMax: 200,
  inviteMs: 24 * 3_600_000,
  /** Nodes that ask to join and wait for a person, at one time. */
  joinRequestsMax: 32,
  joinRequestsPerAddressMax: 4,
  joinRequestMs: 10 * 60_000,
  clusterNameCharsMax: 48,
  nodeNameCharsMax: 64,
  /** Of a one-time code, or of the addresses of one who is asked. */
  inviteCodeCharsMax: 1_024,
  hopsMax: 3,
  /** How long a request waits at its node for an active, through a fail-over. */
  activeWaitMs: 12_000,
  /** Requests that wait so at one node. */
  activeWaitingMax: 2_000,
  wishesWaitingMax: 10_000,
  quarantinePageMax: 1_000,

  // Between nodes
  peerFrameBytesMax: 8 * 1024 ** 2,
  /** Messages to one node that have not left this process; more are dropped, which the protocol tolerates. */
  peerQueueBytesMax: 16 * 1024 ** 2,
  /** Framed ones with one node; the oldest gives way. */
  peerConnectionsMax: 4,
  /** HTTP ones with one node, each way. A followed log or event stream holds one. */
  peerHttpConnectionsMax: 512,
  peerAddressesMax: 16,
  /** From the first byte to a proved identity. */
  peerHandshakeMs: 3_000,
  peerHandshakesMax: 128,
  peerHandshakesPerAddressMax: 64,
  /** The next address is tried when one has not answered for so long. */
  peerDialStaggerMs: 250,
  peerPingMs: 500,
  peerSilenceMs: 2_500,
  peerRedialMsMin: 50,
  peerRedialMsMax: 2_000,
  peerHeadersMs: 30_000,
  /** So long requests may go on over connections that the old authority proved. */
  peerRetireMs: 5_000,
  peerKeepAliveMs: 60_000,

  // Leases of attempts
  /** From the end of a lease: asked to end at once, killed after this. The protocol allows `workerEndMs`. */
  leaseGraceMs: 2_000,
  leaseSaidEveryMs: 200,
  leaseKeptEveryMs: 1_000,

  // Journal
  entryBytesMax: 4 * 1024 ** 2,
  entriesPerBatchMax: 4_096,
  snapshotEveryEntries: 20_000,
  entriesKeptBeforeSnapshot: 20_000,
} as const;
