/**
 * Exhaustive explorer of the charter register and the journal rules
 * (PROTOCOL.md, sections 2 to 5, and a claim that keeps its era).
 *
 *   node test/model/explore.mjs [--cfg NAME] [--mut NAME] [--N 4] [--quiet]
 *
 * Network: every message ever sent may be delivered never, once, several
 * times, late and in any order, so loss, duplication, reordering, delay and
 * every partition are covered. There is no time: anybody may ask for promises
 * at any moment, which covers every timeout and every clock. A crash between a
 * durable write and its answer is the behaviour "answer never delivered"; an
 * explicit crash step loses what is volatile and the unsynced end of the
 * journal. Exit code 2: a violation, with the shortest trace to it.
 *
 * Configurations: small, core, long, seat, seats, alone, force, forceSeat.
 * Mutants that must be found: forgetful, noeligible, nopromises, ownview,
 * noequal, ackbeforesync, ackalone, standbynosync, resume (small); noconfirm
 * (force --N 4); nojoint, onemajority, earlyfinal (seat --N 4). Harmless
 * alone, because another rule repeats the check: unilateral, unsyncedpromise.
 * Large ones need --max-old-space-size=16000; --max bounds the states.
 */
const argv = process.argv.slice(2);
const opt = (k, d) => {
  const i = argv.indexOf(`--${k}`);
  return i < 0 ? d : argv[i + 1];
};
const has = (k) => argv.includes(`--${k}`);

// voters: bit 0 controller A, bit 1 controller B, bit 2 watch w0, bit 3 watch w1
const CFGS = {
  small: { N: 4, LMAX: 1, CRASH: 1, FORCE: 0, APPEND: 2, CONFS: [7] },
  core: { N: 5, LMAX: 2, CRASH: 1, FORCE: 0, APPEND: 3, CONFS: [7] },
  long: { N: 6, LMAX: 1, CRASH: 1, FORCE: 0, APPEND: 2, CONFS: [7] },
  seat: { N: 5, LMAX: 1, CRASH: 0, FORCE: 0, APPEND: 1, CONFS: [7, 11] },
  seats: { N: 4, LMAX: 1, CRASH: 1, FORCE: 0, APPEND: 1, CONFS: [7, 11, 3, 1, 2] },
  alone: { N: 5, LMAX: 1, CRASH: 0, FORCE: 0, APPEND: 1, CONFS: [7, 1, 2] },
  force: { N: 5, LMAX: 2, CRASH: 0, FORCE: 1, APPEND: 2, CONFS: [7] },
  forceSeat: { N: 4, LMAX: 1, CRASH: 0, FORCE: 1, APPEND: 1, CONFS: [7, 11] },
};
const cfgName = opt('cfg', 'core');
const cfg = { ...CFGS[cfgName] };
for (const k of Object.keys(cfg)) {
  const v = opt(k, null);
  if (v !== null) cfg[k] = k === 'CONFS' ? v.split(',').map(Number) : +v;
}
const mut = opt('mut', 'none');
const M = (m) => mut === m;
const { N: T, LMAX, CRASH, FORCE, APPEND, CONFS } = cfg;
const NV = CONFS.some((c) => c & 8) ? 4 : 3;
const owner = (t) => (t + 1) & 1; // term 1 is A's, 2 is B's, ...; a term belongs to one proposer

// ---------- layout ----------
let off = 0;
const take = (n) => {
  const o = off;
  off += n;
  return o;
};
const PROM = 0,
  ACC = 1; // every voter: highest promise, newest accepted charter (0 = founding)
const oV = Array.from({ length: NV }, () => take(2));
const ACT = 0,
  KNOWN = 1,
  LEN = 2,
  SYN = 3,
  LG = 4;
const oC = [take(LG + LMAX), take(LG + LMAX)];
const FL = 0,
  SET = 1,
  VOLD = 2,
  VNEW = 3,
  FOL = 4,
  ACM = 5,
  PLEN = 6,
  PLAST = 7,
  TS = 8,
  AK = 9,
  TLN = 10,
  TL = 11;
