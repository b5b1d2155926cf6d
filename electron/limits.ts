/**
 * Every bound of the desktop shell: what it keeps, how long it waits, how often
 * it tries again. Units last. Bounds that the node shares are in
 * `node-runtime/contract/limits.ts`; these concern nobody but this program.
 */
export const desktopLimits = {
  // the runtime process
  restartFirstMs: 100,
  restartLastMs: 5_000,
  restartsMax: 8,
  restartWindowMs: 10 * 60_000,
  restartCalmMs: 2 * 60_000,
  stopMs: 10_000,
  killMs: 2_000,
  runnersMax: 2,
  logLineCharsMax: 2_000,
  /** Unix socket paths end at about 104 bytes; the runtime's file name is part of this. */
  socketPathBytesMax: 100,
  socketNameBytesMax: 32,

  // the window
  windowWidth: 1280,
  windowHeight: 800,
  windowWidthMin: 1024,
  windowHeightMin: 700,
  reloadsMax: 3,
  reloadWindowMs: 60_000,

  // what comes from outside
  linkCharsMax: 2_048,
  openedMax: 20,
  noteTitleCharsMax: 120,
  noteBodyCharsMax: 400,
  settingsBytesMax: 64 * 1024,
  nameCharsMax: 255,
  rolesMax: 8,
  sentenceCharsMax: 2_000,
  headlineCharsMax: 200,
} as const;
