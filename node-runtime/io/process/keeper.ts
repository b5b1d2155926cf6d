/**
 * The keeper: a few lines of shell, one for all attempts of a data folder that
 * have a lease. It ends them when the lease is over and no runner did.
 *
 * For the case that node and runner are both killed, or hang. It reads the
 * lease from `attempts/.lease` and the clock from `/proc/uptime`, and sleeps
 * between: not longer than the lease it has read, and three seconds at most,
 * because a machine that slept lets a `sleep` go on where it was. It finds an
 * attempt's processes as the runner does: by their mark, by the session of its
 * wrapper while that lives, by its cgroup where there is one. What it ends it
 * writes down in the attempt's folder first (`stopped-because`), never over
 * another cause, so that the next runner tells it rightly.
 *
 * Leaves alone attempts without a lease, and anything while the lease runs.
 * Goes when another keeper has taken its place, when the data folder is gone,
 * or when there is no runner and nothing left to end. A number may be given to
 * a stranger only in the milliseconds between finding and signalling.
 * Rules: P35.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { limits } from '../../contract/limits.ts';
import { plainSearchPath } from './launch.ts';

export type KeeperTerms = {
  dataDir: string;
  /** Of this data folder's processes, as BINNACLE_MARK. */
  mark: string;
  bootId: string;
  /** The folder of all cgroups, or ''. */
  cgroups: string;
};

/** Started again at most so often, should somebody end it. */
const againMs = 1_000;

export class Keeper {
  #terms: KeeperTerms;
  #child: ChildProcess | null = null;
  #startedAt = Number.NEGATIVE_INFINITY;

  constructor(terms: KeeperTerms) {
    this.#terms = terms;
  }

  /** Sees to it that there is a keeper; costs nothing when there is one. */
  beThere(): void {
    if (this.#child !== null || performance.now() - this.#startedAt < againMs) return;
    this.#startedAt = performance.now();
    const { dataDir, mark, bootId, cgroups } = this.#terms;
    const child = spawn('/bin/sh', ['-c', keeperText, join(dataDir, 'attempts'), mark, bootId, cgroups], {
      cwd: '/',
      env: { PATH: plainSearchPath },
      detached: true, // ends with nobody
      stdio: 'ignore',
    });
    const gone = () => {
      if (this.#child === child) this.#child = null;
    };
    child.on('exit', gone);
    child.on('error', gone);
    child.unref();
    this.#child = child;
  }
}

/** The runner goes first: so long the keeper waits when the lease is over. */
const afterMs = 500;
const sleepMsMax = 3_000;

/**
 * The text for `sh -c TEXT ATTEMPTS MARK BOOT CGROUPS`. Times in ms. `look`
 * finds attempts with a lease that have living processes, `those` the
 * processes of one of them.
 */
const keeperText = `
mark=$1 boot=$2 cgroups=$3 bad=0 none=0
cd "$0" || exit
echo $$ >.keeper
nap() { part=$((1000 + $1 % 1000)); sleep "$(($1 / 1000)).\${part#1}" 2>/dev/null || sleep 1; }
look() {
  names=
  environs=$(grep -lszxF "BINNACLE_MARK=$mark" /proc/[0-9]*/environ)
  [ -n "$environs" ] || return
  for name in $(grep -hszE '^BINNACLE_ATTEMPT=[A-Za-z0-9_][A-Za-z0-9._-]*$' $environs | tr '\\0' '\\n' | sort -u); do
    name=\${name#*=}
    if grep -qs ' leased$' "$name"/claim-*; then names="$names $name"; fi
  done
  [ -n "$names" ]
}
those() {
  pids= leader=-
  for one in $(grep -lszxF "BINNACLE_ATTEMPT=$name" $environs); do one=\${one#/proc/}; pids="$pids \${one%/environ}"; done
  for one in "$name"/claim-*; do [ -f "$one" ] && read -r leader rest <"$one"; done
  case "$pids " in *" $leader "*) ;; *) return ;; esac
  for one in /proc/[0-9]*/stat; do
    { read -r line <"$one"; } || continue
    set -- \${line##*) }
    [ "$4" = "$leader" ] || continue
    one=\${one#/proc/}; pids="$pids \${one%/stat}"
  done
}
stop() {
  those
  if ! grep -qs '^exit ' "$name"/claim-* && (set -C; echo "lease$silent" >"$name/stopped-because"); then
    kill -TERM $pids; kill -CONT $pids
  elif [ $over -ge ${limits.leaseGraceMs} ]; then
    [ -z "$cgroups" ] || echo 1 >"$cgroups/a-$name/cgroup.kill"
    kill -KILL $pids
  fi
}
exec 2>/dev/null
while [ -e .runner ]; do
  keeper=; read -r keeper <.keeper
  [ "\${keeper:-$$}" = $$ ] || exit
  ends= heard= written= again=-
  read -r ends heard written again <.lease
  if [ -n "$ends" ] && [ "$ends" = "$again" ]; then bad=0; [ "$written" = "$boot" ] || ends=0 heard=
  elif [ $((bad += 1)) -lt 5 ]; then nap 200; continue
  else ends=0 heard=; fi
  read -r now rest </proc/uptime
  now=\${now%.*}\${now#*.}0
  over=$((now - ends)) silent=
  [ -z "$heard" ] || silent=" $(((now - heard) / 1000))"
  if [ $over -lt ${afterMs} ]; then
    none=0 left=$((${afterMs} - over))
    [ $left -lt ${sleepMsMax} ] || left=${sleepMsMax}
    nap $left
  elif [ $none -ge 2 ]; then
    runner=; read -r runner rest <.runner
    [ -d "/proc/\${runner:-none}" ] || exit
    nap ${sleepMsMax}
  elif look; then
    none=0
    for name in $names; do stop; done
    nap 300
  else
    none=$((none + 1))
    nap 1000
  fi
done
`;
