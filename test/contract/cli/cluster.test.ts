/** The commands about the cluster: what they send, what they print, when they ask first. */
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { JoinedNode, LocalActs, TerminalInput } from '../../../node-runtime/io/cli/outside.ts';
import { binnacle, fakeNode, Refused, written } from './fake-node.ts';
import { madeAttempt, madeCluster, madeEvidence, madeNode, madeQuarantined, madeRun, madeTask } from './made-up.ts';

const at = '2026-03-04T09:22:31.000Z';
/** A terminal at which somebody types these lines. */
function typing(...lines: string[]): { stdin: TerminalInput } {
  const stdin = new PassThrough() as TerminalInput & PassThrough;
  stdin.isTTY = true;
  stdin.write(lines.map((line) => `${line}\n`).join(''));
  return { stdin };
}

describe('status of several nodes', () => {
  const nodes = [
    madeNode(),
    madeNode({ id: 'n-2', name: 'ctl-b', thisNode: false, fingerprint: 'cd'.repeat(32) }),
    madeNode({ id: 'n-3', name: 'deck-17', thisNode: false }),
    madeNode({ id: 'n-4', name: 'quay-2', thisNode: false }),
  ];
  const three = madeCluster({
    term: '0.7.n-1',
    active: 'n-1',
    standby: 'n-2',
    watch: 'n-3',
    spares: ['n-4'],
    mode: 'paired',
    survives: { sentence: 'Can survive the loss of any one of the three.', lossOf: ['n-1', 'n-2', 'n-3'] },
  });

  it('names who leads, stands by, watches, and which may be lost', async () => {
    await using node = await fakeNode({ cluster: () => three, nodes: () => ({ nodes }) });
    const { out } = await binnacle(['status', '--data', node.data]);
    expect(out).toContain('Can survive the loss of any one of the three.');
    expect(out).toMatch(/^Standby +ctl-b, in step$/m);
    expect(out).toMatch(/^Watch +deck-17$/m);
    expect(out).toMatch(/^Spare +quay-2$/m);
    expect(out).toMatch(/^Term +0\.7\.ctl-a \(it was founded\)$/m);
    expect(out).toMatch(/^Can lose +ctl-a, or ctl-b, or deck-17$/m);
    expect(out).toMatch(/^Fingerprint +(ab){32}$/m);
  });

  it('says first what stops it, each with the command that helps', async () => {
    await using node = await fakeNode({
      cluster: () =>
        madeCluster({
          state: 'parked',
          active: null,
          parked: { by: 'user:ops', why: 'new switch' },
          recovery: true,
          fresh: false,
          journal: { end: 9, committed: 7, snapshot: 0, lag: 2, quarantined: 3 },
          counts: { ...madeCluster().counts, tasksUnknown: 1 },
        }),
      nodes: () => ({ nodes }),
    });
    const { out } = await binnacle(['status', '--data', node.data]);
    expect(out).toContain('Stopped by ops: new switch. Nobody acts. To end that: binnacle activate');
    expect(out).toContain('binnacle recover');
    expect(out).toContain('1 attempt is on workers that do not answer');
    expect(out).toContain('3 entries cut from this journal and kept aside: binnacle quarantine');
    expect(out).toContain('not confirmed');
    expect(out).toMatch(/^Active +none$/m);
  });
});

describe('nodes', () => {
  it('shows what each does, what it is for, how far behind it is, and who gets no work', async () => {
    await using node = await fakeNode({
      nodes: () => ({
        nodes: [
          madeNode(),
          madeNode({
            id: 'n-2',
            name: 'ctl-b',
            roles: ['standby'],
            duties: ['controller'],
            thisNode: false,
            lagEntries: 12,
            roundTripMs: 1.84,
            slots: 0,
          }),
          madeNode({ id: 'n-5', name: 'delta', roles: ['worker'], duties: ['worker'], thisNode: false, drained: true }),
          madeNode({ id: 'n-6', name: 'ember', roles: ['worker'], thisNode: false, reachable: false }),
        ],
      }),
    });
    const { out } = await binnacle(['nodes', '--data', node.data]);
    const [head = '', first, second, third, fourth] = out.split('\n');
    expect(head).toMatch(/^NODE +ROLES +DUTIES +STATE +LAG +ANSWERS IN +TASKS/);
    expect(first).toMatch(/^ctl-a \* +active, worker +controller, worker +reachable/);
    expect(second).toMatch(/standby +controller +reachable +12 +1\.8 ms/);
    expect(third).toContain('draining');
    expect(fourth).toContain('unreachable since');
  });
});

