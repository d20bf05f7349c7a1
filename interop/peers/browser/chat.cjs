// The page of the sample `chat`: two members of a room in two browsers' sessions, one of whom loses the network, a restart of the server, and
// one who leaves and joins again.
"use strict";
const assert = require("node:assert/strict");
const {Sample, Cable, visit, look, leave} = require("./visit.cjs");

module.exports = browser => chat(browser, "", "chat");
module.exports.chat = chat;

// `home`: the path of the page; `shots`: how the names of the screenshots begin.
async function chat(browser, home, shots, ...options) {
  const sample = await new Sample("chat", ...options).start();
  const cable = await new Cable(sample.port).start();
  try {
    const ann = await visit(browser, sample), bo = await visit(browser, cable);
    await ann.goto(sample.origin + home);
    await ann.waitForFunction(() => document.getElementById("room").value === "lobby");
    await ann.click("#enter button");
    assert.equal(await ann.textContent("#enter-error"), "Enter a name.");
    await look(ann, `${shots}-door`);
    await enter(ann, "Ann");
    await people(ann, "Ann");
    await say(ann, "Is anybody here?");

    // In the page in JavaScript the address opens the room.
    const address = new URL(ann.url()).pathname;
    if (!home) assert.equal(address, "/chat/tea%20%26%20cake%20%231");
    await bo.goto(cable.origin + address);
    await bo.waitForFunction(() => document.getElementById("room").value !== "");
    if (!home) assert.equal(await bo.inputValue("#room"), "tea & cake #1");
    await enter(bo, "Bo <b>");
    await people(bo, "Ann, Bo <b>");
    await people(ann, "Ann, Bo <b>");
    await heard(bo, "Ann", "Is anybody here?");
    await ann.waitForSelector("#log .note:has-text('Bo <b> joined.')");
    await say(bo, "I am, and I brought 🍰 <img src=x>");
    await heard(ann, "Bo <b>", "I am, and I brought 🍰 <img src=x>");
    await say(ann, "A line that is long enough to be broken on a telephone, and a word that is not: " + "o".repeat(60));
    await heard(bo, "Ann", "A line that is long enough to be broken on a telephone, and a word that is not: " + "o".repeat(60));
    await look(ann, `${shots}-open`);

    // Without network: the page says so as soon as it knows, what is said elsewhere is missed, and what is written here waits.
    cable.hold();
    await bo.fill("#text", "said without network");
    await bo.keyboard.press("Enter");
    await bo.waitForSelector("#log .pending time:text-is('sending …')");
    cable.cut();
    await bo.state("waiting");
    await bo.waitForSelector("#log .pending time:text-is('waits for the connection')");
    await told(bo, "offline – what you write is sent later");
    await people(ann, "Ann");
    await ann.waitForSelector("#log .note:has-text('Bo <b> left.')");
    for (const number of [1, 2, 3]) await say(ann, `missed ${number}`);
    await bo.waitForSelector("#log .pending p:text-is('said without network')");
    await look(bo, `${shots}-lost`);
    cable.restore();
    await bo.state("open");
    await told(bo, "connected – you missed 3 messages, here they are");
    await bo.waitForSelector("#log .resumed:has-text('You missed 3 messages, here they are:')");
    await heard(ann, "Bo <b>", "said without network");
    await heard(bo, "Bo <b>", "said without network");
    await people(bo, "Ann, Bo <b>");
    await look(bo, `${shots}-resumed`);
    const all = ["Is anybody here?", "I am, and I brought 🍰 <img src=x>",
      "A line that is long enough to be broken on a telephone, and a word that is not: " + "o".repeat(60),
      "missed 1", "missed 2", "missed 3", "said without network"];
    for (const page of [ann, bo]) assert.deepEqual(await page.locator("#log .said p").allTextContents(), all);
    // What was missed stands behind the line that says so, which stands behind the loss.
    const lines = await bo.locator("#log > div").allTextContents();
    const at = text => lines.findIndex(line => line.includes(text));
    assert.ok(at("The connection was lost.") < at("You missed 3") && at("You missed 3") < at("missed 1"), lines.join("\n"));

    // A restart loses what the server kept: both pages say that something may be missing, and no message is shown twice.
    await sample.stop();
    await ann.state("waiting");
    await sample.start();
    for (const page of [ann, bo]) {
      await page.state("open");
      await told(page, "connected – messages are missing");
      await page.waitForSelector("#log .lost");
    }
    await people(ann, "Ann, Bo <b>");
    await say(ann, "after the restart");
    await heard(bo, "Ann", "after the restart");
    for (const page of [ann, bo]) assert.deepEqual(await page.locator("#log .said p").allTextContents(), [...all, "after the restart"]);
    await look(bo, `${shots}-gap`);

    await bo.click("#leave");
    await bo.state("closed");
    await people(ann, "Ann");
    await bo.fill("#room", "tea & cake #1");
    await bo.click("#enter button");
    await heard(bo, "Ann", "after the restart");
    await people(bo, "Ann, Bo <b>");
    await leave(ann, bo);
    return "resumed 3 messages, published 1 once";
  } finally {
    cable.close();
    await sample.stop("SIGKILL");
  }
}

async function enter(page, name) {
  await page.fill("#name", name);
  await page.fill("#room", "tea & cake #1");
  await page.keyboard.press("Enter");
  await page.state("open");
}

async function say(page, text) {
  await page.focus("#text");
  await page.keyboard.insertText(text);
  await page.keyboard.press("Enter");
  await page.waitForSelector(`#log .mine:not(.pending) p:text-is(${JSON.stringify(text)})`);
}

const told = (page, text) => page.waitForSelector(`#state:text-is(${JSON.stringify(text)})`);

const heard = (page, name, text) =>
  page.waitForSelector(`#log .said:not(.pending):has(b:text-is(${JSON.stringify(name)})) p:text-is(${JSON.stringify(text)})`);

// In any order: each client comes back when it can.
const people = (page, wanted) => page.waitForFunction(wanted =>
  [...document.querySelectorAll("#people li")].map(item => item.textContent).sort().join(", ") === wanted, wanted);
