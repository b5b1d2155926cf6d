/**
 * One file on its way into a sandbox, in chunks, resumable.
 *
 * A break of the network is waited out: the node is asked where the upload
 * stands and it goes on from there. What the node refuses (the name exists,
 * the path is not allowed) ends the upload with that refusal. The file becomes
 * visible only when complete, at once and whole.
 *
 * Knows no DOM and no fetch: the door is given, so tests use a plain object.
 */
import type { Entry, Upload } from '../../node-runtime/contract/model.ts';

export type UploadDoor = {
  begin(): Promise<Upload>;
  send(id: string, offset: number, from: number, to: number, signal: AbortSignal): Promise<Upload>;
  stand(id: string): Promise<Upload>;
  complete(id: string): Promise<Entry>;
  giveUp(id: string): Promise<unknown>;
  /** True for breaks that pass (no answer, the node restarts); false for refusals. */
  passes(cause: unknown): boolean;
  /** True when the node says another offset is right. */
  movedOn(cause: unknown): boolean;
  wait(ms: number, signal: AbortSignal): Promise<void>;
};
export type UploadProgress = { sent: number; waiting: boolean };

const chunkBytesMax = 8 * 1024 * 1024;
const pausesMs = [300, 1_000, 2_000, 5_000, 10_000];
/** About ten minutes of breaks in a row, then a person is asked. */
const breaksMax = 64;

export async function uploadFile(
  bytes: number,
  door: UploadDoor,
  tell: (progress: UploadProgress) => void,
  signal: AbortSignal,
): Promise<Entry> {
  let breaks = 0;
  let stand: Upload | null = null;

  /** Does one step; after a break waits, finds out where the upload stands, and says so by null. */
  async function step<T>(todo: () => Promise<T>): Promise<T | null> {
    try {
      const result = await todo();
      breaks = 0;
      return result;
    } catch (cause) {
      signal.throwIfAborted();
      if (!door.passes(cause) && !door.movedOn(cause)) throw cause;
      if (++breaks > breaksMax) throw cause;
      tell({ sent: stand?.offset ?? 0, waiting: true });
      await door.wait(pausesMs[Math.min(breaks, pausesMs.length) - 1] ?? 10_000, signal);
      if (stand) {
        try {
          stand = await door.stand(stand.id);
        } catch (again) {
          if (!door.passes(again)) throw again;
        }
      }
      return null;
    }
  }

  try {
    while (!stand) stand = await step(door.begin);
    while (stand.offset < bytes) {
      signal.throwIfAborted();
      const from: number = stand.offset;
      const to = Math.min(bytes, from + Math.min(stand.chunkBytesMax, chunkBytesMax));
      const at: Upload = stand;
      stand = (await step(() => door.send(at.id, from, from, to, signal))) ?? stand;
      tell({ sent: stand.offset, waiting: false });
    }
    for (;;) {
      signal.throwIfAborted();
      const id: string = stand.id;
      const entry = await step(() => door.complete(id));
      if (entry) return entry;
    }
  } catch (cause) {
    if (signal.aborted && stand) await door.giveUp(stand.id).catch(() => undefined);
    throw cause;
  }
}
