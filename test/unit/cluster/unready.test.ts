/** A controller that holds all entries and not yet all contents of files (P6, P17, P26). */
import { expect, it } from 'vitest';
import { isPaired } from '../../../node-runtime/core/cluster/charter.ts';
import { newWorld } from '../../simulation/world.ts';

function formed(said: string[] = []) {
  const world = newWorld({ seed: 3, preformed: true, small: false, speaks: 1, log: (line) => void said.push(line) });
  world.begin();
  world.run(3_000);
  const [active] = world.acting();
  if (!active) throw new Error('nobody acts');
  const standby = world.node(active.name === 'ctl-a' ? 'ctl-b' : 'ctl-a');
  const paired = (): boolean => world.acting().some((node) => isPaired(world.leaderOf(node)!));
  const unready = (list: string[]): void => {
    world.roster.unready = list;
    world.tellRoster();
    world.run(world.now + 10);
  };
  return { world, active, standby, paired, unready };
}

it('is never paired with, and is once it has the contents', () => {
  const { world, standby, paired, unready } = formed();
  expect(paired()).toBe(true);
  world.stop(standby);
  unready([standby.name]);
  world.run(world.now + 2_000);
  expect(paired()).toBe(false);
  world.start(standby);
  world.run(world.now + 5_000);
  expect(paired()).toBe(false);
  unready([]);
  world.run(world.now + 1_000);
  expect(paired()).toBe(true);
});

it('is left out of the write set whenever the charter changes for another reason', () => {
  const { world, standby, paired, unready } = formed();
  unready([standby.name]);
  expect(paired(), 'a pair that is there stays: the standby holds every entry').toBe(true);
  world.roster.spares = [{ node: 'deck-2', store: world.node('deck-2').disk.register.store }];
  world.tellRoster();
  world.stop(world.node('deck-1'));
  world.run(world.now + 6_000);
  const [active] = world.acting();
  expect(active && world.leaderOf(active)!.voters[0]!.map((one) => one.node)).toContain('deck-2');
  expect(paired()).toBe(false);
});

it('is not asked to take over: the switch-over is refused with the reason', () => {
  const said: string[] = [];
  const { world, active, standby, unready } = formed(said);
  unready([standby.name]);
  world.wish(active, { wish: 'switchOver' });
  expect(said.at(-1)).toContain(`no, ${standby.name} does not have the contents of all files yet`);
  world.run(world.now + 2_000);
  expect(world.acting().map((node) => node.name)).toEqual([active.name]);
});
