// Carries structured-clone-like values as JSON between the main process and a page.
// One source for both sides: the page receives it as text through CODEC_SOURCE.
// Deliberately refuses what Electron's own IPC refuses (functions, symbols, class-only handles).
/* eslint-disable */
export function makeCodec() {
  const b64 = (bytes) => {
    if (typeof Buffer !== 'undefined') return Buffer.from(bytes).toString('base64');
    let s = '';
    for (let i = 0; i < bytes.length; i += 0x8000) s += String.fromCharCode.apply(null, bytes.subarray(i, i + 0x8000));
    return btoa(s);
  };
  const unb64 = (s) => {
    if (typeof Buffer !== 'undefined') return new Uint8Array(Buffer.from(s, 'base64'));
    const raw = atob(s),
      out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  };
  const refuse = (v) => {
    const e = new Error('An object could not be cloned.');
    e.name = 'DataCloneError';
    e.value = String(v);
    throw e;
  };
  const enc = (v, seen) => {
    switch (typeof v) {
      case 'string':
      case 'boolean':
        return v;
      case 'number':
        return Number.isFinite(v) && !Object.is(v, -0) ? v : { $: 'num', v: String(Object.is(v, -0) ? '-0' : v) };
      case 'undefined':
        return { $: 'u' };
      case 'bigint':
        return { $: 'big', v: String(v) };
      case 'function':
      case 'symbol':
        return refuse(v);
    }
    if (v === null) return null;
    if (seen.has(v)) return refuse('a cycle (the prototype codec does not carry cycles)');
    seen.add(v);
    try {
      if (Array.isArray(v)) return v.map((x) => enc(x, seen));
      const tag = Object.prototype.toString.call(v).slice(8, -1);
      if (tag === 'Date') return { $: 'date', v: v.getTime() };
      if (tag === 'RegExp') return { $: 're', v: [v.source, v.flags] };
      if (tag === 'Map') return { $: 'map', v: [...v].map(([k, x]) => [enc(k, seen), enc(x, seen)]) };
      if (tag === 'Set') return { $: 'set', v: [...v].map((x) => enc(x, seen)) };
      if (tag === 'Error' || v instanceof Error) return { $: 'err', v: [v.name, v.message, v.stack] };
      if (tag === 'ArrayBuffer') return { $: 'ab', v: b64(new Uint8Array(v)) };
      if (ArrayBuffer.isView(v))
        return {
          $: 'ta',
          k: typeof Buffer !== 'undefined' && v instanceof Buffer ? 'Uint8Array' : tag,
          v: b64(new Uint8Array(v.buffer, v.byteOffset, v.byteLength)),
        };
      if (tag === 'Promise' || tag === 'WeakMap' || tag === 'WeakSet') return refuse(v);
      const out = {};
      for (const k of Object.keys(v)) out[k === '$' ? '$$' : k] = enc(v[k], seen);
      return out;
    } finally {
      seen.delete(v);
    }
  };
  const dec = (v) => {
    if (v === null || typeof v !== 'object') return v;
    if (Array.isArray(v)) return v.map(dec);
    switch (v.$) {
      case undefined:
        break;
      case 'u':
        return undefined;
      case 'num':
        return Number(v.v);
      case 'big':
        return BigInt(v.v);
      case 'date':
        return new Date(v.v);
      case 're':
        return new RegExp(v.v[0], v.v[1]);
      case 'map':
        return new Map(v.v.map(([k, x]) => [dec(k), dec(x)]));
      case 'set':
        return new Set(v.v.map(dec));
      case 'err': {
        const e = new Error(v.v[1]);
        e.name = v.v[0];
        e.stack = v.v[2];
        return e;
      }
      case 'ab':
        return unb64(v.v).buffer;
      case 'ta': {
        const u = unb64(v.v);
        const C = globalThis[v.k] ?? Uint8Array;
        return C === Uint8Array ? u : new C(u.buffer);
      }
    }
    const out = {};
    for (const k of Object.keys(v)) out[k === '$$' ? '$' : k] = dec(v[k]);
    return out;
  };
  return { encode: (v) => JSON.stringify(enc(v, new Set())), decode: (s) => dec(JSON.parse(s)) };
}
export const CODEC_SOURCE = '(' + makeCodec.toString() + ')()';
