// What the visits to the pages share: starting and stopping a sample, and checking a page.
"use strict";
const assert = require("node:assert/strict");
const {spawn} = require("node:child_process");
const {once} = require("node:events");
const net = require("node:net");
const readline = require("node:readline");

const TARGET = process.env.CARGO_TARGET_DIR || "target";
const EXAMPLES = `${TARGET}/debug/examples`;
const SHOTS = `${TARGET}/interop/pages`;
const DESKTOP = {width: 1100, height: 820}, PHONE = {width: 390, height: 844};
const PATIENCE = 15000;

// A sample, on a port that it keeps when it is restarted.
class Sample {
  constructor(name, ...options) {
    Object.assign(this, {name, options, port: 0});
  }

  async start() {
    const options = ["--listen", `127.0.0.1:${this.port}`, ...this.options];
    this.child = spawn(`${EXAMPLES}/${this.name}`, options, {stdio: ["ignore", "pipe", "inherit"]});
    const lines = readline.createInterface({input: this.child.stdout});
    const [line] = await Promise.race([once(lines, "line"), once(this.child, "exit").then(() => [""])]);
    this.url = line.match(/http:\S+/)?.[0];
    assert.ok(this.url, `${this.name} did not start: ${line}`);
    this.port = new URL(this.url).port;
    this.origin = new URL(this.url).origin;
    return this;
  }

  // SIGINT: the server closes its connections. SIGKILL: it does not.
  async stop(signal = "SIGINT") {
    if (!this.child || this.child.exitCode !== null || this.child.signalCode) return;
    const gone = once(this.child, "exit");
    this.child.kill(signal);
    await gone;
  }
}

// The network between a page and the server.
class Cable {
  constructor(port) {
    Object.assign(this, {port, whole: true, sockets: new Set()});
  }

  async start() {
    this.server = net.createServer(near => {
      if (!this.whole) return near.destroy();
      const far = net.connect(this.port, "127.0.0.1");
      near.pipe(far).pipe(near);
      for (const socket of [near, far]) {
        this.sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => { this.sockets.delete(socket); near.destroy(); far.destroy(); });
      }
    }).listen(0, "127.0.0.1");
    await once(this.server, "listening");
    this.origin = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  // Passes no more bytes on the connections that there are, and does not end them.
  hold() {
    for (const socket of this.sockets) socket.unpipe().pause();
  }

  // Ends all connections, and lets none begin.
  cut() {
    this.whole = false;
    for (const socket of this.sockets) socket.destroy();
  }

  restore() {
    this.whole = true;
  }

  close() {
    this.cut();
    this.server.close();
  }
}

// A page that is monitored: it must send requests only to its server, and must have no errors.
async function visit(browser, sample, options = {}) {
  const context = await browser.newContext({viewport: DESKTOP, colorScheme: "light", ...options});
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", error => page.complaints.push(String(error)));
  page.on("console", message => {
    // The browser writes failed connections and refused requests to the console.
    const expected = /WebSocket connection to|Failed to load resource|net::ERR_CONNECTION/;
    if (message.type() === "error" && !expected.test(message.text())) page.complaints.push(message.text());
  });
  page.on("request", request => {
    if (!request.url().startsWith(sample.origin) && !request.url().startsWith("data:")) page.complaints.push(`asked for ${request.url()}`);
  });
  page.state = wanted => page.waitForSelector(`#state[data-state=${wanted}]`);
  return page;
}

// Saves screenshots of the page in the size of a desktop and a phone, light and dark, in target/interop/pages; checks
// that nothing is wider than the screen, and that every field and button has a name.
async function look(page, name) {
  for (const [where, size] of [["desk", DESKTOP], ["phone", PHONE]]) {
    await page.setViewportSize(size);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({colorScheme});
      await page.screenshot({path: `${SHOTS}/${name}-${where}-${colorScheme}.png`});
    }
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${name}: ${wide} pixels too wide on a ${where}`);
  }
  await page.setViewportSize(DESKTOP);
  await page.emulateMedia({colorScheme: "light"});
  const nameless = await page.$$eval("input, textarea, button", all =>
    all.filter(one => !(one.labels?.length || one.ariaLabel || one.textContent.trim())).map(one => one.outerHTML));
  assert.deepEqual(nameless, []);
}

async function leave(...pages) {
  for (const page of pages) {
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  }
}

module.exports = {Sample, Cable, visit, look, leave, SHOTS, DESKTOP, PHONE};
