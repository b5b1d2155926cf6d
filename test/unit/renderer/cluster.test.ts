/** The picture of who keeps the journal, and the words before something is done. */
import { describe, expect, it } from 'vitest';
import { controlOf, sayRoundTrip } from '../../../renderer/flows/control.ts';
import { askDecision, askRecovery, askRemove, sameWords, statementOf } from '../../../renderer/flows/danger.ts';
import { mistakeInDuties } from '../../../renderer/flows/duties.ts';
import { hashOf, placeOf } from '../../../renderer/flows/route.ts';
import * as f from '../../ui/fixtures.ts';

describe('the control picture', () => {
  it('of a cluster of one says which seats nobody has', () => {
    const control = controlOf(f.cluster, [f.node]);
    expect(control).toMatchObject({ journal: 'none', watchLeft: 'none', watchRight: 'none', survives: 'off' });
    expect([control.left.name, control.right.name, control.watch.name]).toEqual(['atlas', 'No standby', 'No watch']);
    expect([control.left.tone, control.right.tone, control.watch.tone]).toEqual(['brass', 'ghost', 'ghost']);
    expect(control.below).toBe('all committed');
  });

  it('of a pair in step shows lag, round trips and what may be lost', () => {
    const control = controlOf(f.lab, f.labNodes);
    expect(control).toMatchObject({ journal: 'ok', watchLeft: 'plain', watchRight: 'plain', survives: 'ok' });
    expect([control.above, control.below]).toEqual(['journal 81,204', 'behind 0 · 1.8 ms']);
    expect(control.watch.line).toBe('Watch · 4.2 ms');
    expect(control.others).toEqual([{ name: 'quay-2', about: 'spare watch', away: false }]);
    expect(controlOf({ ...f.lab, journal: { ...f.lab.journal, lag: 1_200 } }, f.labNodes)).toMatchObject({
      journal: 'warn',
      right: { line: 'Standby · 1,200 behind' },
    });
  });

  it('keeps the controllers where they are when the lead changes hands', () => {
    const over = controlOf({ ...f.lab, active: 'n-borea', standby: 'n-atlas' }, f.labNodes);
    expect([over.left.name, over.left.tone]).toEqual(['atlas', 'standby']);
    expect([over.right.name, over.right.tone]).toEqual(['borea', 'brass']);
  });

  it('takes names as well as ids', () => {
    const named = controlOf(
      { ...f.lab, active: 'atlas', standby: 'borea', watch: 'deck-17', spares: ['quay-2'] },
      f.labNodes,
    );
    expect(named).toEqual(controlOf(f.lab, f.labNodes));
  });

  it('draws what does not answer as down, also when it has lost its seat', () => {
    const control = controlOf(f.labAlone.cluster, f.labAlone.nodes);
    expect(control).toMatchObject({ journal: 'down', watchLeft: 'plain', watchRight: 'down', survives: 'warn' });
    expect(control.right).toMatchObject({ name: 'borea', line: 'no answer', tone: 'alarm' });
  });

  it('is not well while only what is lost already may be lost', () => {
    const { cluster, nodes } = f.labAlone;
    const lossOf = ['n-borea'];
    expect(controlOf({ ...cluster, survives: { sentence: '', lossOf } }, nodes).survives).toBe('warn');
  });

  it('without an active claims nothing about who leads', () => {
    const control = controlOf(f.labLost.cluster, f.labLost.nodes);
    expect([control.left.tone, control.right.tone]).toEqual(['alarm', 'plain']);
    expect([control.above, control.below]).toEqual(['no active', 'entry 81,204 here']);
    expect(control.spoken).toContain('Active: nobody.');
    const parked = controlOf({ ...f.lab, active: null, standby: null, parked: { by: 'ops', why: 'x' } }, f.labNodes);
    expect([parked.above, parked.left.line, parked.journal]).toEqual(['parked', 'Controller · parked', 'plain']);
  });

  it('shows two controllers and names any further one', () => {
    const third = { ...f.labNodes[1]!, id: 'n-zeta', name: 'zeta', roles: ['controller' as const] };
    const control = controlOf(f.lab, [...f.labNodes, third]);
    expect([control.left.name, control.right.name]).toEqual(['atlas', 'borea']);
    expect(control.others.at(-1)).toEqual({ name: 'zeta', about: 'controller', away: false });
  });

  it.each([
    [0.04, 'under 0.1 ms'],
    [1.84, '1.8 ms'],
    [9.96, '10 ms'],
    [41.3, '41 ms'],
  ])('says a round trip of %d ms', (ms, words) => {
    expect(sayRoundTrip(ms)).toBe(words);
  });
});

describe('words about danger', () => {
  it('ask for exactly what only a person can know', () => {
    expect(statementOf(f.evidence, ['n-atlas#a1'])).toBe('I have seen that atlas is off');
    expect(statementOf(f.evidence, ['n-atlas#a1', 'n-deck-17#c3'])).toBe('I have seen that atlas and deck-17 are off');
    expect(statementOf(f.evidence, [])).toBe('borea shall continue');
    expect(sameWords(' i have seen  that Atlas is off ', 'I have seen that atlas is off')).toBe(true);
    expect(sameWords('I have seen that atlas is', 'I have seen that atlas is off')).toBe(false);
  });

  it('say the danger of a confirmation before all else, and a new era when one begins', () => {
    const ask = askRecovery({ ...f.evidence, opensEra: true }, ['n-atlas#a1']);
    expect(ask.text).toBe(f.evidence.danger);
    expect(ask.points.join(' ')).toContain('borea begins a new era as the only voter');
    expect(askRecovery(f.evidence, ['n-atlas#a1']).points.join(' ')).not.toContain('new era');
  });

  it('say what runs on a node that is removed', () => {
    expect(askRemove(f.labNodes[4]!).points[0]).toContain('15 tasks run on it now');
    expect(askRemove(f.labNodes[1]!).points.join(' ')).toContain('It is the standby');
    expect(askRemove({ name: 'x', roles: [], tasksRunning: 0 }).points).toHaveLength(1);
  });

  it('only a second start is a danger of its own', () => {
    const asks = (['again', 'succeeded', 'failed'] as const).map((one) => askDecision(one, { name: 'load' }, 'cirrus'));
    expect(asks.map((ask) => ask.danger === true)).toEqual([true, false, false]);
    expect(asks.every((ask) => ask.words === undefined)).toBe(true);
  });
});

describe('duties', () => {
  it('make sense or are not sent', () => {
    expect(mistakeInDuties(new Set())).toBeTruthy();
    expect(mistakeInDuties(new Set(['controller', 'watch']))).toContain('not both');
    for (const good of [['controller'], ['watch', 'worker'], ['controller', 'worker']] as const) {
      expect(mistakeInDuties(new Set(good))).toBeNull();
    }
  });
});

describe('addresses', () => {
  it('of nodes and recovery lead back to themselves', () => {
    for (const place of [{ screen: 'nodes', node: 'n-1' }, { screen: 'nodes' }, { screen: 'recovery' }] as const) {
      expect(placeOf(hashOf(place))).toEqual(place);
    }
  });
});
