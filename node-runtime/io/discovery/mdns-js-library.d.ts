/** The little of mdns-js that the worker uses; it brings no types. */
declare module 'mdns-js' {
  export type Update = { addresses?: unknown; port?: unknown; txt?: unknown };
  export type Browser = {
    /** What it knows, by interface. It tells of nothing twice while it knows it. */
    connections: Record<string, unknown>;
    on(event: 'ready', listener: () => void): void;
    on(event: 'update', listener: (update: Update) => void): void;
    discover(): void;
  };
  const mdns: {
    excludeInterface(address: string): void;
    tcp(name: string): object;
    createBrowser(type: object): Browser;
  };
  export default mdns;
}