describe('who leads', () => {
  it('a switch-over says what came of it, and a refusal says why', async () => {
    let refused = false;
    await using node = await fakeNode({
      switchOver: () =>
        refused
          ? new Refused('switch_refused', 'ctl-b is 40 entries behind.')
          : { sentence: 'ctl-b leads now; ctl-a stands by.', active: 'n-2' },
    });
    expect(await binnacle(['switch-over', '--data', node.data])).toEqual({
      code: 0,
      out: 'ctl-b leads now; ctl-a stands by.\n',
      err: '',
    });
    const { out } = await binnacle(['switch-over', '--json', '--data', node.data]);
    expect(JSON.parse(out)).toMatchObject({ active: 'n-2' });
    refused = true;
    const ran = await binnacle(['switch-over', '--data', node.data]);
    expect(ran).toMatchObject({ code: 3, out: '', err: expect.stringContaining('40 entries behind') });
    expect(node.seen).toHaveLength(3);
  });

  it('its authority is shown, and changed only when somebody says so', async () => {
    const settled = {
      ...{ fingerprint: 'ef'.repeat(32), until: at, step: 'settled' as const, waitsFor: [] },
      sentence: 'All nodes trust this authority, and no other.',
    };
    const changing = {
      ...{ ...settled, step: 'added' as const, since: at, by: 'user:ada', waitsFor: ['quay-2'] },
      sentence: 'All nodes learn to trust the new authority; quay-2 not yet.',
    };
    let begun = 0;
    await using node = await fakeNode({
      authority: () => settled,
      authorityRotate: () => {
        begun += 1;
        return changing;
      },
    });
    const shown = await binnacle(['authority', 'show', '--data', node.data]);
    expect(shown.out).toMatch(/^All nodes trust this authority, and no other\.\nAuthority +(ef){32}\nValid until /);
    expect(await binnacle(['authority', 'rotate', '--data', node.data])).toMatchObject({ code: 2 });
    expect(await binnacle(['authority', 'rotate', '--data', node.data], typing('no'))).toMatchObject({ code: 2 });
    expect(begun).toBe(0);
    const rotated = await binnacle(['authority', 'rotate', '--data', node.data], typing('yes'));
    expect([rotated.code, rotated.err]).toEqual([0, expect.stringContaining('nothing stops')]);
    expect(rotated.out).toMatch(/^Waits for +quay-2$/m);
    const again = await binnacle(['authority', 'rotate', '--yes', '--json', '--data', node.data]);
    expect([JSON.parse(again.out), begun]).toEqual([changing, 2]);
  });

  it('is stopped only with a reason, and started again', async () => {
    const bodies: unknown[] = [];
    await using node = await fakeNode({
      park: ({ body }) => {
        bodies.push(body);
        return { sentence: 'Nobody acts now.' };
      },
      activate: () => ({ sentence: 'ctl-a is active.' }),
    });
    expect(await binnacle(['park', '--data', node.data])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--why'),
    });
    expect(await binnacle(['park', '--why', '  ', '--data', node.data])).toMatchObject({ code: 2 });
    expect((await binnacle(['park', '--why', 'new switch', '--data', node.data])).out).toBe('Nobody acts now.\n');
    expect(bodies).toEqual([{ why: 'new switch' }]);
    expect((await binnacle(['activate', '--data', node.data])).out).toBe('ctl-a is active.\n');
  });
});

