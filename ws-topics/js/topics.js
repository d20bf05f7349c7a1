// A client of the subprotocol `topics.v1` (../docs/topics-v1.md): an ES module without dependencies, for pages, workers and Node.
//
//   import { Topics } from './topics.js';
//   const topics = new Topics('wss://example.com/topics');
//   const prices = topics.subscribe('prices/gold', ({ text, position }) => show(text), { last: 1 });
//   await topics.publish('chat/lobby', 'hello');
//
// It connects again when the connection is lost, resumes each subscription where it was, and reports what was lost.

/** Why the server refused a request: `code` is one of the codes of the subprotocol, or `closed` or `full` from this side. */
export class TopicsError extends Error {
  constructor(code, message) {
    super(message);
    this.name = 'TopicsError';
    this.code = code;
  }
}

/**
 * One connection to a server, made again as often as needed.
 *
 * Options, all optional:
 * - `onstate(state)`: called with `'connecting'`, `'open'`, `'waiting'` (until it connects again) and `'closed'`;
 * - `minDelay`, `maxDelay`: the delays between attempts, in milliseconds (500, 30000), chosen at random below a bound that doubles;
 * - `maxPending`: how many requests may wait for an answer (1000), also while there is no connection; `maxPendingLength`: how long they may be together, in characters of
 *   JSON (8388608), where one may be longer by itself. Beyond these a request is rejected with the code `full`;
 * - `silence`: after this many milliseconds without a message the server is asked for one (25000), and the connection given up
 *   if none comes in `patience` (10000);
 * - `WebSocket`: the class to use, where it is not global.
 */
export class Topics {
  #url;
  #options;
  #socket = null;
  #failures = 0;
  #timer;
  #watchdog;
  #lastId = 0;
  #closed = false;
  #subscriptions = new Map();
  /** Requests without an answer by their id; those of the user with their JSON, to be sent again. */
  #pending = new Map();
  #pendingLength = 0;
  #wake = () => this.#retryNow();

  constructor(url, options = {}) {
    this.#url = url;
    this.#options = {
      onstate: () => {}, minDelay: 500, maxDelay: 30_000, maxPending: 1_000, maxPendingLength: 8_388_608,
      silence: 25_000, patience: 10_000, WebSocket: globalThis.WebSocket, ...options,
    };
    // A browser reports that there is a network again: no reason to wait any longer.
    globalThis.addEventListener?.('online', this.#wake);
    this.#connect();
  }

