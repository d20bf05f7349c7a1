// The page of the sample `chat`: two members of a room, one of whom leaves and joins again.
"use strict";
const assert = require("node:assert/strict");
const {Sample, visit, look, leave} = require("./visit.cjs");

module.exports = async browser => {
  const sample = await new Sample("chat").start();
  try {
    const ann = await visit(browser, sample), bo = await visit(browser, sample);
    await ann.goto(sample.url);
    await ann.click("#enter button");
    assert.equal(await ann.textContent("#enter-error"), "Enter a name.");
    await look(ann, "chat-door");
    await ann.fill("#name", "Ann");
    await ann.fill("#room", "tea & cake");
    await ann.keyboard.press("Enter");
    await people(ann, "Ann");
    await say(ann, "Is anybody here?");

    // The address opens the room.
    await bo.goto(ann.url());
    assert.equal(await bo.inputValue("#room"), "tea & cake");
    await bo.fill("#name", "Bo <b>");
    await bo.click("#enter button");
    await people(bo, "Ann, Bo <b>");
    await people(ann, "Ann, Bo <b>");
    await heard(bo, "Ann", "Is anybody here?");
    await say(bo, "I am, and I brought 🍰 <img src=x>");
    await heard(ann, "Bo <b>", "I am, and I brought 🍰 <img src=x>");
    await say(ann, "A line that is long enough to be broken on a telephone, and a word that is not: " + "o".repeat(60));
    await look(ann, "chat-open");

    // All members reconnect after a restart, and no message is shown twice.
    await sample.stop();
    await ann.state("waiting");
    await ann.fill("#text", "too soon");
    await ann.keyboard.press("Enter");
    assert.equal(await ann.textContent("#say-error"), "Not connected; the message was not sent.");
    await look(ann, "chat-lost");
    await sample.start();
    for (const page of [ann, bo]) await page.state("open");
    await people(ann, /^(Ann, Bo <b>|Bo <b>, Ann)$/);
    await ann.keyboard.press("Enter");
    await heard(bo, "Ann", "too soon");
    assert.equal(await bo.locator("#log .said").count(), 4);

    await bo.click("#leave");
    await people(ann, "Ann");
    await ann.waitForSelector("#log .note:has-text('Bo <b> left.')");
    await leave(ann, bo);
  } finally {
    await sample.stop("SIGKILL");
  }
};

async function say(page, text) {
  await page.focus("#text");
  await page.keyboard.insertText(text);
  await page.keyboard.press("Enter");
  await page.waitForSelector(`#log .mine p:text-is(${JSON.stringify(text)})`);
}

const heard = (page, name, text) =>
  page.waitForSelector(`#log .said:has(b:text-is(${JSON.stringify(name)})) p:text-is(${JSON.stringify(text)})`);

const people = (page, wanted) => page.waitForFunction(([wanted, flags]) => {
  const names = [...document.querySelectorAll("#people li")].map(item => item.textContent).join(", ");
  return flags === null ? names === wanted : new RegExp(wanted, flags).test(names);
}, wanted instanceof RegExp ? [wanted.source, wanted.flags] : [wanted, null]);
