/**
 * "What happened": one plain sentence for each entry worth telling.
 *
 * Most entries are not (a task started, a file was saved by hand a moment
 * ago); what a person would want to read in the morning is. Each part of the
 * core words its own facts; this file words those of the cluster itself.
 */
import type { Entry, Loss } from '../contract/facts.ts';
import type { Happening } from '../contract/model.ts';
import { jobHappening } from './jobs/happening.ts';
import type { Jobs } from './jobs/jobs.ts';
import type { Members } from './members/members.ts';

/** What words need of the state. */
type Told = { jobs: Jobs; members: Members };

/** The state already holds the entry. It says which sandbox it is about, since not everybody may know of each. */
export function happeningOf(state: Told, entry: Entry): Happening | null {
  const happening = inWords(state, entry);
  const sandbox = happening ? sandboxOf(state.jobs, entry.fact) : undefined;
  return happening && sandbox !== undefined ? { ...happening, sandbox } : happening;
}

function sandboxOf(jobs: Jobs, fact: Entry['fact']): string | undefined {
  if (fact.kind === 'sandboxCreated' || fact.kind === 'sandboxRemoved' || fact.kind === 'sandboxRightsChanged')
    return fact.name;
  if ('sandbox' in fact) return fact.sandbox;
  return 'run' in fact ? jobs.runs.get(fact.run)?.sandbox : undefined;
}

function inWords(state: Told, entry: Entry): Happening | null {
  const told = (tone: Happening['tone'], text: string, subject?: string): Happening => ({
    position: entry.index,
    at: new Date(entry.at).toISOString(),
    tone,
    text,
    ...(subject === undefined ? {} : { subject }),
  });
  const who = personOf(entry.by);
  const fact = entry.fact;
  const nameOf = (node: string): string => state.members.nodes.get(node)?.name ?? node;
  switch (fact.kind) {
    case 'clusterFounded':
      return told('brass', `${fact.nodeName} founded the cluster ${fact.name}`, fact.nodeName);
    case 'activated':
      return activated(fact, told, nameOf);
    case 'nodeJoined':
      return told('info', `${fact.name} joined as ${fact.duties.join(' and ')}`, fact.name);
    case 'joinRefused':
      return told('warn', `${fact.name}, which asked from ${fact.address}, was not let in by ${who}`, fact.name);
    case 'nodeRemoved':
      return told('warn', `A node was removed by ${who}`);
    case 'authorityAdded':
      return told('info', `${who} began to change the authority of the cluster: all nodes learn to trust the new one`);
    case 'authorityTurned':
      return told('info', 'All nodes trust the new authority: it signs from here on');
    case 'authoritySettled':
      return told('info', 'All nodes have new certificates: the old authority is trusted no more');
    case 'dutiesChanged': {
      const name = nameOf(fact.node);
      return told('info', `${name} is now ${fact.duties.join(' and ') || 'there without a duty'}, said ${who}`, name);
    }
    case 'nodeDrained': {
      const name = nameOf(fact.node);
      return told(
        'info',
        fact.drained ? `${name} gets no new tasks, said ${who}` : `${name} takes tasks again, said ${who}`,
        name,
      );
    }
    case 'watchAppointed': {
      const name = fact.node ? nameOf(fact.node) : '';
      return told(
        'info',
        name ? `${name} was appointed as watch by ${who}` : `No watch is preferred any more, said ${who}`,
        name,
      );
    }
    case 'nodeChanged':
      return fact.store && fact.node !== entry.term.node
        ? told('info', `${nameOf(fact.node)} has a memory of its own and waits for a seat`, nameOf(fact.node))
        : null;
    case 'versionEnabled':
      return told('info', `All nodes read version ${fact.version}: it is used from here on`);
    case 'attemptLost': {
      const node = nameOf(
        state.jobs.runs
          .get(fact.run)
          ?.tasks.flatMap((task) => task.attempts)
          .at(-1)?.node ?? '',
      );
      return {
        ...told('alarm', `${node} is silent: what became of ${fact.task} in ${fact.run} is unknown`, node),
        run: fact.run,
      };
    }
    case 'attemptAdopted':
      return told(
        'warn',
        `${nameOf(fact.node)} ran ${fact.task} of ${fact.run}, which this journal does not know`,
        nameOf(fact.node),
      );
    case 'sandboxCreated':
      return told('info', `${fact.name} was made by ${who}`, fact.name);
    case 'sandboxRemoved':
      return told('warn', `${fact.name} was removed by ${who}`, fact.name);
    case 'sandboxRightsChanged':
      return told(
        'info',
        fact.rights === null
          ? `${fact.name} is open to everybody by their role again, said ${who}`
          : `Who may what in ${fact.name} was changed by ${who}`,
        fact.name,
      );
    case 'userCreated':
      return told('info', `${fact.name} may sign in as ${fact.role}, added by ${who}`, fact.name);
    case 'userRemoved':
      return told('warn', `${fact.name} may no longer sign in, removed by ${who}`, fact.name);
    case 'tokenCreated':
      return fact.use === 'token'
        ? told('info', `Token ${fact.label} (${fact.role}) made by ${who}`, fact.label)
        : null;
    case 'secretSaved':
      return told(
        'info',
        fact.version === 1
          ? `Secret ${fact.name} was saved by ${who}`
          : `Secret ${fact.name} has a new value, saved by ${who}`,
        fact.name,
      );
    case 'secretRemoved':
      return told('warn', `Secret ${fact.name} was removed by ${who}`, fact.name);
    default:
      return jobHappening(state.jobs, entry);
  }
}

/** Who leads now, and what it may lack (P30). */
function activated(
  { charter, loss }: Extract<Entry['fact'], { kind: 'activated' }>,
  told: (tone: Happening['tone'], text: string, subject?: string) => Happening,
  nameOf: (node: string) => string,
): Happening {
  const name = nameOf(charter.active);
  const standby = charter.writeSet.map((text) => text.split('#')[0]!).find((node) => node !== charter.active);
  const beside = standby ? ` with ${nameOf(standby)} as standby` : '';
  const { claim } = charter;
  // The charter of a claim may never have acted: then the next one lists its loss.
  if (!claim && !loss) return told('brass', `${name} is active in term ${charter.term.number}${beside}`, name);
  const why = claim ? `${personOf(claim.by)} confirmed a loss` : 'a loss was confirmed';
  return told('alarm', `${name} is active after ${why}. ${loss ? lossInWords(loss) : ''}`.trim(), name);
}

export function lossInWords({ from, upTo, certain }: Loss): string {
  if (certain === 'none' || (upTo !== null && upTo < from)) return 'Nothing that was acknowledged is lost.';
  if (upTo === null) return `That acknowledged entries from ${from} on are lost cannot be excluded.`;
  return `At most ${upTo - from + 1} acknowledged entries are lost: ${from} to ${upTo}.`;
}

/** `user:ops` → ops; `token:ab12` → token ab12; the desktop and the node by those words. */
export function personOf(by: string): string {
  if (by.startsWith('user:')) return by.slice(5);
  if (by.startsWith('token:')) return `token ${by.slice(6)}`;
  return by === 'desktop' ? 'this computer' : by === 'node' ? 'the cluster' : by;
}
