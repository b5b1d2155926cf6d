import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Identity, makeIdentity } from '../../../node-runtime/io/trust/identity.ts';
import { makeParkingCode, readParkingCode } from '../../../node-runtime/io/trust/parking-code.ts';

const named = { clusterName: 'harbour', clusterId: 'c-1', nodeName: 'ctl-a', nodeId: 'n-a' };

describe('a parking code (PROTOCOL section 9)', () => {
  let ours: Identity;
  let others: Identity;
  beforeAll(async () => {
    ours = await makeIdentity({ ...named, hosts: ['localhost'] });
    others = await makeIdentity({ ...named, nodeId: 'n-b', hosts: ['localhost'] });
  });
  const parked = (of: Identity) => ({
    cluster: of.clusterId,
    voter: `${of.nodeId}#0a1b2c3d`,
    term: { era: 0, number: 12, node: of.nodeId },
    end: { index: 40, term: { era: 0, number: 3, node: of.nodeId }, chain: 'c'.repeat(64) },
  });

  it('says what the node signed', () => {
    expect(readParkingCode(makeParkingCode(ours, parked(ours)), [ours.authority.cert])).toEqual(parked(ours));
  });

  it('is refused of another authority, of another node than it says, and in another shape', () => {
    expect(readParkingCode(makeParkingCode(others, parked(others)), [ours.authority.cert])).toBeNull();
    expect(readParkingCode(makeParkingCode(ours, parked(others)), [ours.authority.cert])).toBeNull();
    const odd = { ...parked(ours), end: { index: -1, term: 'newest', chain: 7 } };
    expect(readParkingCode(makeParkingCode(ours, odd as never), [ours.authority.cert])).toBeNull();
  });

  it('is refused with any part altered, cut off or made up', () => {
    const code = makeParkingCode(ours, parked(ours));
    const parts = code.split('.');
    for (const index of parts.keys()) {
      const altered = [...parts];
      altered[index] = randomBytes(64).toString('base64url');
      expect(readParkingCode(altered.join('.'), [ours.authority.cert]), `part ${index}`).toBeNull();
      expect(readParkingCode(parts.slice(0, index).join('.'), [ours.authority.cert])).toBeNull();
    }
    expect(readParkingCode('x'.repeat(8_001), [ours.authority.cert])).toBeNull();
  });
});
