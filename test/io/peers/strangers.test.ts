/** Who is let in: members that prove it, and nobody else, from the moment they are none. */
import { X509Certificate } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  createServer,
  type SecureContextOptions,
  type TLSSocket,
} from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { signAgain } from '../../../node-runtime/io/trust/certificates.ts';
import {
  certifiedBy,
  type Identity,
  identityFrom,
  makeJoinRequest,
  makeNextAuthority,
  renewBy,
  signJoinRequest,
  trusting,
  trustOf,
} from '../../../node-runtime/io/trust/identity.ts';
import { closeNodes, founder, joined, type Node, openNode, pair, until } from './support.ts';

afterEach(closeNodes);

const DAY_MS = 86_400_000;
const FRAMED = 'binnacle/1';

/** Connects with these papers and writes a message: was anything heard back before it was cut? */
type Heard = 'answered' | 'sent away' | 'refused';
async function knock(to: Node, more: ConnectionOptions): Promise<Heard> {
  const socket = connect({
    ...{ host: '127.0.0.1', port: to.peers.port!, ALPNProtocols: [FRAMED], rejectUnauthorized: false },
    ...more,
  });
  const result = new Promise<Heard>((done) => {
    const hear = (data: Buffer) => done(data.includes('you are no member') ? 'sent away' : 'answered');
    socket.on('data', hear).on('close', () => done('refused'));
  });
  socket.on('error', () => {});
  const text = '{"message":"let me in"}';
  socket.write(Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]));
  const said = await result;
  socket.destroy();
  return said;
}

const papers = ({ authority, node }: Identity, more: SecureContextOptions = {}): ConnectionOptions => ({
  secureContext: createSecureContext({ ca: authority.cert, cert: node.cert, key: node.key, ...more }),
});

/** The same node with a certificate that ended three days ago. */
async function expired(identity: Identity, authority: Identity): Promise<Identity> {
  const by = authority.authority as { cert: string; key: string };
  const of = { nodeName: 'old', nodeId: identity.nodeId, hosts: ['localhost'] };
  const cert = await signAgain(by, identity.node.cert, of, Date.now() - 400 * DAY_MS);
  return identityFrom({ ...identity, node: { cert, key: identity.node.key } });
}