const oT = [];
const oPR = [];
const oCF = [];
for (let t = 0; t <= T; t++) {
  oT.push(take(TL + LMAX));
  oPR.push(take(NV));
  oCF.push(take(NV));
}
const oAcked = take(LMAX),
  oLost = take(LMAX * 2),
  oForced = take(1),
  oBud = take(3); // crashes, appends, forces
const SZ = off;
const EX = 1,
  PROP = 2,
  ACTD = 4,
  FORCED = 8,
  DEC = 16;

const pop = (m) => {
  let c = 0;
  while (m) {
    c += m & 1;
    m >>= 1;
  }
  return c;
};
const maj = (set, got) => pop(set & got) * 2 > pop(set);
// a quorum of charter t: a majority of each of its voter sets (one, or two while a seat changes)
const quorum = (s, t, got) => {
  const o = oT[t];
  return maj(s[o + VNEW], got) && (M('onemajority') || !s[o + VOLD] || maj(s[o + VOLD], got));
};
const votersOf = (s, t) => s[oT[t] + VNEW] | s[oT[t] + VOLD];
let viol = null;
const fail = (m) => {
  if (!viol) viol = m;
};
const anc = (s, a, t) => {
  while (t > a) t = s[oT[t] + FOL];
  return t === a;
};

function init() {
  const s = new Uint8Array(SZ);
  const o = oT[0];
  s[o + FL] = EX | PROP | ACTD | DEC;
  s[o + SET] = 3;
  s[o + VNEW] = CONFS[0];
  s[o + ACM] = CONFS[0];
  s[oC[0] + ACT] = 1; // acting in term 0; ACT holds term + 1
  return s;
}
const last = (s, i) => {
  const o = oC[i];
  const n = s[o + LEN];
  return n ? s[o + LG + n - 1] : 0;
};
const inTl = (s, t, k, e) => k < s[oT[t] + TLN] && s[oT[t] + TL + k] === e;
const newest = (s) => {
  for (let t = T; t >= 0; t--) if (s[oT[t] + FL] & ACTD) return t;
  return 0;
};

const n = new Uint8Array(SZ);
const promiseN = (v, t) => {
  // on the successor
  n[oV[v] + PROM] = t;
  if (v < 2) {
    if (n[oC[v] + ACT] && n[oC[v] + ACT] - 1 < t) n[oC[v] + ACT] = 0;
    if (!M('unsyncedpromise')) n[oC[v] + SYN] = n[oC[v] + LEN];
  }
};
function acceptN(s, v, t) {
  promiseN(v, t);
  n[oV[v] + ACC] = t;
  n[oT[t] + ACM] |= 1 << v;
  if (M('forgetful') && v >= 2) {
    n[oV[v] + PROM] = s[oV[v] + PROM];
    n[oV[v] + ACC] = s[oV[v] + ACC];
  }
  decidedN(t);
}
function decidedN(t) {
  if (n[oT[t] + FL] & DEC || !quorum(n, t, n[oT[t] + ACM])) return;
  n[oT[t] + FL] |= DEC;
  for (let u = 0; u <= T; u++)
    if (u !== t && n[oT[u] + FL] & DEC)
      if (!(u < t ? anc(n, u, t) : anc(n, t, u)))
        fail(`I1 charters ${u} and ${t} are both decided and neither follows the other`);
}

