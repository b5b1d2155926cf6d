import { describe, expect, test } from 'vitest';
import { shouldKeepAwake } from '../../../electron/power/keep-awake.ts';
import { onClose, trayIsShown } from '../../../electron/tray/close-rule.ts';
import { trayMark } from '../../../electron/tray/mark.ts';
import { hasConsequences, quitQuestion } from '../../../electron/tray/quit-question.ts';
import { trayState } from '../../../electron/tray/tray-state.ts';

const since = '2030-01-02T03:04:05.000Z';

describe('closing the window', () => {
  test('hides it only where a tray brings it back, and says so once', () => {
    expect(onClose({ isQuitting: false, hasTray: true, told: false })).toBe('hideAndTell');
    expect(onClose({ isQuitting: false, hasTray: true, told: true })).toBe('hide');
  });
  test('asks where there is no tray', () => {
    for (const told of [true, false]) expect(onClose({ isQuitting: false, hasTray: false, told })).toBe('ask');
  });
  test('closes while quitting', () => {
    for (const hasTray of [true, false]) expect(onClose({ isQuitting: true, hasTray, told: true })).toBe('close');
  });
});

test('a tray is assumed only on desktops that show one', () => {
  expect(trayIsShown('darwin', {})).toBe(true);
  expect(trayIsShown('win32', {})).toBe(true);
  const shown = (name?: string) => trayIsShown('linux', { XDG_CURRENT_DESKTOP: name });
  expect([shown('KDE'), shown('XFCE'), shown('ubuntu:GNOME'), shown('X-Cinnamon')]).toEqual([true, true, true, true]);
  expect([shown('GNOME'), shown('sway'), shown(''), shown(undefined)]).toEqual([false, false, false, false]);
});

describe('quitting', () => {
  test('is asked about when a role has consequences', () => {
    expect(quitQuestion(['active', 'worker'], false)?.detail).toBe(
      'Jobs that are running go on; nothing new starts until Binnacle runs again.',
    );
    expect(quitQuestion(['worker'], true)?.detail).toContain('takes no new ones');
    expect(quitQuestion(['spare'], true)?.detail).toContain('This node is spare');
  });
  test('says what the cluster loses by it', () => {
    expect(quitQuestion(['active', 'worker'], true)?.detail).toContain('The standby takes the lead first');
    expect(quitQuestion(['standby'], true)?.detail).toContain('nobody can take over');
    expect(quitQuestion(['watch'], true)?.detail).toContain('no fail-over is possible');
  });
  test('is not asked about otherwise', () => {
    expect(quitQuestion([], false)).toBeNull();
    expect(quitQuestion(['observer'], true)).toBeNull();
    expect(hasConsequences(['observer', 'worker'])).toBe(true);
  });
});

test('the machine is kept awake only when asked, on mains power, with a role that matters', () => {
  const facts = { asked: true, onBattery: false, roles: ['active'] };
  expect(shouldKeepAwake(facts)).toBe(true);
  expect(shouldKeepAwake({ ...facts, asked: false })).toBe(false);
  expect(shouldKeepAwake({ ...facts, onBattery: true })).toBe(false);
  expect(shouldKeepAwake({ ...facts, roles: [] })).toBe(false);
});

describe('the tray', () => {
  test('shows name, roles and headline of a node that is well', () => {
    const state = trayState({ is: 'ready', since, name: 'deck-17' }, ['active', 'worker'], 'Solo: no fail-over');
    expect(state).toEqual({
      mood: 'well',
      lines: ['deck-17: active, worker', 'Solo: no fail-over'],
      offersStart: false,
      tooltip: 'Binnacle\ndeck-17: active, worker\nSolo: no fail-over',
    });
  });
  test('shows no role of a node that is not running', () => {
    for (const is of ['starting', 'stopping'] as const)
      expect(trayState({ is, since }, ['active'], 'x').tooltip).not.toContain('active');
    expect(trayState({ is: 'down', since, why: '' }, ['active'], 'x').mood).toBe('waiting');
  });
  test('offers to start a node that was given up', () => {
    expect(trayState({ is: 'givenUp', since, why: '' }, [], '')).toMatchObject({ mood: 'stopped', offersStart: true });
  });
  test('is drawn in premultiplied pixels, different for each mood, empty in the corners', () => {
    const pixels = trayMark('well', 32);
    expect(pixels).toHaveLength(32 * 32 * 4);
    expect([...pixels.subarray(0, 4)]).toEqual([0, 0, 0, 0]);
    for (let at = 0; at < pixels.length; at += 4)
      expect(Math.max(pixels[at]!, pixels[at + 1]!, pixels[at + 2]!)).toBeLessThanOrEqual(pixels[at + 3]!);
    expect(pixels[(16 * 32 + 16) * 4 + 3]).toBe(255);
    expect(pixels.equals(trayMark('stopped', 32))).toBe(false);
  });
});
