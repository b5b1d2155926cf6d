/**
 * How the runner hears its node, whoever started it.
 *
 * Forked by a daemon it has `process.send`; as an Electron utility process it
 * has `process.parentPort`, whose first message may bring a port that leads
 * straight to the node. The rest of the runner knows only this channel, and
 * the types are written out here so that nothing of Electron is needed.
 */
export type ParentChannel = {
  send(message: unknown): void;
  onMessage(hear: (message: unknown) => void): void;
  /** The node, or the way to it, is gone. */
  onGone(hear: () => void): void;
  /** Lets the node go; what was sent before still arrives. */
  close(): void;
};

type Port = {
  postMessage(message: unknown): void;
  on(event: 'message', hear: (event: { data: unknown; ports?: Port[] }) => void): unknown;
  on(event: 'close', hear: () => void): unknown;
  start?(): void;
  close?(): void;
};

export type ParentHost = {
  parentPort?: Port;
  send?: NodeJS.Process['send'];
  disconnect?(): void;
  on(event: 'message', hear: (message: unknown) => void): unknown;
  on(event: 'disconnect', hear: () => void): unknown;
};

export function openParentChannel(host: ParentHost): ParentChannel {
  if (host.parentPort) return overPort(host.parentPort);
  if (!host.send) throw new Error('The runner is started by a node, not by hand.');
  return overFork(host, host.send.bind(host));
}

function overFork(host: ParentHost, send: NonNullable<NodeJS.Process['send']>): ParentChannel {
  return {
    // A failed send means that the node is gone, and `disconnect` says so too.
    send: (message) => void send(message, undefined, undefined, () => {}),
    onMessage: (hear) => void host.on('message', hear),
    onGone: (hear) => void host.on('disconnect', hear),
    close: () => host.disconnect?.(),
  };
}

function overPort(parent: Port): ParentChannel {
  let way = parent;
  const heard: ((message: unknown) => void)[] = [];
  const gone: (() => void)[] = [];
  const tell = (message: unknown) => {
    for (const hear of heard) hear(message);
  };
  const tellGone = () => {
    for (const hear of gone) hear();
  };
  parent.on('message', ({ data, ports }) => {
    const direct = ports?.[0];
    if (!direct) return tell(data);
    way = direct;
    direct.on('message', (event) => tell(event.data));
    direct.on('close', tellGone);
    direct.start?.();
  });
  parent.on('close', tellGone);
  return {
    send: (message) => way.postMessage(message),
    onMessage: (hear) => void heard.push(hear),
    onGone: (hear) => void gone.push(hear),
    close: () => way.close?.(),
  };
}