function expand(s, emit) {
  const start = () => n.set(s);
  let maxProm = 0;
  for (let v = 0; v < NV; v++) maxProm = Math.max(maxProm, s[oV[v] + PROM]);
  for (let i = 0; i < 2; i++) {
    const j = 1 - i,
      ci = oC[i],
      cj = oC[j],
      vi = oV[i];
    // --- ask: a new term, own promise first (durable)
    {
      const c = new Set();
      for (const b of [s[vi + PROM], maxProm]) {
        let t = b + 1;
        if (owner(t) !== i) t++;
        if (t <= T && t > s[vi + PROM]) c.add(t);
      }
      for (const t of c) {
        start();
        promiseN(i, t);
        n[oT[t] + FL] |= EX;
        n[oPR[t] + i] = s[vi + ACC] + 1;
        emit(['ask', 'AB'[i], t]);
      }
    }
    for (let t = 1; t <= T; t++) {
      if (owner(t) !== i) continue;
      const o = oT[t],
        fl = s[o + FL];
      if (!(fl & EX)) continue;
      // --- promise
      if (!(fl & PROP))
        for (let v = 0; v < NV; v++)
          if (v !== i && s[oV[v] + PROM] < t) {
            start();
            promiseN(v, t);
            n[oPR[t] + v] = s[oV[v] + ACC] + 1;
            if (M('forgetful') && v >= 2) n[oV[v] + PROM] = s[oV[v] + PROM];
            if (v === j) {
              n[o + PLEN] = s[cj + LEN] + 1;
              n[o + PLAST] = last(s, j);
            }
            emit(['promise', 'ABwW'[v], t]);
          }
      // --- propose
      if (!(fl & PROP) && s[vi + PROM] === t) {
        let best = 0,
          got = 0;
        for (let v = 0; v < NV; v++) {
          const p = s[oPR[t] + v];
          if (p) {
            got |= 1 << v;
            best = Math.max(best, p - 1);
          }
        }
        if (M('ownview')) best = s[vi + ACC];
        if (M('nopromises') ? true : quorum(s, best, got)) {
          const b = oT[best];
          const inSet = (s[b + SET] >> i) & 1;
          const ways = [];
          if (inSet || M('noeligible')) ways.push(0);
          else if (FORCE && s[oBud + 2] < FORCE) ways.push(FORCED);
          for (const w of ways) {
            const kinds = [1 << i];
            if (s[o + PLEN] && (M('noequal') || (s[o + PLEN] - 1 === s[ci + LEN] && s[o + PLAST] === last(s, i))))
              kinds.push(3);
            const cfgs = [];
            const single = !s[b + VOLD];
            if (single) {
              cfgs.push([0, s[b + VNEW]]);
              for (const c of CONFS) if (c !== s[b + VNEW] && !w) cfgs.push(M('nojoint') ? [0, c] : [s[b + VNEW], c]);
            } else {
              cfgs.push([s[b + VOLD], s[b + VNEW]]);
              if (s[ci + KNOWN] === best || M('earlyfinal')) cfgs.push([0, s[b + VNEW]]);
            }
            for (const set of kinds)
              for (const [vo, vn] of cfgs) {
                if (w && set === 3) continue;
                if (!((vn >> i) & 1)) continue; // the active is a voter
                if (set === 3 && (vn & 3) !== 3 && vn !== 1 && vn !== 2) continue; // a copy (B in the write set without a vote) only where A votes alone
                start();
                n[o + FL] |= PROP | w;
                n[o + SET] = set;
                n[o + VOLD] = vo;
                n[o + VNEW] = vn;
                n[o + FOL] = best;
                if (w) n[oBud + 2]++;
                acceptN(s, i, t);
                emit([
                  'propose',
                  'AB'[i],
                  t,
                  `follows ${best}`,
                  set === 3 ? 'pair' : 'solo',
                  `voters ${vo ? `${vo}+` : ''}${vn}`,
                  w ? 'FORCED' : '',
                ]);
              }
          }
        }
      }
      // --- accept
      if (fl & PROP)
        for (let v = 0; v < NV; v++)
          if (v !== i && (votersOf(s, t) >> v) & 1 && s[oV[v] + PROM] <= t && !((s[o + ACM] >> v) & 1)) {
            start();
            acceptN(s, v, t);
            emit(['accept', 'ABwW'[v], t]);
          }
      // --- activate
      if (fl & PROP && !(fl & ACTD) && s[vi + PROM] === t && (M('unilateral') || quorum(s, t, s[o + ACM]))) {
        start();
        n[o + FL] |= ACTD;
        n[ci + ACT] = t + 1;
        n[ci + KNOWN] = t;
        n[ci + SYN] = n[ci + LEN];
        n[o + TLN] = n[o + TS] = s[ci + LEN];
        for (let k = 0; k < LMAX; k++) n[o + TL + k] = k < s[ci + LEN] ? s[ci + LG + k] : 0;
        const top = newest(s);
        if (t > top) {
          let lossy = false;
          for (let u = t; u > top; u = s[oT[u] + FOL]) if (s[oT[u] + FL] & FORCED) lossy = true;
          for (let k = 0; k < LMAX; k++) {
            const a = s[oAcked + k];
            if (a && !inTl(n, t, k, a)) {
              if (lossy) {
                n[oLost + 2 * k] |= 1 << (a & 7);
                n[oAcked + k] = 0;
                n[oForced] = t;
              } else fail(`I2 acknowledged entry ${k}@${a} is missing at the active of term ${t}`);
            }
          }
          if (lossy) {
            // what an older active had confirmed, and may still acknowledge when the answer arrives, is part of the declared loss
            n[oForced] = t;
            for (let u = 0; u < t; u++)
              if (s[oT[u] + FL] & ACTD)
                for (let k = 0; k < s[oT[u] + TS]; k++) {
                  let got = 1 << (u === 0 ? 0 : owner(u));
                  for (let v = 0; v < NV; v++) if (s[oCF[u] + v] > k) got |= 1 << v;
                  const e = s[oT[u] + TL + k];
                  if (quorum(s, u, got) && !inTl(n, t, k, e)) n[oLost + 2 * k] |= 1 << (e & 7);
                }
          }
        }
        emit(['activate', 'AB'[i], t]);
      }
    }
    // --- crash and restart with intact disk: also without acting, the voter only loses what is volatile
    if (s[oBud] < CRASH && (s[ci + ACT] || s[ci + SYN] < s[ci + LEN])) {
      start();
      n[oBud]++;
      n[ci + ACT] = 0;
      for (let k = s[ci + SYN]; k < LMAX; k++) n[ci + LG + k] = 0;
      n[ci + LEN] = s[ci + SYN];
      emit(['crash', 'AB'[i]]);
      if (M('resume') && s[ci + ACT]) {
        n[ci + ACT] = s[ci + ACT];
        emit(['crash-and-resume', 'AB'[i]]);
      }
    }
    // --- the active at work
    if (s[ci + ACT]) {
      const t = s[ci + ACT] - 1,
        o = oT[t],
        L = s[ci + LEN];
      if (L < LMAX && s[oBud + 1] < APPEND) {
        start();
        const e = t + 1 + (M('resume') ? 16 * s[oBud] : 0);
        n[ci + LG + L] = e;
        n[ci + LEN] = L + 1;
        n[o + TLN] = L + 1;
        n[o + TL + L] = e;
        n[oBud + 1]++;
        if (M('ackbeforesync')) n[o + TS] = L + 1;
        emit(['append', 'AB'[i], t]);
      }
      if (s[ci + SYN] < L) {
        start();
        n[ci + SYN] = L;
        n[o + TS] = Math.max(n[o + TS], L);
        emit(['sync', 'AB'[i]]);
      }
      // --- acknowledge: durable on all of the set, and confirmed by a quorum that has promised nothing newer
      let upto = M('ackbeforesync') ? L : s[ci + SYN];
      if (s[o + SET] === 3 && !M('ackalone')) upto = Math.min(upto, s[o + AK]);
      start();
      let any = false;
      const top = newest(s);
      for (let k = 0; k < upto; k++) {
        let got = 1 << i;
        for (let v = 0; v < NV; v++) if (v !== i && s[oCF[t] + v] > k) got |= 1 << v;
        if (!M('noconfirm') && !quorum(s, t, got)) break;
        const e = s[ci + LG + k];
        if (s[oAcked + k] === e || (s[oLost + 2 * k] >> (e & 7)) & 1) continue;
        if (t < top && !inTl(s, top, k, e))
          fail(`I2 term ${t} acknowledges ${k}@${e}, which the active of term ${top} lacks`);
        if (s[oAcked + k]) fail(`I2 two entries acknowledged at ${k}: ${s[oAcked + k]} and ${e}`);
        n[oAcked + k] = e;
        any = true;
      }
      if (any) emit(['ack', 'AB'[i], t, upto]);
    }
  }
  for (let t = 0; t <= T; t++) {
    const o = oT[t];
    if (!(s[o + FL] & ACTD)) continue;
    const i = owner(t),
      _j = 1 - i,
      ii = t === 0 ? 0 : i,
      jj = 1 - ii; // term 0 is A's
    // --- replicate a prefix of the active's journal to the other controller
    {
      const cj = oC[jj],
        vj = oV[jj];
      if (s[vj + PROM] <= t)
        for (let ln = 0; ln <= s[o + TLN]; ln++) {
          let common = 0;
          const L = s[cj + LEN];
          while (common < ln && common < L && s[cj + LG + common] === s[o + TL + common]) common++;
          const nl = common === ln ? L : ln;
          if (
            nl === L &&
            common >= Math.min(ln, L) &&
            s[vj + PROM] === t &&
            s[vj + ACC] >= t &&
            s[o + AK] >= ln &&
            s[oCF[t] + jj] >= ln
          )
            continue;
          start();
          if (common < ln) {
            for (let k = common; k < L; k++) {
              const e = s[cj + LG + k];
              if (s[oAcked + k] === e && t >= s[oForced])
                fail(`I2 acknowledged entry ${k}@${e} cut at ${'AB'[jj]} by term ${t}`);
            }
            for (let k = common; k < LMAX; k++) n[cj + LG + k] = k < ln ? s[o + TL + k] : 0;
            n[cj + LEN] = ln;
          }
          const g = n[cj + LEN];
          promiseN(jj, t);
          n[cj + SYN] = M('standbynosync') ? Math.min(s[cj + SYN], common) : g;
          if (n[vj + ACC] < t) {
            n[vj + ACC] = t;
            n[o + ACM] |= 1 << jj;
          }
          if (n[cj + KNOWN] < t) n[cj + KNOWN] = t;
          n[o + AK] = Math.max(n[o + AK], ln);
          n[oCF[t] + jj] = Math.max(n[oCF[t] + jj], ln);
          emit(['replicate', 'AB'[jj], t, ln]);
        }
    }
    // --- confirm: a voter that has promised nothing newer confirms what the active has synced
    for (let v = 0; v < NV; v++)
      if (
        v !== ii &&
        (votersOf(s, t) >> v) & 1 &&
        s[oV[v] + PROM] <= t &&
        (s[oCF[t] + v] < s[o + TS] || s[oV[v] + PROM] < t)
      ) {
        start();
        if (!(M('forgetful') && v >= 2)) {
          promiseN(v, t);
          if (n[oV[v] + ACC] < t) {
            n[oV[v] + ACC] = t;
            n[o + ACM] |= 1 << v;
          }
        }
        n[oCF[t] + v] = s[o + TS];
        emit(['confirm', 'ABwW'[v], t]);
      }
  }
}

