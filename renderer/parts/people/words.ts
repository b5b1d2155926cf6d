/** What each role may do, in words. The node decides; this only explains. */
import type { Role } from '../../../node-runtime/contract/model.ts';

export const roles: { value: Role; label: string; hint: string }[] = [
  { value: 'viewer', label: 'Viewer', hint: 'Looks at everything.' },
  { value: 'operator', label: 'Operator', hint: 'Also changes files, launches and cancels.' },
  { value: 'admin', label: 'Admin', hint: 'Also manages people and tokens.' },
];
