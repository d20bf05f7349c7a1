// The page of the sample `topics`: two pages in one topic, one of which loses its network for a while; then the server restarts.
"use strict";
const assert = require("node:assert/strict");
const {Sample, Cable, visit, look, leave} = require("./visit.cjs");

module.exports = async browser => {
  const sample = await new Sample("topics").start();
  const cable = await new Cable(sample.port).start();
  try {
    const ann = await visit(browser, sample), bo = await visit(browser, cable);
    await ann.goto(sample.url);
    await ann.click("#subscribe");
    assert.equal(await ann.textContent("#enter-error"), "Enter a name.");
    await look(ann, "topics-door");
    await enter(ann, "Ann", "tea/cake");
    await say(ann, "Is anybody here?");
    await bo.goto(cable.origin);
    await enter(bo, "Bo <b>", "tea/cake");
    await heard(bo, "Is anybody here?");
    await present(ann, "Ann, Bo <b>");
    await say(bo, "I am <img src=x>");
    await heard(ann, "I am <img src=x>");
    await look(ann, "topics-open");

    // A page without network: what was published meanwhile is replayed, and what it published itself goes out once.
    cable.cut();
    await bo.state("waiting");
    await present(ann, "Ann");
    for (const number of [1, 2, 3]) await say(ann, `missed ${number}`);
    await bo.fill("#text", "said without network");
    await bo.keyboard.press("Enter");
    await look(bo, "topics-lost");
    cable.restore();
    await bo.state("open");
    await heard(bo, "missed 3");
    await bo.waitForSelector("#log .note:has-text('3 missed messages were replayed')");
    await heard(ann, "said without network");
    await present(ann, "Ann, Bo <b>");
    const all = ["Is anybody here?", "I am <img src=x>", "missed 1", "missed 2", "missed 3", "said without network"];
    await heard(bo, "said without network");
    for (const page of [ann, bo]) assert.deepEqual(await page.locator("#log .message p").allTextContents(), all);

    // A restart loses the history, and the pages say so.
    await sample.stop();
    await ann.state("waiting");
    await sample.start();
    for (const page of [ann, bo]) {
      await page.state("open");
      await page.waitForSelector("#log .lost");
    }
    await present(ann, /^(Ann, Bo <b>|Bo <b>, Ann)$/);
    await say(ann, "after the restart");
    await heard(bo, "after the restart");
    await look(bo, "topics-gap");

    await bo.click("#leave");
    await present(ann, "Ann");
    await leave(ann, bo);
    return "resumed 3 messages, published 1 once";
  } finally {
    cable.close();
    await sample.stop("SIGKILL");
  }
};

async function enter(page, name, topic) {
  await page.fill("#name", name);
  await page.fill("#topic", topic);
  await page.click("#subscribe");
  await page.waitForSelector("#text:enabled");
}

async function say(page, text) {
  await page.fill("#text", text);
  await page.keyboard.press("Enter");
  await heard(page, text);
}

const heard = (page, text) => page.waitForSelector(`#log .message p:text-is(${JSON.stringify(text)})`);

const present = (page, wanted) => page.waitForFunction(([wanted, flags]) => {
  const names = [...document.querySelectorAll("#people li")].map(item => item.textContent).join(", ");
  return flags === null ? names === wanted : new RegExp(wanted, flags).test(names);
}, wanted instanceof RegExp ? [wanted.source, wanted.flags] : [wanted, null]);
