/** Requests to join as the active keeps them: few, for minutes, each for who made it. */
import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../../node-runtime/contract/limits.ts';
import { commitmentTo, sixWords } from '../../../node-runtime/io/trust/six-words.ts';
import { type JoinRequests, newJoinRequests } from '../../../node-runtime/requests/join-requests.ts';

const authority = 'a'.repeat(64);
const number = '1'.repeat(64);
let now = 0;
let requests: JoinRequests;

const ask = (address = '192.0.2.7') => {
  const one = requests.ask({ name: 'borea', program: '0.1.0', commitment: commitmentTo(number) }, address);
  if ('code' in one) throw new Error(one.code);
  return one;
};

beforeEach(() => {
  now = 1_000_000;
  requests = newJoinRequests(
    () => authority,
    () => now,
  );
});

describe('a request to join', () => {
  it('is on the screen once its number was shown, with the words that the node makes of it', () => {
    const { id, ticket, ofMember } = ask();
    expect(requests.list()).toEqual([]);
    expect(requests.findWaiting(id)).toMatchObject({ code: 'join_request_unknown' });
    requests.show(id, ticket, number);
    const words = sixWords(authority, number, ofMember);
    expect(requests.list()).toMatchObject([{ id, name: 'borea', address: '192.0.2.7', words, state: 'waiting' }]);
  });

  it('is withdrawn by who made it, and by nobody else', () => {
    const { id, ticket } = ask();
    requests.show(id, ticket, number);
    expect(requests.withdraw(id, 'another')).toMatchObject({ code: 'join_request_unknown' });
    expect(requests.list()).toHaveLength(1);
    requests.withdraw(id, ticket);
    expect(requests.list()).toEqual([]);
    expect(requests.findWaiting(id)).toMatchObject({ code: 'join_request_unknown' });
  });

  it('is gone when another number is shown than was committed to', () => {
    const { id, ticket } = ask();
    expect(requests.show(id, ticket, '2'.repeat(64))).toMatchObject({ code: 'join_request_unknown' });
    expect(requests.show(id, ticket, number)).toMatchObject({ code: 'join_request_unknown' });
  });

  it('keeps its words when the number is shown again', () => {
    const { id, ticket } = ask();
    requests.show(id, ticket, number);
    const [before] = requests.list();
    requests.show(id, ticket, number);
    expect(requests.list()).toEqual([before]);
  });

  it('answers only who made it, and tells the secret to nobody else', () => {
    const { id, ticket } = ask();
    requests.show(id, ticket, number);
    const one = requests.findWaiting(id);
    if ('code' in one) throw new Error(one.code);
    expect(requests.answer(id, ticket)).toEqual({ state: 'waiting' });
    requests.approved(one, 'secret');
    expect(requests.answer(id, ticket)).toEqual({ state: 'approved', secret: 'secret' });
    expect(requests.answer(id, 'x')).toMatchObject({ code: 'join_request_unknown' });
    expect(JSON.stringify(requests.list())).not.toContain('secret');
    expect(requests.findWaiting(id), 'decided once').toMatchObject({ code: 'join_request_unknown' });
  });

  it('is over after some minutes', () => {
    const { id, ticket } = ask();
    requests.show(id, ticket, number);
    now += limits.joinRequestMs + 1;
    expect(requests.list()).toEqual([]);
    expect(requests.answer(id, ticket)).toMatchObject({ code: 'join_request_unknown' });
  });

  it('is one of few, and of fewer from one address', () => {
    const asked = (address: string) => requests.ask({ name: 'x', program: '', commitment: '' }, address);
    for (let one = 0; one < limits.joinRequestsPerAddressMax; one++) ask('192.0.2.1');
    expect(asked('192.0.2.1')).toMatchObject({ code: 'too_many' });
    for (let one = limits.joinRequestsPerAddressMax; one < limits.joinRequestsMax; one++) ask(`192.0.2.${one + 10}`);
    expect(asked('192.0.2.250')).toMatchObject({ code: 'too_many' });
  });
});
