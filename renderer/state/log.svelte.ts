/**
 * The output of one attempt: opened at its end, which only the node knows
 * while it grows, followed, its beginning fetched when a person goes there.
 *
 * At most one log is followed in a window. Bytes arrive as they come and are
 * shown once a frame. After a break it goes on from the byte it has.
 */
import { call, Failure, open, urlOf } from '../api.ts';
import { type TimeMark, timeOfByte } from '../flows/log-times.ts';
import { plainOf } from '../kit/ansi.ts';
import { LogLines } from '../kit/log-lines.ts';

export type LogOf = {
  run: string;
  task: string;
  attempt: number;
  ended: boolean;
  startedAt: string | undefined;
};

const tailBytes = 512 * 1024;
const earlierBytes = 1024 * 1024;
const newline = 10;

class LogState {
  lines = $state.raw(new LogLines());
  version = $state(0);
  phase = $state<'reading' | 'following' | 'whole' | 'failed'>('reading');
  failure = $state.raw<Failure | null>(null);
  times = $state.raw<TimeMark[]>([]);
  readingEarlier = $state(false);

  private of = $state.raw<LogOf | null>(null);
  private stop: AbortController | null = null;
  private frame = 0;
  private lastMoment = -1;
  private timesTimer: ReturnType<typeof setTimeout> | undefined;

  show(of: LogOf | null): void {
    const same = of && this.of && of.run === this.of.run && of.task === this.of.task && of.attempt === this.of.attempt;
    const wasEnded = this.of?.ended;
    this.of = of;
    // An attempt that just ended still sends its last bytes by the open stream.
    if (same && (this.phase !== 'failed' || wasEnded)) return;
    this.end();
    this.of = of;
    this.times = [];
    this.lastMoment = -1;
    this.failure = null;
    this.phase = 'reading';
    this.lines = new LogLines();
    this.version++;
    if (!of) return;
    void this.follow(of);
    this.readTimes();
  }
  end(): void {
    this.stop?.abort();
    this.stop = null;
    clearTimeout(this.timesTimer);
    this.of = null;
  }

  get downloadUrl(): string {
    if (!this.of) return '';
    const { run, task, attempt } = this.of;
    return urlOf('log', { params: { run, task }, query: { attempt } });
  }
  get count(): number {
    return this.version >= 0 ? this.lines.length : 0;
  }
  /** True when the first byte held is not the first of the output. */
  get hasEarlier(): boolean {
    return this.version >= 0 && this.lines.from > 0;
  }

  /** Brings in the megabyte before what is held. */
  async readEarlier(): Promise<number> {
    const of = this.of;
    const lines = this.lines;
    if (!of || this.readingEarlier || lines.from === 0) return 0;
    this.readingEarlier = true;
    try {
      const from = Math.max(0, lines.from - earlierBytes);
      const response = await open('log', {
        params: { run: of.run, task: of.task },
        query: { attempt: of.attempt, offset: from, limit: lines.from - from },
      });
      const bytes = new Uint8Array(await response.arrayBuffer()).subarray(0, lines.from - from);
      const begin = from === 0 ? 0 : bytes.indexOf(newline) + 1;
      const before = lines.length;
      lines.prepend(bytes.subarray(begin));
      this.version++;
      return lines.length - before;
    } catch (cause) {
      this.failure = cause as Failure;
      return 0;
    } finally {
      this.readingEarlier = false;
    }
  }

  /** The next line after `from` that holds the text, going round; -1 when none. Gives way between slices. */
  async find(text: string, from: number, back: boolean): Promise<number> {
    const needle = text.toLowerCase();
    const { lines } = this;
    const count = lines.length;
    for (let n = 1; n <= count; n++) {
      const index = (from + (back ? -n : n) + count * 2) % count;
      if (plainOf(lines.line(index, 20_000)).toLowerCase().includes(needle)) return index;
      if (n % 20_000 === 0) await new Promise((done) => setTimeout(done));
    }
    return -1;
  }

  /** When the line that begins at a byte was written, in ms; null when not even the attempt's start is known. */
  timeAt(offset: number): number | null {
    const startedAt = this.of?.startedAt;
    return timeOfByte(this.times, offset, startedAt ? Date.parse(startedAt) : null);
  }

  private async follow(of: LogOf): Promise<void> {
    const stop = new AbortController();
    this.stop = stop;
    let offset: number | null = null;
    let cutting = false;
    for (let breaks = 0; !stop.signal.aborted; breaks++) {
      try {
        const response: Response = await open('log', {
          params: { run: of.run, task: of.task },
          query: { attempt: of.attempt, offset: offset ?? -tailBytes, follow: '1' },
          signal: stop.signal,
          withinMs: 0,
        });
        this.phase = 'following';
        this.failure = null;
        if (offset === null) {
          offset = Number(response.headers.get('binnacle-log-offset') ?? 0);
          cutting = offset > 0;
          this.lines = new LogLines(offset);
        }
        const reader = response.body?.getReader();
        for (;;) {
          const part = await reader?.read();
          if (!part || part.done) break;
          breaks = 0;
          offset += part.value.length;
          let bytes = part.value;
          if (cutting) {
            // Begin at a whole line: the first piece may be the end of one.
            const begin = bytes.indexOf(newline) + 1;
            if (begin === 0) continue;
            this.lines = new LogLines(offset - bytes.length + begin);
            bytes = bytes.subarray(begin);
            cutting = false;
          }
          this.lines.append(bytes);
          this.paint();
        }
        this.phase = 'whole';
        this.readTimes();
        return;
      } catch (cause) {
        if (stop.signal.aborted) return;
        this.failure = cause instanceof Failure ? cause : null;
        if (cause instanceof Failure && cause.status >= 400 && cause.status < 500) {
          this.phase = 'failed';
          return;
        }
        await new Promise((done) => setTimeout(done, Math.min(5_000, 250 * 2 ** breaks)));
      }
    }
  }
  private paint(): void {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.version++;
      this.readTimesSoon();
    });
  }
  private readTimesSoon(): void {
    this.timesTimer ??= setTimeout(() => this.readTimes(), 700);
  }
  private readTimes(): void {
    clearTimeout(this.timesTimer);
    this.timesTimer = undefined;
    const of = this.of;
    if (!of) return;
    const { run, task, attempt } = of;
    call('logTimes', {
      params: { run, task },
      query: { attempt, ...(this.lastMoment >= 0 ? { offset: this.lastMoment + 1 } : {}) },
    }).then(
      ({ times }) => {
        if (this.of?.run !== run || this.of.task !== task || this.of.attempt !== attempt || times.length === 0) return;
        const fresh = times.filter((time) => time.offset > this.lastMoment);
        this.times = this.times.concat(fresh);
        this.lastMoment = this.times.at(-1)?.offset ?? -1;
      },
      (cause: unknown) => {
        // Times beside the lines are a help; the lines are there without them.
        if (!(cause instanceof Failure)) throw cause;
      },
    );
  }
}

export const log = new LogState();
