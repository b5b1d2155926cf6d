/**
 * Who did something, and what each role may do, in words. The node decides;
 * this only explains.
 */
import type { Role, TokenScope } from '../../../node-runtime/contract/model.ts';
import { sayRights } from './rights.ts';

export const roles: { value: Role; label: string; hint: string }[] = [
  { value: 'viewer', label: 'Viewer', hint: 'Looks at everything.' },
  { value: 'operator', label: 'Operator', hint: 'Also changes files, launches and cancels.' },
  { value: 'admin', label: 'Admin', hint: 'Also manages people, tokens and nodes.' },
];

/** What a token is limited to: "only lab: read and launch". */
export const sayScope = ({ sandboxes }: TokenScope): string =>
  `only ${sandboxes.map(({ name, may }) => `${name}: ${sayRights(may)}`).join('; ')}`;

/** Who did it, as the node writes it (`user:ops`, `token:ab12`, `desktop`, `node`) → as people say it. */
export function sayWho(by: string): string {
  if (by.startsWith('user:')) return by.slice(5);
  if (by.startsWith('token:')) return `token ${by.slice(6)}`;
  return by === 'desktop' ? 'this computer' : by === 'node' ? 'the cluster' : by;
}

/** Who stopped the cluster: "this computer" could be another one than the reader's. */
export const sayStopper = (by: string): string => (by === 'desktop' ? 'somebody at a node' : sayWho(by));