describe('who belongs to it', () => {
  it('an invite prints the code alone, and tells a person how to use it', async () => {
    const bodies: unknown[] = [];
    await using node = await fakeNode({
      invite: ({ body }) => {
        bodies.push(body);
        return { code: 'bn1-abc', duties: ['controller', 'worker'], expiresAt: at };
      },
    });
    const asked = ['invite', '--role', 'controller', '--role', 'worker,controller', '--expires', '30'];
    expect(await binnacle([...asked, '--data', node.data])).toEqual({ code: 0, out: 'bn1-abc\n', err: '' });
    const shown = await binnacle([...asked, '--data', node.data], { isTty: true });
    expect(shown).toMatchObject({ out: 'bn1-abc\n', err: expect.stringContaining('binnacle join CODE') });
    const { out } = await binnacle([...asked, '--json', '--data', node.data]);
    expect(JSON.parse(out)).toMatchObject({ code: 'bn1-abc' });
    expect(bodies[0]).toEqual({ duties: ['controller', 'worker'], expiresInMinutes: 30 });
  });

  it.each([
    [['invite'], '--role'],
    [['invite', '--role', 'boss'], '"boss" is no role'],
    [['roles', 'ctl-b'], '--role'],
    [['watch'], 'appoint'],
    [['decide', 'r-1', 'load', 'maybe'], 'again, succeeded, failed'],
    [['node', '--peers', 'borea'], 'no address to listen at'],
    [['demo', '--nodes', '0'], '--nodes is a whole number from 1'],
  ])('%j is refused with 2 before a node is asked', async (argv, sentence) => {
    const ran = await binnacle(argv);
    expect(ran.code).toBe(2);
    expect(ran.err + ran.out).toContain(sentence);
  });

  it('changes go to the node named, and say what is so now', async () => {
    const asked: unknown[] = [];
    await using node = await fakeNode({
      nodeChange: ({ params, body }) => {
        asked.push([params.node, body]);
        const drained = body['drained'] === true;
        return madeNode({ name: 'delta', roles: ['worker'], duties: ['worker'], drained, tasksRunning: 2 });
      },
    });
    const said = async (...argv: string[]): Promise<string> => (await binnacle([...argv, '--data', node.data])).out;
    expect(await said('drain', 'delta')).toBe('delta gets nothing new; 2 tasks still run on it to their end.\n');
    expect(await said('drain', 'delta', '--undo')).toBe('delta takes new work again.\n');
    expect(await said('roles', 'delta', '--role', 'worker')).toBe('delta is there as worker.\n');
    expect(await said('watch', 'appoint', 'delta')).toContain('wanted as the watch');
    expect(asked).toEqual([
      ['delta', { drained: true }],
      ['delta', { drained: false }],
      ['delta', { duties: ['worker'] }],
      ['delta', { watch: true }],
    ]);
    expect(node.seen.every((each) => each.key)).toBe(true);
  });

  it.each(['no_active', 'not_active', 'stopping', 'starting', 'unknown_outcome', 'hops_exceeded'] as const)(
    'a change refused with %s in a fail-over is tried again under its key',
    async (code) => {
      await using node = await fakeNode({
        nodeChange: () =>
          node.seen.length < 2
            ? new Refused(code, 'In the middle of a fail-over.')
            : madeNode({ name: 'delta', drained: true }),
      });
      const ran = await binnacle(['drain', 'delta', '--data', node.data]);
      expect(ran).toMatchObject({ code: 0, err: expect.stringContaining('Trying again for up to 30 s.') });
      expect(node.seen).toHaveLength(2);
      expect(new Set(node.seen.map((each) => each.key)).size).toBe(1);
    },
  );

  it('a switch-over, an invite and a confirmed loss are never sent twice', async () => {
    await using node = await fakeNode({
      switchOver: () => new Refused('no_active', 'Nobody leads.'),
      invite: () => new Refused('no_active', 'Nobody leads.'),
    });
    expect((await binnacle(['switch-over', '--data', node.data])).code).toBe(3);
    expect((await binnacle(['invite', '--role', 'worker', '--data', node.data])).code).toBe(3);
    expect(node.seen).toHaveLength(2);
  });

  it('removing asks for the name, does nothing on any other word, and nothing where nobody can be asked', async () => {
    let removed = 0;
    await using node = await fakeNode({
      nodes: () => ({ nodes: [madeNode({ id: 'n-9', name: 'quay-2', thisNode: false })] }),
      nodeRemove: () => {
        removed += 1;
        return null as never;
      },
    });
    const asked = ['remove', 'n-9', '--data', node.data];
    expect(await binnacle(asked, typing('yes'))).toMatchObject({
      code: 2,
      err: expect.stringContaining('nothing was'),
    });
    expect(await binnacle(asked)).toMatchObject({ code: 2, err: expect.stringContaining('--yes') });
    expect(removed).toBe(0);
    const ran = await binnacle(asked, typing('Quay-2'));
    expect(ran).toMatchObject({ code: 0, out: 'n-9 was removed.\n', err: expect.stringContaining('Type quay-2') });
    expect((await binnacle([...asked, '--yes', '--json'])).out).toBe('{"removed":"n-9"}\n');
    expect(removed).toBe(2);
  });
});

