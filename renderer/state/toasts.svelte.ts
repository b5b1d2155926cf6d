/** Messages about what was just done. Mistakes stay; the rest goes after a while, unless held. */
import { Failure } from '../api.ts';

export type Said = {
  id: number;
  tone: 'ok' | 'alarm' | 'info';
  text: string;
  next?: string;
  action?: { label: string; run: () => void };
};
const shownMs = 6_000;
const shownWithActionMs = 12_000;

class ToastState {
  list = $state.raw<Said[]>([]);
  private held = false;
  private nextId = 1;
  private timers = new Map<number, ReturnType<typeof setTimeout>>();

  say(text: string, action?: { label: string; run: () => void }, tone: Said['tone'] = 'ok'): void {
    this.add({ id: this.nextId++, tone, text, ...(action ? { action } : {}) });
  }
  /** Says what went wrong and what to do. */
  fail(what: string, cause: unknown): void {
    const failure = cause instanceof Failure ? cause : null;
    if (!failure) console.error(cause);
    const text = failure ? `${what}: ${failure.message}` : `${what}: the console made a mistake.`;
    this.add({ id: this.nextId++, tone: 'alarm', text, next: failure?.next ?? 'Reload the page and try again.' });
  }
  close(id: number): void {
    clearTimeout(this.timers.get(id));
    this.timers.delete(id);
    this.list = this.list.filter((toast) => toast.id !== id);
  }
  hold(hold: boolean): void {
    this.held = hold;
    if (!hold) for (const toast of this.list) this.plan(toast);
  }
  private add(toast: Said): void {
    this.list = [...this.list, toast].slice(-4);
    this.plan(toast);
  }
  private plan(toast: Said): void {
    if (toast.tone === 'alarm') return;
    clearTimeout(this.timers.get(toast.id));
    const ms = toast.action ? shownWithActionMs : shownMs;
    this.timers.set(
      toast.id,
      setTimeout(() => !this.held && this.close(toast.id), ms),
    );
  }
}

export const toasts = new ToastState();
