/** Editing, launching, addresses, paths: the plain steps of the console. */
import { describe, expect, it } from 'vitest';
import type { ParameterField } from '../../../node-runtime/contract/model.ts';
import { beginEdit, type EditState, edited, isDirty } from '../../../renderer/flows/edit.ts';
import { beginTyped, mistakeIn, mistakesFrom, parametersOf } from '../../../renderer/flows/launch.ts';
import { freeName, mistakeInName } from '../../../renderer/flows/paths.ts';
import { hashOf, type Place, placeOf } from '../../../renderer/flows/route.ts';

describe('editing', () => {
  const written = (text: string): EditState => edited(beginEdit('a\n', '"1"'), { kind: 'typed', text });
  it('keeps unsaved what is typed while a save is on its way', () => {
    let state = edited(written('b\n'), { kind: 'saveAsked' });
    state = edited(state, { kind: 'typed', text: 'c\n' });
    state = edited(state, { kind: 'saved', etag: '"2"' });
    expect(state).toMatchObject({ phase: 'open', text: 'c\n', saved: 'b\n', etag: '"2"' });
    expect(isDirty(state)).toBe(true);
  });
  it('never bases a save on the old version once someone else saved', () => {
    const conflict = edited(written('mine\n'), { kind: 'foundChanged', theirs: 'theirs\n', theirsEtag: '"9"' });
    for (const whose of ['mine', 'theirs', 'both'] as const) {
      expect(edited(conflict, { kind: 'kept', whose })).toMatchObject({
        phase: 'open',
        saved: 'theirs\n',
        etag: '"9"',
      });
    }
    expect(edited(conflict, { kind: 'kept', whose: 'theirs' }).text).toBe('theirs\n');
    expect(edited(conflict, { kind: 'kept', whose: 'mine' }).text).toBe('mine\n');
    expect(edited(conflict, { kind: 'kept', whose: 'both' }).text).toContain('mine\n=======\ntheirs\n');
  });
  it('does not save during a conflict', () => {
    const conflict = edited(written('mine\n'), { kind: 'foundChanged', theirs: 't', theirsEtag: '"9"' });
    expect(edited(conflict, { kind: 'saveAsked' })).toBe(conflict);
  });
});

describe('launching', () => {
  const field = (name: string, type: ParameterField['type'], more: Partial<ParameterField> = {}): ParameterField => ({
    name,
    type,
    label: name,
    required: false,
    ...more,
  });
  const fields = [
    field('day', 'date', { required: true }),
    field('parts', 'integer', { minimum: 1, maximum: 16, default: 3 }),
    field('dry', 'boolean', { default: false }),
    field('note', 'string', { pattern: '[a-z]+' }),
  ];
  it('begins with the defaults, or with what an earlier run had', () => {
    expect(beginTyped(fields)).toEqual({ day: '', parts: '3', dry: 'false', note: '' });
    expect(beginTyped(fields, { day: '2026-01-02', parts: 5 })).toMatchObject({ day: '2026-01-02', parts: '5' });
  });
  it('gives typed values and leaves out what is empty', () => {
    expect(parametersOf(fields, { day: '2026-11-21', parts: '4', dry: 'true', note: '' })).toEqual({
      values: { day: '2026-11-21', parts: 4, dry: true },
      mistakes: {},
    });
  });
  it.each([
    [fields[0]!, '', 'This is needed.'],
    [fields[0]!, '21.11.2026', 'This has to be a date like 2026-11-21.'],
    [fields[1]!, '1.5', 'This has to be a whole number.'],
    [fields[1]!, '17', 'The most allowed is 16.'],
    [fields[1]!, 'x', 'This has to be a number.'],
    [fields[3]!, 'A1', 'This has to look like [a-z]+.'],
    [field('m', 'choice', { options: ['a', 'b'] }), 'c', 'Choose one of a, b.'],
  ])('says what is wrong with a value beside its field', (of, text, sentence) => {
    expect(mistakeIn(of, text)).toBe(sentence);
  });
  it('takes further parameters of scripts, and refuses names no environment has', () => {
    const { values, mistakes } = parametersOf([], {}, [
      { name: 'DAY', value: '1' },
      { name: '9x', value: '1' },
      { name: '', value: '' },
    ]);
    expect(values).toEqual({ DAY: '1' });
    expect(Object.keys(mistakes)).toEqual(['further:9x']);
  });
  it("brings the node's mistakes to their fields", () => {
    expect(
      mistakesFrom(
        [
          { path: 'parameters.parts', sentence: 'Too many.' },
          { path: 'x', sentence: 'No.' },
        ],
        fields,
      ),
    ).toEqual({ parts: 'Too many.', '': 'No.' });
  });
});

describe('addresses of the console', () => {
  const places: Place[] = [
    { screen: 'overview' },
    { screen: 'sandboxes', sandbox: 'in', path: 'a b/c%d', file: 'x#?.sh', view: 'edit' },
    { screen: 'sandboxes', path: '' },
    { screen: 'launch', sandbox: 'in', path: 'jobs/é.job.yaml', from: 'r-1' },
    { screen: 'runs', state: 'failed,unknown', text: 'a&b' },
    { screen: 'run', run: 'r-1', task: 'load 1', attempt: 2 },
    { screen: 'link', code: 'a/b' },
  ];
  it.each(places)('lead back to the same place: %o', (place) => {
    const found = placeOf(hashOf(place));
    if (place.screen === 'link') expect(found.screen).toBe('link');
    else expect(found).toEqual(place);
  });
  it.each(['', '#', '#/nowhere', '#/launch/x', '#/%E0%A4%A', '#/runs?attempt=x'])(
    'that mean nothing open a screen and do nothing: %s',
    (hash) => {
      expect(['overview', 'runs']).toContain(placeOf(hash).screen);
    },
  );
});

describe('names', () => {
  it.each(['', ' ', '.', '..', 'a/b', 'a\\b', 'a\0', 'x'.repeat(256)])(
    'that no folder can hold are refused: %j',
    (name) => {
      expect(mistakeInName(name)).not.toBeNull();
    },
  );
  it('of copies keep all of the ending and are free', () => {
    const taken = new Set(['a copy.job.yaml', '.env copy']);
    expect(freeName('a.job.yaml', (name) => taken.has(name))).toBe('a copy 2.job.yaml');
    expect(freeName('.env', (name) => taken.has(name))).toBe('.env copy 2');
  });
});
