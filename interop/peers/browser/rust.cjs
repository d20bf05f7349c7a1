// The page of the sample `chat` whose client is Rust: two people in a room, a restart of the server, and one who leaves.
"use strict";
const assert = require("node:assert/strict");
const {Sample, visit, look, leave} = require("./visit.cjs");

module.exports = async browser => {
  const sample = await new Sample("chat", "--rust", `${process.env.CARGO_TARGET_DIR || "target"}/chat-page`).start();
  try {
    const ann = await visit(browser, sample), bo = await visit(browser, sample);
    for (const [page, name] of [[ann, "Ann"], [bo, "Bo <b>"]]) {
      await page.goto(`${sample.origin}/rust`);
      await page.waitForFunction(() => document.getElementById("room").value === "lobby");
      await page.click("#enter button");
      assert.equal(await page.textContent("#enter-error"), "Enter a name.");
      await page.fill("#name", name);
      await page.keyboard.press("Enter");
      await page.state("open");
    }
    await people(ann, "Ann, Bo <b>");
    await say(ann, "Hello from Rust");
    await heard(bo, "Ann", "Hello from Rust");
    await say(bo, "Grüße <img src=x>");
    await heard(ann, "Bo <b>", "Grüße <img src=x>");
    await look(ann, "chat-rust-open");

    await sample.stop("SIGKILL");
    await ann.state("waiting");
    await ann.fill("#text", "too soon");
    await ann.keyboard.press("Enter");
    assert.equal(await ann.textContent("#say-error"), "Not connected; the message was not sent.");
    await look(ann, "chat-rust-lost");
    await sample.start();
    for (const page of [ann, bo]) await page.state("open");
    await people(ann, "Ann, Bo <b>", "Bo <b>, Ann");
    await ann.click("#send");
    await heard(bo, "Ann", "too soon");

    await bo.click("#leave");
    await bo.state("closed");
    await people(ann, "Ann");
    await leave(ann, bo);
  } finally {
    await sample.stop("SIGKILL");
  }
};

async function say(page, text) {
  await page.fill("#text", text);
  await page.keyboard.press("Enter");
  await page.waitForSelector(`#log .mine p:text-is(${JSON.stringify(text)})`);
}

const heard = (page, name, text) =>
  page.waitForSelector(`#log .said:has(b:text-is(${JSON.stringify(name)})) p:text-is(${JSON.stringify(text)})`);

const people = (page, ...orders) => page.waitForFunction(orders =>
  orders.includes([...document.querySelectorAll("#people li")].map(item => item.textContent).join(", ")), orders);
