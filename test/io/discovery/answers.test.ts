import { encode, type Question } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import {
  announcement,
  goodbye,
  isAskedFor,
  isOurQuestion,
  legacyAnswer,
  question,
  SERVICE,
} from '../../../node-runtime/io/discovery/answers.ts';
import { bounds } from '../../../node-runtime/io/discovery/bounds.ts';
import { Turns } from '../../../node-runtime/io/discovery/turns.ts';
import { decode, node, read } from './support.ts';

const self = node('A');
const addresses = ['10.0.0.9', 'fe80::1'];
const queryOf = (...questions: Question[]) => read(encode({ type: 'query', id: 41, questions }));

describe('what a node says', () => {
  it('is all of it in one packet, with the addresses of the link', () => {
    const packet = decode(announcement(self, addresses));
    expect(packet.answers!.map(({ type, name }) => `${type} ${name}`)).toEqual([
      ...[`PTR ${SERVICE}`, `SRV n-a.${SERVICE}`, `TXT n-a.${SERVICE}`],
      ...['A binnacle-n-a.local', 'AAAA binnacle-n-a.local', 'PTR _services._dns-sd._udp.local'],
    ]);
    const most = node('x'.repeat(38), { clusterName: 'y'.repeat(90), name: 'z'.repeat(90) });
    const full = announcement(most, Array<string>(bounds.ownAddressesPerLinkMax).fill('fe80::1234:5678:9abc:def0'));
    expect(full.length).toBeLessThan(1_452);
  });

  it('is taken back by a goodbye, which does not speak for others', () => {
    const { records } = read(goodbye(self, addresses));
    expect(records.every(({ timeToLiveS }) => timeToLiveS === 0)).toBe(true);
    expect(records.map(({ kind }) => kind)).toEqual(['PTR', 'SRV', 'TXT', 'A', 'AAAA']);
  });

  it('is said to whoever asks for any of it, in any case', () => {
    for (const [name, type] of [
      [SERVICE, 'PTR'],
      ['_BINNACLE._TCP.LOCAL', 'ANY' as 'A'],
      ['_services._dns-sd._udp.local', 'PTR'],
      [`N-A.${SERVICE}`, 'SRV'],
      [`n-a.${SERVICE}`, 'TXT'],
      ['binnacle-n-a.local', 'AAAA'],
    ] as const) {
      expect([name, isAskedFor(queryOf({ name, type }), self)]).toEqual([name, true]);
    }
    for (const [name, type] of [
      [SERVICE, 'SRV'],
      ['_ipp._tcp.local', 'PTR'],
      [`n-b.${SERVICE}`, 'SRV'],
    ] as const) {
      expect([name, isAskedFor(queryOf({ name, type }), self)]).toEqual([name, false]);
    }
  });

  it('is not said to one who knows it for a while yet', () => {
    const knows = (ttl: number) =>
      read(
        encode({
          type: 'query',
          questions: [{ name: SERVICE, type: 'PTR' }],
          answers: [{ type: 'PTR', name: SERVICE, ttl, data: `N-a.${SERVICE}` }],
        }),
      );
    expect([isAskedFor(knows(100), self), isAskedFor(knows(30), self)]).toEqual([false, true]);
    expect([isOurQuestion(read(question())), isOurQuestion(knows(100))]).toEqual([true, false]);
  });

  it('to an asker without multicast repeats its id and question, and is soon forgotten', () => {
    const heard = queryOf({ name: '_Binnacle._tcp.local', type: 'PTR' }, { name: 'other.local', type: 'A' });
    const packet = decode(legacyAnswer(heard, self, addresses)!);
    expect(packet.id).toBe(41);
    expect(packet.questions).toMatchObject([{ name: '_Binnacle._tcp.local', type: 'PTR' }]);
    expect(packet.answers).toMatchObject([{ type: 'PTR', data: `n-a.${SERVICE}` }]);
    expect(packet.additionals!.map(({ type }) => type)).toEqual(['SRV', 'TXT', 'A', 'AAAA']);
    const all = [...packet.answers!, ...packet.additionals!] as { ttl: number; flush: boolean }[];
    expect(all.every(({ ttl, flush }) => ttl <= 10 && !flush)).toBe(true);
    expect(legacyAnswer(queryOf({ name: 'other.local', type: 'A' }), self, addresses)).toBeNull();
  });
});

describe('the turns of a link', () => {
  const taken = (turns: Turns, fromMs: number, toMs: number) => {
    const at: { announce: number[]; query: number[] } = { announce: [], query: [] };
    for (let nowMs = fromMs; nowMs <= toMs; nowMs += 10) {
      const due = turns.take(nowMs);
      if (due.announce) at.announce.push(nowMs);
      if (due.query) at.query.push(nowMs);
    }
    return at;
  };

  it('begin with several announcements and questions, and then there is a question a minute', () => {
    expect(taken(new Turns(0, () => 0.5), 0, 130_000)).toEqual({
      announce: [0, 1_000, 3_000],
      query: [0, 1_000, 3_000, 7_000, 61_000, 115_000],
    });
  });

  it('leave the question to another that has just asked', () => {
    const turns = new Turns(0, () => 0);
    taken(turns, 0, 40_000);
    turns.otherAsked(40_000);
    expect(taken(turns, 40_000, 95_000).query).toEqual([90_000]);
  });

  it('answer a hundred questions with one announcement in 250 ms, and the last of them is answered', () => {
    const turns = new Turns(0, () => 0);
    taken(turns, 0, 10_000);
    const at: number[] = [];
    for (let nowMs = 10_010; nowMs <= 11_010; nowMs += 10) {
      turns.asked();
      if (turns.take(nowMs).announce) at.push(nowMs);
    }
    expect(at).toEqual([10_010, 10_260, 10_510, 10_760, 11_010]);
    turns.asked();
    expect(taken(turns, 11_020, 12_000).announce).toEqual([11_260]);
  });
});