  /**
   * Subscribes to a topic or a filter. `onmessage` gets `{ topic, position, text }`, or `bytes` (a Uint8Array) instead of `text`.
   *
   * Options, all optional: `since` (a position) or `last` (a number of messages); `present` (text to show for this client);
   * `onpresence({ all, joined, updated, left })`, where `all` is true if `joined` lists everybody; `ongap({ lost, first, last })`, with `null` for what is not known; `onresume({ missed })` after a loss of
   * connection; `onerror(error)`: the server refused it, and the subscription has ended.
   *
   * Returns `{ topic, position, ready, close() }`; `ready` is a promise of the first answer.
   */
  subscribe(topic, onmessage, options = {}) {
    if (this.#subscriptions.has(topic)) throw new TopicsError('subscribed', `there is a subscription to ${topic} already`);
    if (this.#closed) throw new TopicsError('closed', 'this client is closed');
    const held = { topic, onmessage, options, position: null, moved: false, begun: false, after: null };
    held.ready = new Promise((resolve, reject) => Object.assign(held, { resolve, reject }));
    // Whoever does not wait for it has `onerror`.
    held.ready.catch(() => {});
    this.#subscriptions.set(topic, held);
    this.#ask(held);
    return {
      topic,
      ready: held.ready,
      get position() { return held.position; },
      close: () => this.#unsubscribe(held),
    };
  }

  /**
   * Publishes text or bytes. Returns a promise of its position, `null` if nobody gets it and no history keeps it. It survives
   * losses of connection: the server publishes it once, as long as it remembers its key (by default two minutes).
   * `{ echo: false }` leaves this client's own subscription out.
   */
  publish(topic, content, { echo = true } = {}) {
    const payload = typeof content === 'string' ? { text: content } : { base64: toBase64(new Uint8Array(content)) };
    const request = { type: 'publish', topic, ...payload, key: randomKey() };
    if (!echo) request.echo = false;
    return this.#request(request).then((answer) => answer.position);
  }

  /** Returns a promise of who is present in a topic: a list of `{ identity, value }`. */
  presence(topic) {
    return this.#request({ type: 'presence', topic }).then((answer) => answer.members);
  }

  /** Closes the connection for good; what waits for an answer is rejected. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    globalThis.removeEventListener?.('online', this.#wake);
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    this.#socket?.close(1000);
    this.#socket = null;
    const error = new TopicsError('closed', 'this client is closed');
    for (const { reject } of this.#pending.values()) reject?.(error);
    for (const held of this.#subscriptions.values()) held.reject(error);
    this.#pending.clear();
    this.#pendingLength = 0;
    this.#subscriptions.clear();
    this.#options.onstate('closed');
  }

  #connect() {
    this.#options.onstate('connecting');
    const socket = new this.#options.WebSocket(this.#url, 'topics.v1');
    this.#socket = socket;
    let opened = 0;
    // Each handler asks whether the socket is still the one in use: `#lose` may have replaced it.
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      opened = performance.now();
      this.#options.onstate('open');
      this.#heard();
      for (const held of this.#subscriptions.values()) this.#ask(held);
      for (const { json } of this.#pending.values()) if (json) socket.send(json);
    };
    socket.onmessage = (event) => {
      if (socket !== this.#socket) return;
      this.#heard();
      let message;
      try {
        message = JSON.parse(event.data);
      } catch {
        return;
      }
      this.#received(message);
    };
    socket.onclose = () => this.#lose(socket, opened);
    socket.onerror = () => {};
    socket.lose = () => this.#lose(socket, opened);
  }

  #lose(socket, opened) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    clearTimeout(this.#watchdog);
    // A server that accepts and drops connections is no reason to try faster.
    if (opened && performance.now() - opened > 10_000) this.#failures = 0;
    for (const [id, { json }] of this.#pending) if (!json) this.#pending.delete(id);
    const bound = Math.min(this.#options.maxDelay, this.#options.minDelay * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    this.#options.onstate('waiting');
    // The callback may have closed this client.
    if (!this.#closed) this.#timer = setTimeout(() => this.#connect(), Math.random() * bound);
  }

  #leave(socket) {
    socket.close();
    // Its `close` event may take another minute.
    socket.lose();
  }

  #retryNow() {
    if (this.#socket || this.#closed) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  /** Something has arrived: the silence begins anew. */
  #heard() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => {
      const socket = this.#socket;
      this.#send({ type: 'ping', id: this.#nextId() });
      this.#watchdog = setTimeout(() => this.#leave(socket), this.#options.patience);
    }, this.#options.silence);
  }

