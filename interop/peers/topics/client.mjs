// The JavaScript client of `topics.v1` against a WebSocket that is none: what it keeps is bounded, whatever the server does or does not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Topics } from '../../../ws-topics/js/topics.js';

/** A server that answers nothing by itself. */
class Silent {
  static all = [];
  readyState = 0;
  sent = [];

  constructor() { Silent.all.push(this); }

  open() {
    this.readyState = 1;
    this.onopen();
  }

  send(text) { this.sent.push(JSON.parse(text)); }

  answer(message) { this.onmessage({ data: JSON.stringify(message) }); }

  close() { this.readyState = 3; }
}

/** A client with these options, and the connections that it has made so far. */
function client(options) {
  Silent.all = [];
  return [new Topics('ws://nowhere', { WebSocket: Silent, minDelay: 0, ...options }), Silent.all];
}

const outcome = (promise) => promise.then(() => 'published', (error) => error.code);
/** The outcome, if there is one by now. */
const now = (promise) => Promise.race([outcome(promise), new Promise((resolve) => setImmediate(resolve, 'waiting'))]);

test('what waits for an answer is bounded in length, and there is room again with each answer', async () => {
  const [topics, sockets] = client({ maxPendingLength: 1_000 });
  const publish = () => topics.publish('a', 'x'.repeat(300));
  const kept = [outcome(publish()), outcome(publish())];
  // There is no connection yet, and nothing is sent.
  assert.equal(await now(publish()), 'full');
  sockets[0].open();
  assert.equal(sockets[0].sent.length, 2);
  sockets[0].answer({ type: 'published', id: sockets[0].sent[0].id, position: '1:1' });
  assert.equal(await kept[0], 'published');
  const third = outcome(publish());
  assert.equal(await now(publish()), 'full');
  assert.deepEqual(sockets[0].sent.map(({ text }) => text.length), [300, 300, 300]);
  topics.close();
  assert.deepEqual(await Promise.all([...kept, third]), ['published', 'closed', 'closed']);
});

test('one request may wait however long it is', async () => {
  const [topics, sockets] = client({ maxPendingLength: 1_000 });
  const long = outcome(topics.publish('a', 'x'.repeat(5_000)));
  assert.equal(await now(topics.publish('a', 'x')), 'full');
  sockets[0].open();
  assert.equal(sockets[0].sent[0].text.length, 5_000);
  sockets[0].answer({ type: 'published', id: sockets[0].sent[0].id, position: null });
  assert.equal(await long, 'published');
  topics.close();
});

test('what was not answered is sent again on the next connection, with the same key', async () => {
  const [topics, sockets] = client({});
  const published = outcome(topics.publish('a', 'x'));
  sockets[0].open();
  sockets[0].onclose();
  while (sockets.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  sockets[1].open();
  assert.deepEqual(sockets[1].sent, sockets[0].sent);
  sockets[1].answer({ type: 'published', id: sockets[1].sent[0].id, position: '1:1' });
  assert.equal(await published, 'published');
  topics.close();
});

test('a server that answers no subscription is left, so that what waits for its answers is bounded', async () => {
  const [topics, sockets] = client({ maxPending: 10 });
  sockets[0].open();
  for (let round = 0; round < 200 && sockets[0].readyState === 1; round += 1) topics.subscribe('a', () => {}).close();
  assert.equal(sockets[0].readyState, 3);
  assert.ok(sockets[0].sent.length <= 42, `${sockets[0].sent.length} requests`);
  // What is subscribed to is asked for on the next connection, and no more than that.
  topics.subscribe('b', () => {});
  while (sockets.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  sockets[1].open();
  assert.deepEqual(sockets[1].sent.map(({ type, topic }) => `${type} ${topic}`), ['subscribe b']);
  topics.close();
});
