// WebSockets over HTTP/2 in Chromium: a page that came over HTTP/2 opens a hundred, all on its connection (RFC 8441).
"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const {PATIENCE} = require("./visit.cjs");

const WEBSOCKETS = 100;

// The TCP connections to this port that are established, seen from its side.
function connections(port) {
  const local = `:${Number(port).toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = fs.readFileSync("/proc/net/tcp", "utf8").trim().split("\n").slice(1);
  return lines.map(line => line.trim().split(/\s+/)).filter(([, from, , state]) => from.endsWith(local) && state === "01").length;
}

module.exports = async browser => {
  const url = process.env.WS_HTTP2_URL;
  const context = await browser.newContext({ignoreHTTPSErrors: true});
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  await page.goto(url);
  assert.equal(await page.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol), "h2");
  await page.waitForSelector("#state[data-state=open]");
  const extensions = await page.textContent("#extensions");
  assert.match(extensions, /^permessage-deflate/);

  const [text, binary] = await page.evaluate(async ([url, count]) => {
    const open = () => new Promise((done, failed) => {
      const socket = new WebSocket(url);
      socket.binaryType = "arraybuffer";
      socket.onopen = () => done(socket);
      socket.onerror = () => failed(new Error("no WebSocket"));
    });
    window.sockets = await Promise.all(Array.from({length: count}, open));
    const exchange = (socket, data) => new Promise(done => { socket.onmessage = event => done(event.data); socket.send(data); });
    const texts = await Promise.all(window.sockets.map((socket, n) => exchange(socket, `世界 ${n}`)));
    const large = await Promise.all(window.sockets.slice(0, 5).map(socket => exchange(socket, new Uint8Array(1 << 20))));
    return [texts.filter((text, n) => text === `世界 ${n}`).length, large.filter(one => one.byteLength === 1 << 20).length];
  }, [url.replace("https", "wss"), WEBSOCKETS]);
  assert.deepEqual([text, binary], [WEBSOCKETS, 5]);
  // A browser may keep a second connection that it opened in advance.
  const open = connections(new URL(url).port);
  assert.ok(open <= 2, `${open} connections for ${WEBSOCKETS} WebSockets`);

  const closed = await page.evaluate(() => Promise.all(window.sockets.map(socket => new Promise(done => {
    socket.onclose = event => done(`${event.code} ${event.wasClean}`);
    socket.close(4001, "done");
  }))));
  assert.deepEqual([...new Set(closed)], ["4001 true"]);
  await context.close();
  return `${WEBSOCKETS} WebSockets over HTTP/2 on ${open === 1 ? "one connection" : "two connections"}; ${extensions}`;
};
