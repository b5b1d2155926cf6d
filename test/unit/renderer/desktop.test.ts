/** What the page knows of the desktop program: the same shapes, where links lead, what a notification says. */
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { DesktopBridge as ShellBridge } from '../../../electron/bridge/names.ts';
import { desktopLimits } from '../../../electron/limits.ts';
import { screens } from '../../../electron/window/links.ts';
import type { DesktopBridge } from '../../../renderer/desktop.ts';
import { noteOf } from '../../../renderer/flows/note.ts';
import { placeOfLink } from '../../../renderer/flows/opened.ts';
import { hashOf, placeOf } from '../../../renderer/flows/route.ts';
import { sayWho } from '../../../renderer/parts/people/words.ts';

describe('the bridge', () => {
  it('has the same shape for the page as for the shell', () => {
    expectTypeOf<DesktopBridge>().toEqualTypeOf<ShellBridge>();
  });
});

describe('what is opened outside', () => {
  const never = (): Promise<boolean> => Promise.reject(new Error('nobody should be asked'));
  const is = (folder: boolean) => (): Promise<boolean> => Promise.resolve(folder);

  it('leads from every screen a link may name to a place, or to a sentence', async () => {
    for (const screen of screens) {
      const place = await placeOfLink({ open: 'screen', screen }, never);
      if (typeof place === 'string') expect(place).toContain(screen);
      else expect(placeOf(hashOf(place))).toEqual(place);
    }
    expect(await placeOfLink({ open: 'screen', screen: 'runs' }, never)).toEqual({ screen: 'runs' });
    expect(await placeOfLink({ open: 'screen', screen: 'schedules' }, never)).toMatch(/no screen/);
  });
  it('shows a run, a folder, or a file in its folder', async () => {
    expect(await placeOfLink({ open: 'run', run: 'r-1' }, never)).toEqual({ screen: 'run', run: 'r-1' });
    const link = { open: 'sandbox', sandbox: 'lab', path: 'a/b.csv' } as const;
    expect(await placeOfLink(link, is(true))).toEqual({ screen: 'sandboxes', sandbox: 'lab', path: 'a/b.csv' });
    expect(await placeOfLink(link, is(false))).toEqual({
      screen: 'sandboxes',
      sandbox: 'lab',
      path: 'a',
      file: 'b.csv',
    });
    expect(await placeOfLink({ ...link, path: '' }, never)).toEqual({ screen: 'sandboxes', sandbox: 'lab', path: '' });
  });
});

describe('the end of a run', () => {
  const run = { id: 'r-1', name: 'Nightly', sandbox: 'lab', path: 'n.job.yaml', state: 'succeeded' } as const;
  it('is told in a title and a line, and why when it failed', () => {
    expect(noteOf(run)).toEqual({ title: 'Nightly succeeded', body: 'r-1, lab/n.job.yaml.' });
    expect(noteOf({ ...run, state: 'failed', exitCode: 3 }).body).toBe('r-1, lab/n.job.yaml. Exit 3.');
    expect(noteOf({ ...run, state: 'failed', exitCode: 3, reason: 'load failed' }).body).toMatch(/load failed$/);
    expect(noteOf({ ...run, state: 'unknown' }).title).toMatch(/not known$/);
  });
  it('fits what the desktop program accepts, however long the names are', () => {
    const { title, body } = noteOf({ ...run, name: 'n'.repeat(500), path: 'p'.repeat(1_000), state: 'cancelled' });
    expect(title.length).toBeLessThanOrEqual(desktopLimits.noteTitleCharsMax);
    expect(title).toMatch(/… was cancelled$/);
    expect(body.length).toBeLessThanOrEqual(desktopLimits.noteBodyCharsMax);
  });
});

it('who did something is said in words', () => {
  expect(['user:ops', 'token:ab12', 'desktop', 'node', 'ops'].map(sayWho)).toEqual([
    'ops',
    'token ab12',
    'this computer',
    'the cluster',
    'ops',
  ]);
});