describe('a confirmed loss', () => {
  const words = 'I have seen that ctl-a is off';

  it('shows what is known, then takes only the words, bound to what was shown', async () => {
    const bodies: unknown[] = [];
    await using node = await fakeNode({
      recovery: () => madeEvidence(),
      recover: ({ body }) => {
        bodies.push(body);
        return { sentence: 'ctl-b leads in term 0.5.n-2.' };
      },
    });
    const asked = ['recover', '--data', node.data];
    const declined = await binnacle(asked, typing('yes'));
    expect(declined.code).toBe(2);
    expect(declined.out).toContain('ctl-a  would be declared lost');
    expect(declined.out).toMatch(/silent, last heard 2026-.*; votes, holds every entry/);
    expect(declined.out).toContain('61 entries are lost');
    expect(declined.out).toContain('If ctl-a is not off, both may start work');
    expect(bodies).toEqual([]);
    const ran = await binnacle(asked, typing(words));
    expect(ran).toMatchObject({ code: 0, out: expect.stringContaining('ctl-b leads in term') });
    expect(ran.err).toContain(`Type ${words}`);
    expect(bodies).toEqual([{ evidence: madeEvidence().evidence, lost: ['n-1#aa'], statement: words }]);
  });

  it('whose evidence has changed is shown anew and asked for again', async () => {
    let changed = false;
    const now = (): ReturnType<typeof madeEvidence> =>
      changed ? madeEvidence({ evidence: 'newest 0.4.n-1', loss: 'It cannot be excluded.' }) : madeEvidence();
    await using node = await fakeNode({
      recovery: now,
      recover: ({ body }) => {
        if (changed) return { sentence: `taken: ${body['evidence']}` };
        changed = true;
        return new Refused('recovery_refused', 'a newer charter appeared');
      },
    });
    const ran = await binnacle(['recover', '--data', node.data], typing(words, words));
    expect(ran.code).toBe(0);
    expect(ran.err).toContain('What is known has changed');
    expect(ran.out).toContain('It cannot be excluded.');
    expect(ran.out).toContain('taken: newest 0.4.n-1');
  });

  it('by a script is bound to what the script saw, and never confirmed anew for it', async () => {
    const bodies: unknown[] = [];
    await using node = await fakeNode({
      recovery: () => madeEvidence(),
      recover: ({ body }) => {
        bodies.push(body);
        return new Refused('recovery_refused', 'ctl-a is declared lost, but alive');
      },
    });
    const asked = [
      'recover',
      '--yes',
      '--lost',
      'ctl-a',
      '--lost',
      'n-3',
      '--statement',
      'seen by Ada',
      '--data',
      node.data,
    ];
    const stale = await binnacle([...asked, '--evidence', 'older']);
    expect(stale).toMatchObject({ code: 3, err: expect.stringContaining('nothing was confirmed') });
    expect(bodies).toEqual([]);
    const ran = await binnacle([...asked, '--evidence', madeEvidence().evidence]);
    expect(ran).toMatchObject({ code: 3, err: expect.stringContaining('but alive') });
    // deck-17 answers: only who says so knowingly declares a node lost that is there (P32).
    expect(bodies).toEqual([
      { evidence: madeEvidence().evidence, lost: ['n-1#aa', 'n-3#cc'], statement: 'seen by Ada', chosen: true },
    ]);
    expect(await binnacle(['recover', '--yes', '--lost', 'cirrus', '--data', node.data])).toMatchObject({
      code: 2,
      err: expect.stringContaining('ctl-a, deck-17'),
    });
  });

  it('is only looked at with --show and with --json, and refused where it is not possible', async () => {
    const evidence = madeEvidence({ possible: false, why: 'ctl-a is active and answers.', nodes: [], suggested: [] });
    await using node = await fakeNode({ recovery: () => evidence });
    expect(await binnacle(['recover', '--show', '--data', node.data])).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse((await binnacle(['recover', '--json', '--data', node.data])).out)).toEqual(evidence);
    const ran = await binnacle(['recover', '--data', node.data], typing(words));
    expect(ran).toMatchObject({ code: 3, err: expect.stringContaining('ctl-a is active and answers.') });
    expect(node.seen.map((each) => each.route)).toEqual(['recovery', 'recovery', 'recovery']);
  });
});