describe('a listener for nodes', () => {
  test('lets in a member, with its certificate', async () => {
    const idA = await founder();
    const idB = await joined(idA, 'n-b');
    const a = await openNode(idA, { members: [{ node: 'n-b', addresses: [] }] });
    expect(await knock(a, papers(idB))).toBe('answered');
    await until('it is heard', () => a.heard.length === 1);
    expect(a.heard[0]).toMatchObject({ from: 'n-b', message: 'let me in' });
  });

  test('refuses who shows no certificate, one of another authority, one that has ended, or one of a person', async () => {
    const idA = await founder();
    const idB = await joined(idA, 'n-b');
    const a = await openNode(idA, { members: [{ node: 'n-b', addresses: [] }] });
    const stranger = await joined(await founder(), 'n-b');
    const late = await expired(idB, idA);
    expect(await knock(a, {})).toBe('refused');
    expect(await knock(a, papers(stranger))).toBe('refused');
    expect(await knock(a, papers(late))).toBe('refused');
    expect(await knock(a, papers(idB, { maxVersion: 'TLSv1.2' }))).toBe('refused');
    expect(await knock(a, { ...papers(idB), ALPNProtocols: ['h2'] })).toBe('refused');
    expect(await knock(a, { ...papers(idB), ALPNProtocols: [] })).toBe('refused');
    expect([a.heard, a.happened]).toEqual([[], []]);
    // It was the papers, not the way.
    expect(await knock(a, papers(idB))).toBe('answered');
  });

  test('refuses the certificate of a member that is copied without its key, and one for another key by the same authority', async () => {
    const idA = await founder();
    const idB = await joined(idA, 'n-b');
    // Whoever has got hold of the authority's key can make this one.
    const forged = await joined(idA, 'n-b');
    const { key } = trustOf(idB);
    const a = await openNode(idA, { members: [{ node: 'n-b', key, addresses: [] }] });
    expect(() => papers({ ...idB, node: { cert: idB.node.cert, key: forged.node.key } })).toThrow(
      /key values mismatch/,
    );
    expect(await knock(a, papers(forged))).toBe('refused');
    expect(a.logged.join()).toContain('n-b with another key than the one that n-b joined with');
    expect([a.heard, a.happened]).toEqual([[], []]);
    expect(await knock(a, papers(idB))).toBe('answered');
  });

  test('calls no node that shows another key than the one it joined with', async () => {
    const idA = await founder();
    const [idB, forged] = [await joined(idA, 'n-b'), await joined(idA, 'n-b')];
    const b = await openNode(forged, { members: [{ node: 'n-a', addresses: [] }] });
    const known = { ...b.member, key: trustOf(idB).key };
    const a = await openNode(idA, { members: [known], keep: ['n-b'] });
    await until('it is seen', () => a.logged.join().includes('with another key'));
    expect([a.peers.status('n-b').connected, b.heard, a.happened]).toEqual([false, [], []]);
  });

  test('trusts two authorities while one takes the place of the other, and cuts those of the old one after', async () => {
    const idA = await founder();
    const idB = await joined(idA, 'n-b');
    const next = await makeNextAuthority(idA);
    const both = [idA.authority.cert, next.next!.cert];
    const nextA = await renewBy(trusting(next, both), next.next!, ['localhost'], Date.now());
    const wanted = { limits: { peerRetireMs: 300 } };
    const a = await openNode(nextA, { members: [{ node: 'n-b', addresses: [] }], ...wanted });
    const b = await openNode(trusting(idB, both), { members: [a.member], keep: ['n-a'], ...wanted });
    await until('they are connected', () => b.peers.status('n-a').connected);
    // A certificate by the new one for B: it stays connected, the old connection is made anew.
    const { request } = await makeJoinRequest(idB.node.key);
    const of = { nodeName: 'n-b', nodeId: 'n-b', hosts: ['localhost'] };
    const cert = await signJoinRequest(next.next!, request, of);
    const renewedB = certifiedBy(trusting(idB, both), { cert: next.next!.cert }, cert);
    b.peers.useIdentity(renewedB);
    expect(a.happened).toEqual(['+n-b']);
    // One that B made while the old authority was good, and kept alive.
    const old = connect({
      ...{ host: '127.0.0.1', port: a.peers.port!, ALPNProtocols: [FRAMED], rejectUnauthorized: false },
      ...papers(trusting(idB, both)),
    });
    old.resume().on('error', () => {});
    await new Promise((done) => old.once('secureConnect', done));
    a.peers.useIdentity(trusting(nextA, [next.next!.cert]));
    b.peers.useIdentity(trusting(renewedB, [next.next!.cert]));
    expect(await knock(a, papers(idB))).toBe('refused');
    expect(await knock(a, papers(renewedB))).toBe('answered');
    await until('what the old one proved is cut', () => old.destroyed);
    expect([a.peers.status('n-b').connected, b.peers.status('n-a').connected]).toEqual([true, true]);
    expect(a.happened).toEqual(['+n-b']);
  });

  test('tells a node of this authority that it is no member, hears nothing of it, until it is one', async () => {
    const idA = await founder();
    const idB = await joined(idA, 'n-b');
    const a = await openNode(idA);
    expect(await knock(a, papers(idB))).toBe('sent away');
    expect(await knock(a, papers(idB))).toBe('sent away');
    expect([a.heard, a.happened]).toEqual([[], []]);
    expect(a.logged.filter((line) => line.includes('n-b is no member'))).toHaveLength(1);
    a.peers.setMembers([{ node: 'n-b', addresses: [] }], []);
    expect(await knock(a, papers(idB))).toBe('answered');
  });

  test('refuses its own id, whoever shows it', async () => {
    const idA = await founder();
    const a = await openNode(idA, { members: [{ node: 'n-a', addresses: [] }] });
    expect(await knock(a, papers(idA))).toBe('refused');
  });

  test('refuses a resumed session: its certificate was looked at some other time', async () => {
    const idA = await founder();
    const idB = await joined(idA, 'n-b');
    const a = await openNode(idA, { members: [{ node: 'n-b', addresses: [] }] });
    const first = connect({
      ...papers(idB),
      host: '127.0.0.1',
      port: a.peers.port!,
      ALPNProtocols: [FRAMED],
      rejectUnauthorized: false,
    });
    const session = await new Promise<Buffer>((done) => first.once('session', done));
    first.destroy();
    expect(await knock(a, { ...papers(idB), session })).toBe('refused');
  });

  test('cuts who begins no handshake, and holds only so many of them', async () => {
    const idA = await founder();
    const limits = { peerHandshakeMs: 1_000, peerHandshakesPerAddressMax: 3 };
    const a = await openNode(idA, { limits });
    const open = new Set<number>();
    for (let number = 0; number < 6; number++) {
      open.add(number);
      const socket = connectTcp(a.peers.port!, '127.0.0.1').on('error', () => {});
      socket.on('close', () => open.delete(number)).resume();
      await new Promise((done) => socket.once('connect', done));
    }
    await until('those beyond the bound are cut', () => open.size === 3, 900);
    expect([...open]).toEqual([0, 1, 2]);
    await until('the others are cut in time', () => open.size === 0);
    const idB = await joined(idA, 'n-b');
    a.peers.setMembers([{ node: 'n-b', addresses: [] }], []);
    expect(await knock(a, papers(idB))).toBe('answered');
  });
});