  #received(message) {
    switch (message.type) {
      case 'message': return this.#deliver(message);
      case 'gap': return this.#event(this.#subscriptions.get(message.topic), message.last, 'ongap', message);
      case 'presence': return this.#event(this.#subscriptions.get(message.topic), null, 'onpresence', message);
    }
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    this.#pending.delete(message.id);
    this.#pendingLength -= pending.json?.length ?? 0;
    if (message.type !== 'error') pending.resolve(message);
    else pending.reject(new TopicsError(message.code, message.message));
  }

  #deliver({ topic, position, text, base64 }) {
    const held = this.#subscriptions.get(topic) ?? [...this.#subscriptions.values()].find((held) => matches(held.topic, topic));
    const content = text === undefined ? { bytes: fromBase64(base64) } : { text };
    this.#event(held, position, 'onmessage', { topic, position, ...content });
  }

  /** Hands an event to a subscription, unless it is of the subscription before. */
  #event(held, position, handler, event) {
    if (!held || held.after !== null) return;
    if (position && !isFilter(held.topic)) Object.assign(held, { position, moved: true });
    (handler === 'onmessage' ? held.onmessage : held.options[handler])?.(event);
  }

  /** Asks the server for a subscription. */
  #ask(held) {
    if (this.#socket?.readyState !== 1) return;
    const { since, last, present, onpresence } = held.options;
    const request = { type: 'subscribe', topic: held.topic };
    if (held.position ?? since) request.since = held.position ?? since;
    else if (!held.begun && last !== undefined) request.last = last;
    if (present !== undefined) request.present = present;
    if (onpresence) request.watch = true;
    held.moved = false;
    held.after = null;
    for (const [id, { ending }] of this.#pending) if (ending === held.topic) held.after = id;
    const resolve = (answer) => {
      if (answer.position && !held.moved) held.position = answer.position;
      if (!held.begun) {
        held.begun = true;
        return held.resolve(answer);
      }
      held.options.onresume?.({ missed: answer.missed ?? null });
      // A filter has no history to resume from.
      if (isFilter(held.topic)) held.options.ongap?.({ topic: held.topic, lost: null, first: null, last: null });
    };
    const reject = (error) => {
      if (this.#subscriptions.get(held.topic) === held) this.#subscriptions.delete(held.topic);
      held.reject(error);
      held.options.onerror?.(error);
    };
    this.#expect(request, { resolve, reject });
  }

  #unsubscribe(held) {
    if (this.#subscriptions.get(held.topic) !== held) return;
    this.#subscriptions.delete(held.topic);
    held.reject(new TopicsError('closed', 'the subscription was closed'));
    if (this.#socket?.readyState !== 1) return;
    const done = () => {
      const next = this.#subscriptions.get(held.topic);
      if (next?.after === id) next.after = null;
    };
    const id = this.#expect({ type: 'unsubscribe', topic: held.topic }, { resolve: done, reject: done, ending: held.topic });
    // With this many requests without an answer, besides those for what is subscribed to, the connection is of no use.
    if (this.#pending.size - this.#subscriptions.size > 4 * this.#options.maxPending) this.#leave(this.#socket);
  }

  /** Sends a request now, and again on the next connection if its answer has not come. */
  #request(request) {
    if (this.#closed) return Promise.reject(new TopicsError('closed', 'this client is closed'));
    if (this.#pending.size >= this.#options.maxPending) {
      return Promise.reject(new TopicsError('full', `maxPending = ${this.#options.maxPending} requests wait for an answer`));
    }
    const id = this.#nextId();
    const json = JSON.stringify({ id, ...request });
    const length = this.#pendingLength + json.length;
    if (this.#pendingLength > 0 && length > this.#options.maxPendingLength) {
      const why = `requests of maxPendingLength = ${this.#options.maxPendingLength} characters wait for an answer`;
      return Promise.reject(new TopicsError('full', why));
    }
    this.#pendingLength = length;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, json });
      if (this.#socket?.readyState === 1) this.#socket.send(json);
    });
  }

  /** Sends a request of this connection only. */
  #expect(request, pending) {
    const id = this.#nextId();
    this.#pending.set(id, pending);
    this.#send({ id, ...request });
    return id;
  }

  #send(message) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }

  #nextId() {
    return ++this.#lastId;
  }
}

const isFilter = (topic) => /[+#]/.test(topic);

/** Whether a filter matches a topic (MQTT 5 section 4.7). */
function matches(filter, topic) {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false;
  const [wanted, levels] = [filter.split('/'), topic.split('/')];
  for (let index = 0; ; index += 1) {
    if (wanted[index] === '#') return true;
    if (index >= wanted.length || index >= levels.length) return wanted.length === levels.length;
    if (wanted[index] !== '+' && wanted[index] !== levels[index]) return false;
  }
}

function randomKey() {
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function toBase64(bytes) {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function fromBase64(text) {
  return Uint8Array.from(atob(text ?? ''), (character) => character.charCodeAt(0));
}
