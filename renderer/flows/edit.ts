/**
 * Editing one text file, as steps: reading, writing, saving, and what to do
 * when somebody else saved first.
 *
 * Nothing is ever overwritten unseen: a save carries the etag the text was
 * based on, and a refusal (412) brings both texts before the person, who
 * chooses. Pure: state and an event give the next state.
 */
export type EditState =
  | { phase: 'open'; text: string; saved: string; etag: string }
  | { phase: 'saving'; text: string; saved: string; etag: string; sent: string }
  | { phase: 'conflict'; text: string; saved: string; etag: string; theirs: string; theirsEtag: string };

export type EditEvent =
  | { kind: 'typed'; text: string }
  | { kind: 'saveAsked' }
  | { kind: 'saved'; etag: string }
  | { kind: 'saveFailed' }
  | { kind: 'foundChanged'; theirs: string; theirsEtag: string }
  | { kind: 'kept'; whose: 'mine' | 'theirs' | 'both' };

export const beginEdit = (text: string, etag: string): EditState => ({ phase: 'open', text, saved: text, etag });
export const isDirty = (state: EditState): boolean => state.text !== state.saved;

export function edited(state: EditState, event: EditEvent): EditState {
  switch (event.kind) {
    case 'typed':
      return { ...state, text: event.text };
    case 'saveAsked':
      return state.phase === 'open'
        ? { phase: 'saving', text: state.text, saved: state.saved, etag: state.etag, sent: state.text }
        : state;
    case 'saved':
      // What was typed while the save was on its way stays unsaved.
      return state.phase === 'saving'
        ? { phase: 'open', text: state.text, saved: state.sent, etag: event.etag }
        : state;
    case 'saveFailed':
      return state.phase === 'saving'
        ? { phase: 'open', text: state.text, saved: state.saved, etag: state.etag }
        : state;
    case 'foundChanged':
      return {
        phase: 'conflict',
        text: state.text,
        saved: state.saved,
        etag: state.etag,
        theirs: event.theirs,
        theirsEtag: event.theirsEtag,
      };
    case 'kept':
      return state.phase === 'conflict' ? resolved(state, event.whose) : state;
  }
}

function resolved(state: Extract<EditState, { phase: 'conflict' }>, whose: 'mine' | 'theirs' | 'both'): EditState {
  const based = { phase: 'open' as const, saved: state.theirs, etag: state.theirsEtag };
  if (whose === 'theirs') return { ...based, text: state.theirs };
  if (whose === 'mine') return { ...based, text: state.text };
  return {
    ...based,
    text: `<<<<<<< mine\n${state.text.replace(/\n?$/, '\n')}=======\n${state.theirs.replace(/\n?$/, '\n')}>>>>>>> theirs\n`,
  };
}
