// undici's WebSocket with `allowH2` (RFC 8441): node undici_client.js wss://HOST:PORT [--compress]
// The server echoes on /.
"use strict";
const assert = require("node:assert/strict");
const {once} = require("node:events");
const {Pool, WebSocket} = require("undici");

const WEBSOCKETS = 100;
const SIZES = [0, 1, 125, 126, 65535, 65536, 1 << 20];
// Those that the WebSocket API permits.
const CODES = [1000, 3000, 3999, 4000, 4999];

const [url, ...flags] = process.argv.slice(2);
const compress = flags.includes("--compress");
// One connection: over HTTP/1.1 the second WebSocket would wait for the end of the first.
const dispatcher = new Pool(url.replace("ws", "http"), {allowH2: true, connections: 1});

async function open() {
  const socket = new WebSocket(`${url}/`, {dispatcher});
  socket.binaryType = "arraybuffer";
  const queue = [], waiting = [];
  socket.onmessage = ({data}) => { if (waiting.length) waiting.shift()(data); else queue.push(data); };
  socket.next = () => queue.length ? Promise.resolve(queue.shift()) : new Promise(done => waiting.push(done));
  await new Promise((done, failed) => {
    socket.onopen = done;
    socket.onerror = ({error, message}) => failed(error ?? new Error(message));
  });
  assert.equal(socket.extensions.startsWith("permessage-deflate"), compress, socket.extensions);
  return socket;
}

async function same(socket, sent) {
  socket.send(sent);
  const back = await socket.next();
  if (typeof sent === "string") assert.ok(back === sent, `text of ${sent.length} came back as another`);
  else assert.ok(Buffer.from(back).equals(sent), `binary of ${sent.length} bytes came back as another`);
}

async function close(socket, code) {
  const closed = once(socket, "close");
  socket.close(code, "bye");
  const [event] = await closed;
  assert.deepEqual([event.code, event.wasClean], [code, true]);
}

async function main() {
  let done = 0;
  const socket = await open();
  for (const size of SIZES) {
    await same(socket, "ü".repeat(size >> 1) + "x".repeat(size & 1));
    await same(socket, Buffer.from(Uint8Array.from({length: size}, (_, i) => i * 7919 % 251)));
    done += 2;
  }
  for (let i = 0; i < 1000; i++) socket.send(`message ${i}`);
  for (let i = 0; i < 1000; i++) assert.equal(await socket.next(), `message ${i}`);
  await close(socket, 1000);
  for (const code of CODES) {
    await close(await open(), code);
    done++;
  }
  const all = await Promise.all(Array.from({length: WEBSOCKETS}, open));
  await Promise.all(all.map(async (socket, n) => {
    await same(socket, `世界 ${n}`);
    await close(socket, 4001);
  }));
  await dispatcher.destroy();
  console.log(`${done} exchanges, then ${WEBSOCKETS} WebSockets on one HTTP/2 connection`);
}

process.removeAllListeners("warning");
main().catch(error => { console.error(error); process.exit(1); });
