/**
 * What differs between a node that runs as a daemon and one inside the desktop
 * program: how its runner process is started. Everything else is the same.
 */
import type { Channel } from './io/process/orders.ts';

export type Host = {
  kind: 'daemon' | 'desktop';
  /** Starts a runner process and gives the channel to it. Called again when it was lost. */
  startRunner(): Channel;
};