// ---------- forget what can never matter again ----------
function normalise(s) {
  for (let t = 1; t <= T; t++) {
    const o = oT[t],
      i = owner(t),
      fl = s[o + FL];
    if (!(fl & EX)) continue;
    const mine = s[oV[i] + PROM] === t;
    if (fl & PROP || !mine) {
      for (let v = 0; v < NV; v++) s[oPR[t] + v] = 0;
      s[o + PLEN] = s[o + PLAST] = 0;
    }
    if (!mine && !(fl & PROP)) s[o + FL] = 0;
    if (!mine && s[oC[i] + ACT] - 1 !== t) {
      // nobody acts in t: confirmations are of no use
      for (let v = 0; v < NV; v++) s[oCF[t] + v] = 0;
      s[o + AK] = 0;
      s[o + TS] = 0;
    }
  }
}

// ---------- visited set, breadth-first search ----------
let cap = 1 << 22,
  hA = new Uint32Array(cap),
  hB = new Uint32Array(cap),
  cnt = 0;
let ha = 0,
  hb = 0;
function hash(s) {
  let a = 0x9e3779b1 | 0,
    b = 0x85ebca6b | 0;
  for (let k = 0; k < SZ; k++) {
    a = Math.imul(a ^ s[k], 0x01000193);
    a ^= a >>> 15;
    b = Math.imul(b + s[k] + 1, 0x5bd1e995) ^ (b >>> 13);
  }
  a = Math.imul(a ^ (a >>> 16), 0x7feb352d);
  a ^= a >>> 15;
  b = Math.imul(b ^ (b >>> 15), 0x846ca68b);
  b ^= b >>> 16;
  ha = a >>> 0;
  hb = b >>> 0 || 1;
}
function add(a, b) {
  if (cnt * 10 > cap * 7) {
    const oa = hA,
      ob = hB,
      oc = cap;
    cap *= 2;
    hA = new Uint32Array(cap);
    hB = new Uint32Array(cap);
    for (let q = 0; q < oc; q++)
      if (ob[q]) {
        let p = oa[q] & (cap - 1);
        while (hB[p]) p = (p + 1) & (cap - 1);
        hA[p] = oa[q];
        hB[p] = ob[q];
      }
  }
  let p = a & (cap - 1);
  while (hB[p]) {
    if (hA[p] === a && hB[p] === b) return false;
    p = (p + 1) & (cap - 1);
  }
  hA[p] = a;
  hB[p] = b;
  cnt++;
  return true;
}
const chunks = [],
  parents = [],
  acts = [];
