/**
 * The wrapper of one attempt: a few lines of shell that outlive node and runner.
 *
 * It claims the attempt by creating `claim-K`, which must not exist, and only
 * then runs the job; if the claim is taken it exits with 125 and has done
 * nothing. So whoever makes that file first decides for good whether the job
 * may begin. When the job has ended, its exit code is added to the claim as a
 * line, complete only with its newline: a file of its own would cost more than
 * all the rest, and might find no room on a full disk. Nothing but the shell
 * itself is needed on that way.
 *
 * Signals sent to the whole group end the job and not the wrapper: it handles
 * them (a handler, since what is ignored would be ignored by the job too).
 */
export const claimRefused = 125;

export type Claim = {
  pid: number;
  startTicks: number;
  bootId: string;
  timeoutMs: number | null;
  stopGraceMs: number;
  outputBytesMax: number;
  leased: boolean;
  /** Null until the job has ended. */
  exitCode: number | null;
};

export type WrapperTerms = Omit<Claim, 'pid' | 'startTicks' | 'exitCode'> & { number: number; cgroup: string | null };

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/**
 * The text for `sh -c TEXT FOLDER PROGRAM ARGUMENTS…`. `$0` is the attempt's
 * folder. The job is run by `exec` of a subshell, or else `echo` would be the
 * shell's own; what the shell itself has to say ("Terminated") is not part of
 * the job's output. Its one variable is removed again before the job begins,
 * since one of the same name in the job's environment would be overwritten.
 */
export function wrapperText(terms: WrapperTerms): string {
  const facts = `${terms.bootId} ${terms.timeoutMs ?? '-'} ${terms.stopGraceMs} ${terms.outputBytesMax}${terms.leased ? ' leased' : ''}`;
  const enter = terms.cgroup === null ? '' : `{ echo $$ >|${quoted(`${terms.cgroup}/cgroup.procs`)}; } 2>/dev/null\n`;
  return `${enter}set -C
read -r _binnacle_stat </proc/$$/stat || exit ${claimRefused}
{ printf '%s\\n%s\\n' "$_binnacle_stat" '${facts}' >"$0/claim-${terms.number}"; } 2>/dev/null || exit ${claimRefused}
unset _binnacle_stat
trap : TERM INT HUP QUIT
exec 3>&2 2>/dev/null
(exec "$@" 2>&3 3>&-)
set -- $?
until { printf 'exit %s\\n' "$1" >>"$0/claim-${terms.number}"; } 2>/dev/null || ! [ -d "$0" ]; do /bin/sleep 1 || break; done
exit "$1"
`;
}

/** The name of the wrapper's own variable: an order must not use it. */
export const wrapperVariable = '_binnacle_stat';

/** Reads a claim; null while its wrapper has not written all of it. */
export function readClaim(text: string): Claim | null {
  const [stat = '', facts = '', ...rest] = text.split('\n');
  if (rest.length === 0) return null;
  const [bootId = '', timeout = '', stopGraceMs = '', outputBytesMax = '', lease] = facts.split(' ');
  const exit = /^exit (\d{1,3})$/m.exec(rest.slice(0, -1).join('\n'));
  return {
    pid: Number.parseInt(stat, 10),
    startTicks: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]),
    bootId,
    timeoutMs: timeout === '-' ? null : Number(timeout),
    stopGraceMs: Number(stopGraceMs),
    outputBytesMax: Number(outputBytesMax),
    leased: lease === 'leased',
    exitCode: exit ? Number(exit[1]) : null,
  };
}