describe('who dials', () => {
  test('does not talk to another member that answers at the address, and says so once', async () => {
    const idA = await founder();
    const b = await openNode(await joined(idA, 'n-b'), { members: [{ node: 'n-a', addresses: [] }] });
    const members = [{ node: 'n-c', addresses: b.member.addresses }];
    const a = await openNode(idA, { members, keep: ['n-c'] });
    const said = () => a.logged.filter((line) => line.includes('n-b answered where n-c was called'));
    await until('it is said', () => said().length > 0);
    await expect(a.peers.request('n-c', { method: 'GET', path: '/' })).rejects.toMatchObject({ sent: false });
    expect(said()).toHaveLength(1);
    expect([a.happened, b.happened, a.peers.status('n-c').connected]).toEqual([[], [], false]);
  });

  test.each(['another authority', 'a certificate that has ended', 'another protocol'])(
    'does not talk to a listener of %s',
    async (what) => {
      const idA = await founder();
      const idB = await joined(idA, 'n-b');
      const other = await joined(await founder(), 'n-b');
      const shown = what === 'another authority' ? other : what.startsWith('a cert') ? await expired(idB, idA) : idB;
      const heard: string[] = [];
      const { authority, node } = shown;
      const server = createServer(
        {
          ca: authority.cert,
          cert: node.cert,
          key: node.key,
          ALPNProtocols: what === 'another protocol' ? ['h2'] : ['http/1.1', FRAMED],
        },
        (socket: TLSSocket) => void socket.on('data', (piece) => heard.push(String(piece))).on('error', () => {}),
      ).listen(0, '127.0.0.1');
      await new Promise((done) => server.once('listening', done));
      const { port } = server.address() as { port: number };
      const members = [{ node: 'n-b', addresses: [`127.0.0.1:${port}`] }];
      const a = await openNode(idA, { members, keep: ['n-b'] });
      await expect(
        a.peers.request('n-b', { method: 'POST', path: '/', body: Buffer.from('secret') }),
      ).rejects.toMatchObject({ sent: false, message: expect.stringMatching(/n-b cannot be reached/) });
      expect([a.peers.status('n-b').connected, heard.join('')]).toEqual([false, '']);
      await a.peers.close();
      server.close();
    },
  );
});

describe('a member that is one no more', () => {
  test('is cut at once, and refused when it comes back', async () => {
    const [a, b] = await pair();
    a.peers.send('n-b', 'before');
    await until('it is heard', () => b.heard.length === 1);
    a.peers.setMembers([], []);
    expect(a.peers.status('n-b').connected).toBe(false);
    expect(a.peers.send('n-b', 'after')).toBe(false);
    b.peers.send('n-a', 'from the removed');
    await until('the other side sees it', () => !b.peers.status('n-a').connected);
    b.peers.setMembers([a.member], ['n-a']);
    await until('it was refused', () => a.logged.some((line) => line.includes('n-b is no member')));
    expect(a.heard).toEqual([]);
    expect(a.happened).toEqual(['+n-b', '-n-b It is no member of this cluster any more.']);
    expect(b.happened.slice(0, 2)).toEqual(['+n-a', expect.stringMatching(/^-n-a /)]);
    // It is told so, and nothing else.
    await until('it is told', () => b.heard.length > 1);
    expect(new Set(b.heard.slice(1).map((one) => one.message))).toEqual(new Set(['you are no member']));
  });

  test('may become one again', async () => {
    const [a, b] = await pair();
    a.peers.setMembers([], []);
    a.peers.setMembers([b.member], ['n-b']);
    await until('it is connected again', () => a.peers.status('n-b').connected && b.peers.status('n-a').connected);
    a.peers.send('n-b', 'again');
    await until('it is heard', () => b.heard.length === 1);
  });
});

test('a renewed certificate is used from the next connection on, the old connections stay', async () => {
  const [a, b] = await pair();
  const renewed = await joined(a.identity, 'n-b');
  b.peers.useIdentity(renewed);
  expect(a.peers.send('n-b', 'still')).toBe(true);
  await until('it is heard', () => b.heard.length === 1);
  a.peers.setMembers([], []);
  a.peers.setMembers([b.member], ['n-b']);
  await until('it is connected again', () => a.peers.status('n-b').connected);
  const shown = await new Promise<string>((done, failed) => {
    const socket = connect({
      ...papers(a.identity),
      host: '127.0.0.1',
      port: b.peers.port!,
      ALPNProtocols: [FRAMED],
      rejectUnauthorized: false,
    });
    socket
      .on('secureConnect', () => done(String(socket.getPeerX509Certificate()!.raw.toString('hex'))))
      .on('error', failed);
  });
  expect(shown).toBe(new X509Certificate(renewed.node.cert).raw.toString('hex'));
});
