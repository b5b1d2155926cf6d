/**
 * The code editor: CodeMirror in a shadow root, in our colours.
 *
 * In a shadow root its style sheets are adopted, not inserted, which the page's
 * policy allows. Loaded only when a text is shown (see Code.svelte).
 */
import { autocompletion, closeBrackets, closeBracketsKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import {
  bracketMatching,
  foldGutter,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from '@codemirror/language';
import { type Diagnostic, lintGutter, setDiagnostics } from '@codemirror/lint';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { Compartment, EditorState, type Extension } from '@codemirror/state';
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { highlighterOf } from './languages.ts';

export type Mark = {
  line?: number | undefined;
  column?: number | undefined;
  sentence: string;
  hint?: string | undefined;
};

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword], color: 'var(--standby)' },
  {
    tag: [tags.propertyName, tags.definition(tags.propertyName), tags.attributeName, tags.tagName],
    color: 'var(--info)',
  },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'var(--ok)' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: 'var(--brass)' },
  { tag: [tags.comment, tags.meta, tags.processingInstruction], color: 'var(--text-3)', fontStyle: 'italic' },
  {
    tag: [tags.function(tags.variableName), tags.standard(tags.variableName), tags.typeName, tags.className],
    color: 'var(--warn)',
  },
  { tag: [tags.variableName, tags.name], color: 'var(--text)' },
  { tag: [tags.punctuation, tags.separator, tags.bracket, tags.operator], color: 'var(--text-2)' },
  { tag: tags.inserted, color: 'var(--ok)' },
  { tag: tags.deleted, color: 'var(--alarm)' },
  { tag: tags.invalid, color: 'var(--alarm)' },
]);

const look = EditorView.theme({
  '&': { height: '100%', fontSize: '12px', color: 'var(--text)', backgroundColor: 'var(--bg)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': {
    fontFamily: 'var(--font-mono)',
    lineHeight: '1.6',
    scrollbarWidth: 'thin',
    scrollbarColor: 'var(--line) transparent',
  },
  '.cm-content': { padding: '10px 0', caretColor: 'var(--brass)' },
  '.cm-line': { padding: '0 12px 0 6px' },
  '.cm-gutters': { backgroundColor: 'var(--bg)', color: 'var(--text-3)', border: 'none' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--panel-2) 60%, transparent)' },
  '.cm-activeLineGutter': { backgroundColor: 'transparent', color: 'var(--text)' },
  '.cm-cursor': { borderLeftColor: 'var(--brass)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'color-mix(in srgb, var(--brass) 28%, transparent)',
  },
  '.cm-matchingBracket': {
    backgroundColor: 'color-mix(in srgb, var(--ok) 25%, transparent) !important',
    color: 'inherit',
  },
  '.cm-tooltip, .cm-panels': {
    backgroundColor: 'var(--panel)',
    color: 'var(--text)',
    border: '1px solid var(--line)',
    fontFamily: 'var(--font-ui)',
  },
  '.cm-diagnostic': { padding: '6px 10px', borderLeft: '3px solid var(--alarm)', fontSize: '12.5px' },
  '.cm-lintRange-error': {
    backgroundImage: 'none',
    textDecoration: 'underline wavy var(--alarm) 1px',
    textUnderlineOffset: '3px',
  },
  '.cm-lint-marker-error': {
    content: '""',
    width: '8px',
    height: '8px',
    borderRadius: '50%',
    backgroundColor: 'var(--alarm)',
    margin: '5px 2px',
  },
  '.cm-panel.cm-search': { padding: '8px' },
  '.cm-textfield': { backgroundColor: 'var(--bg)', border: '1px solid var(--line)', color: 'var(--text)' },
  '.cm-button': {
    backgroundImage: 'none',
    backgroundColor: 'var(--panel-2)',
    border: '1px solid var(--line)',
    color: 'var(--text)',
  },
});

export type CodeView = {
  view: EditorView;
  setText(text: string): void;
  setLanguage(language: string): Promise<void>;
  setMarks(marks: readonly Mark[]): void;
  goTo(line: number, column: number): void;
  destroy(): void;
};

const rangeOf = (state: EditorState, mark: Mark): Diagnostic => {
  const line = state.doc.line(Math.max(1, Math.min(state.doc.lines, mark.line ?? 1)));
  const from = Math.min(line.to, line.from + Math.max(0, (mark.column ?? 1) - 1));
  const word = /^[^\s,:[\]{}]+/.exec(line.text.slice(from - line.from))?.[0].length ?? 0;
  const to = mark.column ? Math.min(line.to, from + Math.max(1, word)) : line.to;
  return {
    from,
    to: Math.max(from, to),
    severity: 'error',
    message: mark.hint ? `${mark.sentence} ${mark.hint}` : mark.sentence,
  };
};

const asked = (todo: (() => void) | undefined): boolean => {
  todo?.();
  return true;
};
/** After Escape, Tab leaves the editor for two seconds instead of indenting. */
const tabLeaves = (view: EditorView): boolean => {
  view.setTabFocusMode(2_000);
  return false;
};

export function showCode(
  root: ShadowRoot,
  of: { label: string; text: string; readOnly: boolean; onchange?: (text: string) => void; onsave?: () => void },
): CodeView {
  const language = new Compartment();
  const writing: Extension = of.readOnly
    ? [EditorState.readOnly.of(true)]
    : [
        history(),
        closeBrackets(),
        indentOnInput(),
        autocompletion(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        lintGutter(),
        keymap.of([
          { key: 'Mod-s', preventDefault: true, run: () => asked(of.onsave) },
          { key: 'Escape', run: tabLeaves },
          ...closeBracketsKeymap,
          ...historyKeymap,
          indentWithTab,
        ]),
      ];
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: of.text,
      extensions: [
        lineNumbers(),
        foldGutter(),
        drawSelection(),
        bracketMatching(),
        highlightSelectionMatches(),
        indentUnit.of('  '),
        EditorState.tabSize.of(2),
        syntaxHighlighting(colours),
        look,
        language.of([]),
        writing,
        keymap.of([...searchKeymap, ...defaultKeymap]),
        EditorView.contentAttributes.of({ 'aria-label': of.label, spellcheck: 'false' }),
        EditorView.updateListener.of((update) => update.docChanged && of.onchange?.(update.state.doc.toString())),
      ],
    }),
  });
  // What scrolls can be reached by keyboard, also where nothing is written.
  if (of.readOnly) view.scrollDOM.tabIndex = 0;
  return {
    view,
    setText: (text) => {
      if (view.state.doc.toString() === text) return;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
    },
    setLanguage: async (name) => view.dispatch({ effects: language.reconfigure(await highlighterOf(name)) }),
    setMarks: (marks) =>
      view.dispatch(
        setDiagnostics(
          view.state,
          marks.map((mark) => rangeOf(view.state, mark)),
        ),
      ),
    goTo: (line, column) => {
      const at = view.state.doc.line(Math.max(1, Math.min(view.state.doc.lines, line)));
      const anchor = Math.min(at.to, at.from + Math.max(0, column - 1));
      view.dispatch({ selection: { anchor }, effects: EditorView.scrollIntoView(anchor, { y: 'center' }) });
      view.focus();
    },
    destroy: () => view.destroy(),
  };
}