let total = 0;
function push(s, parent, act) {
  const c = total >> 16;
  if (!chunks[c]) {
    chunks[c] = new Uint8Array(65536 * SZ);
    parents[c] = new Uint32Array(65536);
    acts[c] = new Uint16Array(65536);
  }
  chunks[c].set(s, (total & 65535) * SZ);
  parents[c][total & 65535] = parent;
  acts[c][total & 65535] = act;
  total++;
}
const t0 = Date.now();
const s0 = init();
hash(s0);
add(ha, hb);
push(s0, 0, 0);
let head = 0,
  edges = 0,
  depthEnd = 1,
  depth = 0;
const stat = {};
const MAX = +opt('max', '1e15');
function traceOf(id) {
  const path = [];
  let x = id;
  while (x) {
    path.push([parents[x >> 16][x & 65535], acts[x >> 16][x & 65535]]);
    x = parents[x >> 16][x & 65535];
  }
  path.reverse();
  let s = init();
  const out = [];
  for (const [, a] of path) {
    let c = 0,
      nx = null,
      lab = null;
    expand(s, (l) => {
      if (c++ === a) {
        nx = n.slice();
        lab = l;
      }
    });
    normalise(nx);
    s = nx;
    out.push(lab.join(' '));
  }
  return out;
}
const cur = new Uint8Array(SZ);
while (head < total && total < MAX) {
  cur.set(chunks[head >> 16].subarray((head & 65535) * SZ, (head & 65535) * SZ + SZ));
  let ai = 0,
    bad = null;
  expand(cur, (lab) => {
    const a = ai++;
    edges++;
    stat[lab[0]] = (stat[lab[0]] || 0) + 1;
    if (viol && !bad) bad = lab;
    normalise(n);
    hash(n);
    if (add(ha, hb)) push(n, head, a);
  });
  if (bad) {
    console.log(`VIOLATION (${mut}): ${viol}`);
    console.log(
      traceOf(head)
        .concat([bad.join(' ')])
        .map((x, k) => `  ${k + 1}. ${x}`)
        .join('\n'),
    );
    console.log(`after ${total} states, ${((Date.now() - t0) / 1000).toFixed(1)} s`);
    process.exit(2);
  }
  head++;
  if ((head & 65535) === 0) chunks[(head >> 16) - 1] = null;
  if (head === depthEnd) {
    depth++;
    depthEnd = total;
    if (!has('quiet'))
      console.error(
        `depth ${depth}: ${total} states, ${edges} transitions, ${((Date.now() - t0) / 1000).toFixed(0)} s`,
      );
  }
}
console.log(
  JSON.stringify({
    cfg: cfgName,
    ...cfg,
    mut,
    complete: head >= total,
    states: total,
    transitions: edges,
    depth,
    seconds: +((Date.now() - t0) / 1000).toFixed(1),
    transitionsByKind: stat,
    violations: 0,
  }),
);
