/**
 * Passwords: slow to guess, safe to store, never many at once.
 *
 * scrypt with N=2^17, r=8, p=1 takes about 0.4 s and 128 MiB, off the event
 * loop. At most `passwordHashesAtOnce` run; a bounded queue waits behind them
 * and what is more is refused, so that guessing can't eat the machine. An
 * unknown name costs the same time as a wrong password.
 */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { type Refusal, refuse } from '../../contract/errors.ts';
import { limits } from '../../contract/limits.ts';

const COST_LOG2 = 17;
const BLOCK = 8;
const PARALLEL = 1;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
const SHAPE = /^scrypt\$(\d{2})\$(\d{1,2})\$(\d)\$([A-Za-z0-9_-]{22})\$([A-Za-z0-9_-]{43})$/;

/** `scrypt$17$8$1$salt$hash`, salt and hash in base64url; or too_many. */
export async function hashPassword(password: string): Promise<string | Refusal> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await inTurn(() => derive(password, salt, COST_LOG2, BLOCK, PARALLEL));
  if ('code' in hash) return hash;
  return ['scrypt', COST_LOG2, BLOCK, PARALLEL, salt.toString('base64url'), hash.toString('base64url')].join('$');
}

/**
 * Does the password fit what {@link hashPassword} gave? Null stands for "no
 * such person": the answer is no, after the same work. Throws when what was
 * stored cannot be read.
 */
export async function verifyPassword(password: string, stored: string | null): Promise<boolean | Refusal> {
  const found = SHAPE.exec(stored ?? decoy);
  if (!found) throw new Error('A stored password hash cannot be read.');
  const [, cost, block, parallel, salt, expected] = found;
  // Bounds what a restored or foreign journal may ask of this machine.
  if (Number(cost) > COST_LOG2 + 3 || Number(block) > 16) throw new Error('A stored password hash asks for too much.');
  const made = await inTurn(() =>
    derive(password, Buffer.from(salt!, 'base64url'), Number(cost), Number(block), Number(parallel)),
  );
  if ('code' in made) return made;
  return timingSafeEqual(made, Buffer.from(expected!, 'base64url')) && stored !== null;
}

const decoy = [
  'scrypt',
  COST_LOG2,
  BLOCK,
  PARALLEL,
  randomBytes(SALT_BYTES).toString('base64url'),
  randomBytes(HASH_BYTES).toString('base64url'),
].join('$');

/** The same letters typed on another keyboard may be other code points: NFKC makes them equal. */
function derive(password: string, salt: Buffer, cost: number, r: number, p: number): Promise<Buffer> {
  const N = 2 ** cost;
  const options: ScryptOptions = { N, r, p, maxmem: 256 * N * r };
  return new Promise((done, failed) => {
    scrypt(password.normalize('NFKC'), salt, HASH_BYTES, options, (fault, key) => (fault ? failed(fault) : done(key)));
  });
}

let running = 0;
const waiting: (() => void)[] = [];

async function inTurn(work: () => Promise<Buffer>): Promise<Buffer | Refusal> {
  if (running >= limits.passwordHashesAtOnce) {
    if (waiting.length >= limits.passwordHashesWaitingMax) {
      return refuse('too_many', 'Too many people are signing in at this moment.');
    }
    await new Promise<void>((go) => waiting.push(go));
  } else {
    running++;
  }
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}