describe('quarantine', () => {
  it('lists page after page, and exports whole entries', async () => {
    await using node = await fakeNode({
      quarantine: ({ query }) =>
        query.after === undefined
          ? { entries: [madeQuarantined()], more: true }
          : { entries: [madeQuarantined({ id: query.after + 1, index: 4652, at: null })], more: false },
    });
    const { out } = await binnacle(['quarantine', '--data', node.data]);
    expect(out).toMatch(/^ENTRY +TERM +WHAT/);
    expect(out).toMatch(/4651 .*runLaunched/);
    expect(out).toContain('4652');
    const exported = await binnacle(['quarantine', '--json', '--data', node.data]);
    expect((JSON.parse(exported.out) as { entries: unknown[] }).entries).toEqual([
      madeQuarantined(),
      madeQuarantined({ id: 2, index: 4652, at: null }),
    ]);
  });
});

describe('a task whose worker is silent', () => {
  const lost = madeTask({ id: 'load', name: 'load', state: 'unknown', attempts: [madeAttempt({ state: 'lost' })] });

  it('is shown with the command that decides, and decided by a word', async () => {
    const asked: unknown[] = [];
    await using node = await fakeNode({
      run: () => madeRun({ tasks: [lost] }),
      decideTask: ({ params, body }) => {
        asked.push([params, body]);
        return madeRun();
      },
    });
    const { out } = await binnacle(['run', 'r-42', '--data', node.data]);
    expect(out).toContain('binnacle decide r-42 load again|succeeded|failed');
    const ran = await binnacle(['decide', 'r-42', 'load', 'again', '--data', node.data]);
    expect(ran).toMatchObject({ code: 0, out: expect.stringContaining('the work is done twice') });
    expect(asked).toEqual([[{ run: 'r-42', task: 'load' }, { decision: 'again' }]]);
    expect(node.seen.at(-1)?.key).toBeTruthy();
  });

  it('keeps who follows informed, and its output is gone on with when it is back', async () => {
    let back = false;
    let told = 0;
    const ended = madeTask({
      id: 'load',
      name: 'load',
      state: 'succeeded',
      attempts: [madeAttempt({ state: 'succeeded', endedAt: at, exitCode: 0, outputBytes: 5 })],
    });
    await using node = await fakeNode({
      run: () => {
        told += 1;
        if (told > 4) back = true;
        return back ? madeRun({ state: 'succeeded', tasks: [ended], endedAt: at }) : madeRun({ tasks: [lost] });
      },
      log: ({ response, query }) => {
        if (!back) return new Refused('node_unreachable', 'ember does not answer.');
        response.writeHead(200).end('done\n'.slice(Number(query.offset ?? 0)));
        return written;
      },
    });
    const ran = await binnacle(['logs', '-f', 'r-42', '--data', node.data]);
    expect(ran).toMatchObject({ code: 0, out: 'done\n' });
    expect(ran.err.match(/binnacle decide r-42 load again/g)).toHaveLength(1);
    expect(ran.err.match(/The output of load waits: ember does not answer/g)).toHaveLength(1);
  });
});

describe('acts of this computer', () => {
  it('join gives the act what was asked and says how to go on', async () => {
    const given: unknown[] = [];
    const join = async (o: object): Promise<JoinedNode> => {
      given.push(o);
      return { cluster: 'lab', node: 'borea', duties: ['controller', 'worker'], fingerprint: 'cd'.repeat(32) };
    };
    const asked = ['join', 'bn1-abc', '--name', 'borea'];
    const ran = await binnacle([...asked, '--data', '/d'], { acts: { join } });
    expect(ran.out).toContain('"borea" has joined the cluster "lab" as controller and worker.');
    expect(ran.out).toContain('Start it: binnacle node --data /d --listen');
    const { out } = await binnacle(['join', 'bn1-abc', '--json', '--data', '/d'], { acts: { join } });
    expect(JSON.parse(out)).toMatchObject({ node: 'borea', data: '/d' });
    expect(given).toEqual([
      { data: '/d', code: 'bn1-abc', name: 'borea' },
      { data: '/d', code: 'bn1-abc' },
    ]);
  });

  it('demo has five nodes unless told otherwise, and node is told where others reach it', async () => {
    const given: unknown[] = [];
    const acts: Partial<LocalActs> = {
      demo: async ({ nodes }) => {
        given.push(nodes);
        return 0;
      },
      node: async ({ peers }) => {
        given.push(peers);
        return 0;
      },
    };
    await binnacle(['demo'], { acts });
    await binnacle(['demo', '--nodes', '1'], { acts });
    await binnacle(['node', '--data', '/d'], { acts });
    await binnacle(['node', '--data', '/d', '--peers', '[::]:7500'], { acts });
    expect(given).toEqual([5, 1, null, '[::]:7500']);
  });
});
