// A client of RFC 8441 on Node's http2, with frames of its own: node http2_client.js https://HOST:PORT | http://HOST:PORT
"use strict";
const assert = require("node:assert/strict");
const http2 = require("node:http2");
const {once} = require("node:events");
const {randomBytes} = require("node:crypto");

const WEBSOCKETS = 100;
const TEXT = 1, BINARY = 2, CLOSE = 8;

function frame(opcode, payload, fin = true) {
  const key = randomBytes(4);
  const head = [(fin ? 0x80 : 0) | opcode];
  if (payload.length < 126) head.push(0x80 | payload.length);
  else if (payload.length < 65536) head.push(0x80 | 126, payload.length >> 8, payload.length & 255);
  else head.push(0x80 | 127, 0, 0, 0, 0, ...new Uint8Array(new Uint32Array([payload.length]).buffer).reverse());
  return Buffer.concat([Buffer.from(head), key, payload.map((byte, i) => byte ^ key[i & 3])]);
}

// Takes the frames that are whole out of what has been received.
function* frames(state) {
  for (;;) {
    const {bytes} = state;
    if (bytes.length < 2) return;
    assert.equal(bytes[1] & 0x80, 0, "a server masks no frame");
    let length = bytes[1] & 127, at = 2;
    if (length === 126) { if (bytes.length < 4) return; length = bytes.readUInt16BE(2); at = 4; }
    if (length === 127) { if (bytes.length < 10) return; length = Number(bytes.readBigUInt64BE(2)); at = 10; }
    if (bytes.length < at + length) return;
    yield {fin: bytes[0] >= 0x80, opcode: bytes[0] & 15, payload: bytes.subarray(at, at + length)};
    state.bytes = bytes.subarray(at + length);
  }
}

const origin = process.argv[2];
const CONNECT = {":method": "CONNECT", ":protocol": "websocket", ":path": "/", "sec-websocket-version": "13", origin};

// A refusal, or a page: its status, its fields and its body.
async function answer(session, fields) {
  const stream = session.request(fields, {endStream: fields[":method"] === "GET"});
  const [head] = await once(stream, "response");
  let body = "";
  stream.setEncoding("utf8");
  for await (const part of stream) body += part;
  if (!stream.writableEnded) stream.end();
  return {status: head[":status"], head, body};
}

async function websocket(session, n) {
  const stream = session.request(CONNECT, {endStream: false});
  const [head] = await once(stream, "response");
  assert.equal(head[":status"], 200);
  for (const name of ["sec-websocket-accept", "upgrade", "connection"]) assert.equal(head[name], undefined, name);
  const large = Buffer.alloc(n < 5 ? 1 << 20 : 1000, n);
  stream.write(frame(TEXT, Buffer.from("Grüße, "), false));
  stream.write(frame(0, Buffer.from(`世界 ${n}`)));
  stream.write(frame(BINARY, large));
  const state = {bytes: Buffer.alloc(0)}, received = [];
  for await (const part of stream) {
    state.bytes = Buffer.concat([state.bytes, part]);
    for (const one of frames(state)) {
      if (one.opcode !== 0) received.push(one);
      const message = received.at(-1);
      if (one !== message) Object.assign(message, {fin: one.fin, payload: Buffer.concat([message.payload, one.payload])});
      if (message.opcode === BINARY && message.fin) stream.write(frame(CLOSE, Buffer.from([4001 >> 8, 4001 & 255])));
    }
  }
  stream.end();
  assert.deepEqual(received.map(one => [one.fin, one.opcode]), [[true, TEXT], [true, BINARY], [true, CLOSE]]);
  assert.equal(received[0].payload.toString(), `Grüße, 世界 ${n}`);
  assert.ok(received[1].payload.equals(large), "the large message came back as another");
  assert.equal(received[2].payload.readUInt16BE(0), 4001);
}

async function main() {
  const session = http2.connect(origin);
  const [settings] = await once(session, "remoteSettings");
  assert.equal(settings.enableConnectProtocol, true);

  const page = await answer(session, {":method": "GET", ":path": "/"});
  assert.equal(page.status, 200);
  assert.ok(page.head.date && page.body.includes("<html"), "no page");
  for (const [what, fields, status] of [
    ["version", {"sec-websocket-version": "12"}, 400],
    ["protocol", {":protocol": "other"}, 501],
    ["origin", {origin: "https://other.example"}, 403],
    ["path", {":path": "/no-such-path"}, 404],
  ]) {
    const refused = await answer(session, {...CONNECT, ...fields});
    assert.equal(refused.status, status, what);
    assert.ok(refused.body.length > 10, `${what}: no reason is given`);
    if (what === "version") assert.equal(refused.head["sec-websocket-version"], "13");
  }

  await Promise.all(Array.from({length: WEBSOCKETS}, (_, n) => websocket(session, n)));
  session.close();
  await once(session, "close");
  console.log(`${WEBSOCKETS} WebSockets on one connection, and 4 refusals`);
}

main();
