/**
 * Words about what an act does before it is done, and what has to be typed.
 *
 * All words about danger are in this file, so that they can be read and
 * mended together. They promise only what the protocol promises; the node
 * still decides, and may refuse.
 */
import type { Cluster, Evidence, JoinRequest, Node, Secret, Task } from '../../node-runtime/contract/model.ts';
import type { BodyOf } from '../../node-runtime/contract/routes.ts';

/** A question before an act. `words` have to be typed; `reason` is asked for and kept. */
export type Ask = {
  title: string;
  text: string;
  points: readonly string[];
  confirm: string;
  keep: string;
  danger?: boolean;
  words?: string;
  reason?: string;
};

type Called = { active: string | null; standby: string | null };

export const askSwitchOver = ({ active, standby }: Called): Ask => ({
  title: `Let ${standby ?? 'the standby'} lead?`,
  text: `${active ?? 'The active'} hands the lead to ${standby ?? 'the standby'} and stands by itself.`,
  points: [
    'Nothing is lost: it hands over only when both hold the same entries.',
    'New requests wait a moment and are then answered; what runs, runs on.',
    'If the standby is not in step, the node refuses and says why.',
  ],
  confirm: 'Switch over',
  keep: 'Leave it',
});

export const askRotate = (): Ask => ({
  title: 'Change the authority of this cluster?',
  text: 'A new key signs the certificates of all nodes, and the old one is trusted no more. Do this when the old key may be in other hands: a controller was stolen, or a backup of its data folder.',
  points: [
    'Nothing stops: each step waits until every node has followed the one before.',
    'A node that is away is waited for. One that will not come back can be removed, then it goes on.',
    'Invites that are open end; make new ones afterwards.',
    'Programs that know a node by a fingerprint need the new one; browsers ask again.',
  ],
  confirm: 'Change the authority',
  keep: 'Leave it',
  danger: true,
});

export const askPark = (cluster: Pick<Cluster, 'name'>): Ask => ({
  title: `Stop ${cluster.name} for maintenance?`,
  text: 'Nobody leads until the stop is ended, and nobody takes over: not even if a machine fails.',
  points: [
    'Nothing new is accepted or started. Jobs that run, run on; their results are kept by their workers.',
    'The controller that is active now goes on by itself when its node is started again.',
    'At the other controller a person ends the stop with “Activate”; nothing is lost by that.',
  ],
  confirm: 'Stop for maintenance',
  keep: 'Keep it working',
  danger: true,
  reason: 'Why (everybody sees it until the stop ends)',
});

export const askActivate = (cluster: Pick<Cluster, 'thisNode' | 'parked'>): Ask => ({
  title: `Let ${cluster.thisNode.name} lead?`,
  text: `This ends the stop for maintenance${cluster.parked ? ` by ${cluster.parked.by} (${cluster.parked.why})` : ''}.`,
  points: [
    `${cluster.thisNode.name} holds every acknowledged entry, so nothing is lost.`,
    'If the work on the other controller is not finished, that one follows when it is back.',
  ],
  confirm: 'Activate',
  keep: 'Leave it stopped',
});

export const askWatch = (node: Pick<Node, 'name'>, now: string | null): Ask => ({
  title: `Make ${node.name} the watch?`,
  text: now
    ? `${now} is the watch now and becomes a spare.`
    : 'There is no watch now; with one, the loss of a controller is survived without a person.',
  points: [
    'A watch votes on who leads. It keeps no journal and needs no jobs.',
    'The seat is changed by agreement of those that vote now; until then all stays as it is.',
  ],
  confirm: 'Appoint',
  keep: 'Leave it',
});

export const askRemove = (node: Pick<Node, 'name' | 'roles' | 'tasksRunning'>): Ask => ({
  title: `Remove ${node.name} from the cluster?`,
  text: 'Its certificate is useless at once. To come back it needs a new invite.',
  points: [
    ...(node.tasksRunning > 0
      ? [
          `${node.tasksRunning === 1 ? 'One task runs' : `${node.tasksRunning} tasks run`} on it now. What becomes of ${node.tasksRunning === 1 ? 'it' : 'them'} will not be known: drain it first if you can.`,
        ]
      : []),
    ...(node.roles.includes('standby') ? ['It is the standby: without it nobody can take over.'] : []),
    ...(node.roles.includes('watch') ? ['It is the watch: a spare takes its seat, if there is one.'] : []),
    'What it did stays in the history.',
  ],
  confirm: 'Remove it',
  keep: 'Keep it',
  danger: true,
  words: node.name,
});

