import { describe, expect, it } from 'vitest';
import { limits } from '../../../node-runtime/contract/limits.ts';
import type { LiveEvent } from '../../../node-runtime/contract/model.ts';
import { makeLive } from '../../../node-runtime/live.ts';

const event = (position: number): LiveEvent => ({ kind: 'cluster', position, at: '2026-01-01T00:00:00.000Z' });

describe('live events', () => {
  it('are replayed after a position, in order, none twice', () => {
    const live = makeLive(10);
    live.publish([event(11), event(11), event(12)]);
    live.publish([event(13)]);
    expect(live.replay(11)).toEqual([event(12), event(13)]);
    expect(live.replay(10)).toHaveLength(4);
    expect(live.replay(13)).toEqual([]);
  });
  it('are gone when they are older than what is kept, or of another lineage', () => {
    const live = makeLive(10);
    expect(live.replay(9)).toBe('gone');
    expect(live.replay(11)).toBe('gone');
    for (let position = 11; position < 11 + limits.eventsKept * 3; position++)
      live.publish([event(position), event(position)]);
    expect(live.replay(11)).toBe('gone');
    const last = live.position();
    const some = live.replay(last - 100) as LiveEvent[];
    expect(some).toHaveLength(200);
    expect(some[0]!.position).toBe(last - 99);
  });
  it('reach listeners until they leave', () => {
    const live = makeLive(0);
    const seen: number[] = [];
    const leave = live.subscribe((one) => seen.push(one.position));
    live.publish([event(1)]);
    leave();
    live.publish([event(2)]);
    expect(seen).toEqual([1]);
  });
});
