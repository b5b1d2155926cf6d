/**
 * Puts the rules of `navigation.ts` on every web contents and on the session,
 * also on ones that come to be without our doing. Without permission handlers
 * Electron grants silently.
 */
import { app, type Session, shell } from 'electron';
import { mayNavigate, mayUse, outside } from './navigation.ts';

export function guardContents(): void {
  app.on('web-contents-created', (_created, contents) => {
    contents.on('will-navigate', (event, address) => {
      if (!mayNavigate(address)) event.preventDefault();
    });
    contents.on('will-redirect', (event, address) => {
      if (!mayNavigate(address)) event.preventDefault();
    });
    contents.on('will-attach-webview', (event) => event.preventDefault());
    contents.setWindowOpenHandler(({ url }) => {
      const address = outside(url);
      if (address) void shell.openExternal(address);
      return { action: 'deny' };
    });
  });
}

export function guardSession(session: Session): void {
  session.setPermissionRequestHandler((_contents, permission, answer, details) =>
    answer(mayUse(permission, details.requestingUrl)),
  );
  session.setPermissionCheckHandler((_contents, permission, origin) => mayUse(permission, origin));
  session.setDevicePermissionHandler(() => false);
}
