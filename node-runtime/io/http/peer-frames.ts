/**
 * Frames between nodes: four bytes of length, then JSON in UTF-8.
 *
 * A frame carries a message, or keeps the connection alive (`ping`, `pong`).
 * What a message means is not known here. A length above the bound is refused
 * before a byte of the frame is kept, so the other side cannot make this node
 * hold more than one frame.
 */
export type Frame = { message: unknown } | { ping: number } | { pong: number };

/** The other side does not keep to the frames: the connection is of no use any more. */
export class FrameBroken extends Error {
  override name = 'FrameBroken';
}

const LENGTH_BYTES = 4;

export const messageFrame = (message: unknown): Buffer => {
  const text = JSON.stringify(message);
  if (text === undefined) throw new Error('broken promise: a message that is no JSON');
  return frameOf(`{"message":${text}}`);
};

export const pingFrame = (number: number): Buffer => frameOf(`{"ping":${number}}`);
export const pongFrame = (number: number): Buffer => frameOf(`{"pong":${number}}`);

function frameOf(text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + bytes);
  frame.writeUInt32BE(bytes);
  frame.write(text, LENGTH_BYTES);
  return frame;
}

/** Cuts what arrives into frames. A large frame is put together once, when it is whole. */
export class FrameReader {
  readonly #bytesMax: number;
  #pieces: Buffer[] = [];
  #held = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The frames that are whole now, with their sizes. Throws {@link FrameBroken}. */
  *take(piece: Buffer): Generator<{ frame: Frame; bytes: number }> {
    this.#pieces.push(piece);
    this.#held += piece.length;
    for (;;) {
      if (this.#held < LENGTH_BYTES) return;
      const bytes = this.#length();
      if (bytes > this.#bytesMax) throw new FrameBroken(`A frame of ${bytes} bytes is larger than allowed.`);
      if (this.#held < LENGTH_BYTES + bytes) return;
      const whole = this.#join();
      const end = LENGTH_BYTES + bytes;
      this.#pieces = whole.length > end ? [whole.subarray(end)] : [];
      this.#held = whole.length - end;
      yield { frame: parse(whole.subarray(LENGTH_BYTES, end)), bytes };
    }
  }

  #length(): number {
    if (this.#pieces[0]!.length < LENGTH_BYTES) this.#join();
    return this.#pieces[0]!.readUInt32BE();
  }

  #join(): Buffer {
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces, this.#held)];
    return this.#pieces[0]!;
  }
}

function parse(bytes: Buffer): Frame {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new FrameBroken('A frame is no JSON.', { cause });
  }
  if (typeof value === 'object' && value !== null) {
    if ('message' in value) return value as Frame;
    if ('ping' in value && Number.isSafeInteger(value.ping)) return { ping: value.ping as number };
    if ('pong' in value && Number.isSafeInteger(value.pong)) return { pong: value.pong as number };
  }
  throw new FrameBroken('A frame is neither a message nor a sign of life.');
}
