/**
 * May this frame use the bridge? Only the top frame of our own window, showing
 * our own origin; a frame that has navigated away or is gone may nothing. Pure.
 */
export const consoleOrigin = 'app://console';

/** `frame` is Electron's `senderFrame`: null once it has navigated away. */
export type Sender = { frame: { origin: string; isTop: boolean } | null; isOurWindow: boolean };

export function isTrusted(sender: Sender): boolean {
  const { frame, isOurWindow } = sender;
  return isOurWindow && frame?.isTop === true && frame.origin === consoleOrigin;
}
