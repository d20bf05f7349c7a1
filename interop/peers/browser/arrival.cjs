// A page that came over HTTP/2 (WS_ARRIVAL_URL) opens a WebSocket at the same path; the server's log shows how that arrived.
"use strict";
const assert = require("node:assert/strict");
const {PATIENCE} = require("./visit.cjs");

module.exports = async browser => {
  const url = process.env.WS_ARRIVAL_URL;
  const context = await browser.newContext({ignoreHTTPSErrors: true});
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  await page.goto(url);
  const seen = await page.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol);
  assert.equal(seen, "h2");
  const [echo, code] = await page.evaluate(url => new Promise((done, failed) => {
    const socket = new WebSocket(url), received = [];
    socket.onopen = () => socket.send("世界");
    socket.onmessage = ({data}) => { if (received.push(data) === 1) socket.close(4001); };
    socket.onclose = ({code}) => done([...received, code]);
    socket.onerror = () => failed(new Error("no WebSocket"));
  }), url.replace("https", "wss"));
  assert.deepEqual([echo, code], ["世界", 4001]);
  await context.close();
  return `the page over ${seen}`;
};
