/**
 * Every bound of discovery: anybody on the link may send anything at any rate.
 * Units last. In earnest exactly these; a test may run with smaller ones.
 */
export const bounds = {
  // What is read
  packetBytesMax: 9_000,
  recordsPerPacketMax: 256,
  /** Read in one second, of one sender and of all. What is beyond is dropped: it is asked for again. */
  bytesPerSenderPerSecond: 64 * 1024,
  bytesPerSecond: 256 * 1024,
  /** A small packet costs time too. */
  packetBytesCountedMin: 256,
  sendersCountedMax: 1_024,

  // What is kept
  instancesMax: 256,
  instancesPerSenderMax: 32,
  addressesPerNodeMax: 16,
  typedAddressesMax: 64,
  textBytesMax: 1_024,
  nameCharsMax: 64,
  timeToLiveMsMax: 75 * 60_000,
  /** An instance of which no port, text or address came is not waited for any longer. */
  incompleteMs: 10_000,
  /** From a goodbye to its effect, so that another's answer may correct it. */
  goodbyeMs: 1_000,

  // What is said
  timeToLiveS: 120,
  legacyTimeToLiveS: 10,
  ownTextBytesMax: 400,
  ownNameBytesMax: 64,
  ownAddressesPerLinkMax: 8,
  replyEveryMs: 250,
  legacyRepliesPerLinkPerSecond: 20,
  /** Since the link came. The first may be lost: a bridge port forwards nothing at first. */
  announceAtMs: [0, 1_000, 3_000],
  queryAtMs: [0, 1_000, 3_000, 7_000],
  /** Twice within a time to live, so that one lost answer lets nobody vanish. */
  queryEveryMs: 50_000,
  querySpreadMs: 8_000,

  // Interfaces
  linksMax: 64,
  lookEveryMs: 2_000,
  /** An IPv6 address is tentative for about a second after its link came up. */
  tentativeMs: 400,
  tickMs: 100,

  // The guarded library
  heartbeatMs: 200,
  silenceMs: 1_500,
  loadMs: 15_000,
  memoryMebibytes: 64,
  restartMsMin: 50,
  restartMsMax: 30_000,
  deathsMax: 5,
  deathsWithinMs: 10 * 60_000,
  guardedQueryEveryMs: 30_000,
  guardedHintMs: 120_000,
  textStringsMax: 32,
} as const;