export const askRefuseJoin = ({ name, address }: Pick<JoinRequest, 'name' | 'address'>): Ask => ({
  title: `Not let ${name} in?`,
  text: `It asks from ${address}. It is told no; nothing of it is kept but a line in the journal.`,
  points: ['Whoever sits there may ask again, with other words.'],
  confirm: 'Refuse it',
  keep: 'Decide later',
  danger: true,
});

const RUNS_SAID = 3;
export function askRemoveSecret({ name, runs }: Pick<Secret, 'name' | 'runs'>): Ask {
  const more = runs.length > RUNS_SAID ? ` and ${runs.length - RUNS_SAID} more` : '';
  return {
    title: `Remove ${name}?`,
    text: 'Its value is gone for good: nobody can read it, and it cannot be brought back.',
    points: [
      runs.length > 0
        ? `${runs.slice(0, RUNS_SAID).join(', ')}${more} ${runs.length === 1 ? 'names' : 'name'} it: what of ${runs.length === 1 ? 'it' : 'them'} has not begun will fail. What runs now keeps the value.`
        : 'No run names it now.',
      'Job files that name it cannot be launched until there is a secret of that name again.',
    ],
    confirm: 'Remove it',
    keep: 'Keep it',
    danger: true,
    words: name,
  };
}

type Decision = BodyOf<'decideTask'>['decision'];
export function askDecision(decision: Decision, task: Pick<Task, 'name'>, worker: string): Ask {
  if (decision === 'again') {
    return {
      title: `Start ${task.name} again?`,
      text: `It is started on another worker as a new attempt, though ${worker} may still be running the first one.`,
      points: [
        `If ${worker} has only lost its network, the work of ${task.name} is then done twice.`,
        'Right when doing it twice does no harm, or when you know that the machine is off.',
      ],
      confirm: 'Start it again',
      keep: 'Wait for the worker',
      danger: true,
    };
  }
  const succeeded = decision === 'succeeded';
  return {
    title: `Count ${task.name} as ${succeeded ? 'succeeded' : 'failed'}?`,
    text: succeeded
      ? 'Tasks that need it are started as if it had ended well. Right when you have seen that its work is done.'
      : 'The run goes on as it does after any failed task: usually it ends as failed. Right when its work is not done and must not be done again.',
    points: [
      `Your decision stands, also if ${worker} comes back later and says otherwise.`,
      ...(succeeded ? ['If its work is not done, what comes after it works on missing results.'] : []),
    ],
    confirm: succeeded ? 'It succeeded' : 'It failed',
    keep: 'Wait for the worker',
  };
}

const namesOf = (evidence: Evidence, lost: readonly string[]): string =>
  lost.map((voter) => evidence.nodes.find((node) => node.voter === voter)?.name ?? voter).join(' and ');

/** What only a person can know, as the sentence that has to be typed; the command line asks for the same. */
export function statementOf(evidence: Evidence, lost: readonly string[]): string {
  if (lost.length === 0) return `${evidence.candidate.name} shall continue`;
  return `I have seen that ${namesOf(evidence, lost)} ${lost.length === 1 ? 'is' : 'are'} off`;
}

export function askRecovery(evidence: Evidence, lost: readonly string[]): Ask {
  const names = namesOf(evidence, lost);
  return {
    title:
      lost.length === 0
        ? `Let ${evidence.candidate.name} continue?`
        : `Confirm that ${names} ${lost.length === 1 ? 'is' : 'are'} lost?`,
    text: evidence.danger,
    points: [
      evidence.loss,
      ...(evidence.opensEra
        ? [`No majority of the voters is left: ${evidence.candidate.name} begins a new era as the only voter.`]
        : []),
      'Written to the journal for ever: your name, the time, your words and the evidence on this page.',
    ],
    confirm: 'Confirm the loss',
    keep: 'Do nothing',
    danger: true,
    words: statementOf(evidence, lost),
  };
}

/** Case and spaces between words do not count. */
export const sameWords = (a: string, b: string): boolean => folded(a) === folded(b);
const folded = (text: string): string => text.trim().replace(/\s+/g, ' ').toLowerCase();
