/**
 * Processor time of this thread so far, in ms. A bound on it says how long a
 * piece of code works, however busy the machine is with other things.
 */
export function spentMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
