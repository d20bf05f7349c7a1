// The page of the sample `echo`: all its functions, with and without compression.
"use strict";
const assert = require("node:assert/strict");
const {Sample, visit, look, leave, DESKTOP, PHONE} = require("./visit.cjs");

module.exports = async browser => {
  const plain = new Sample("echo"), compressed = new Sample("echo", "--compress");
  try {
    await Promise.all([plain.start(), compressed.start()]);
    await everything(browser, plain);
    return await compression(browser, compressed);
  } finally {
    await Promise.all([plain.stop("SIGKILL"), compressed.stop("SIGKILL")]);
  }
};

async function everything(browser, sample) {
  const page = await visit(browser, sample);
  const text = selector => page.textContent(selector);
  const line = wanted => page.waitForSelector(`#log li.in:has-text(${JSON.stringify(wanted)})`);
  await page.goto(sample.url);
  await page.state("open");
  assert.equal(await text("#extensions"), "none");
  assert.equal(await text("#protocol"), "none");

  // By keyboard only: the field has the focus.
  await page.keyboard.press("Control+A");
  await page.keyboard.type("Grüße, 世界 🌍");
  await page.keyboard.press("Control+Enter");
  await line("Grüße, 世界 🌍");
  await page.click("#send-binary");
  await line("47 72 c3 bc");
  await sendMuch(page, line);
  await page.click("#ping");
  await line("round trip: ");
  assert.match(await text("#rtt"), /ms \(min .* 5 measured\)/);
  await page.fill("#text", "Grüße, 世界 🌍");
  await look(page, "echo-open");
  // On a phone the end of the log is visible without scrolling.
  await page.setViewportSize(PHONE);
  await page.waitForFunction(() => {
    const {top, bottom} = document.querySelector("#log li:last-child").getBoundingClientRect();
    return top > 0 && bottom <= innerHeight;
  });
  await page.setViewportSize(DESKTOP);
  // The log goes back to its end after a scroll that is not the user's, as when its size changes, and stays where the user
  // scrolls to.
  const fromEnd = () => page.$eval("#log", list => list.scrollHeight - list.scrollTop - list.clientHeight);
  await page.$eval("#log", list => { list.scrollTop = 0; });
  await page.waitForFunction(() => {
    const list = document.getElementById("log");
    return list.scrollTop > 0 && list.scrollHeight - list.scrollTop - list.clientHeight < 2;
  });
  await page.hover("#log");
  await page.mouse.wheel(0, -200);
  await page.waitForFunction(() => !follow);
  await page.click("#ping");
  await page.waitForFunction(() => /6 measured/.test(document.getElementById("rtt").textContent));
  assert.ok(await fromEnd() > 100, "a new line moved a log that the user had scrolled up");

  await page.click("summary");
  await page.fill("#code", "999");
  await page.click("#close-it");
  assert.match(await text("#close-error"), /code 1000 and codes 3000/);
  await page.fill("#reason", "é".repeat(62));
  await page.fill("#code", "4321");
  await page.click("#close-it");
  assert.match(await text("#close-error"), /123 bytes/);
  await page.fill("#reason", "enough for today");
  await page.click("#close-it");
  await page.waitForSelector("#state:has-text('closed with 4321')");
  assert.match(await text("#log"), /reason: enough for today.*closed with code 4321: application code/s);
  await look(page, "echo-closed");

  // The mistakes of a beginner, each with a message.
  const fails = async (url, wanted) => {
    await page.fill("#url", url);
    await page.click("#open");
    await page.waitForFunction(wanted => new RegExp(wanted).test(document.getElementById("connect-error").textContent), wanted);
  };
  await fails("http://example.com", "begins with ws://");
  await fails("ws://127.0.0.1:1/", "No connection to ws://127.0.0.1:1/. Is the server running");
  await page.fill("#protocols", "chat");
  await fails(sample.url.replace("http", "ws"), "subprotocol chat");
  await look(page, "echo-failed");
  await page.fill("#protocols", "chat, echo");
  await page.click("#open");
  await page.state("open");
  assert.equal(await text("#protocol"), "echo");

  // The page reconnects after the server closed, and after the server was killed.
  for (const signal of ["SIGINT", "SIGKILL"]) {
    await sample.stop(signal);
    await page.state("waiting");
    assert.match(await text("#log"), signal === "SIGINT" ? /closed with code 1001: going away.*trying again in/s : /1006: the connection was lost/);
    if (signal === "SIGINT") await look(page, "echo-lost");
    await sample.start();
    await page.state("open");
    await page.fill("#text", `after ${signal}`);
    await page.click("#send-text");
    await line(`after ${signal}`);
  }
  await page.click("#open");
  await page.state("closed");
  await leave(page);
}

// 1 MiB of repeated text, and a file of 3 MiB.
async function sendMuch(page, line) {
  await page.fill("#text", Array.from({length: 1 << 17}, (_, i) => String(i % 9973).padStart(8)).join(""));
  await page.click("#send-text");
  await line("1.0 MiB, identical");
  const bytes = Buffer.alloc(3 << 20, 0);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 31 + (i >> 8)) & 255;
  await page.setInputFiles("#file", [{name: "three.bin", mimeType: "application/octet-stream", buffer: bytes}]);
  await line("three.bin: binary, 3.0 MiB, identical");
}

async function compression(browser, sample) {
  const page = await visit(browser, sample);
  await page.goto(sample.url);
  await page.state("open");
  const extensions = await page.textContent("#extensions");
  assert.match(extensions, /^permessage-deflate/);
  await sendMuch(page, wanted => page.waitForSelector(`#log li.in:has-text(${JSON.stringify(wanted)})`));
  await leave(page);
  return extensions;
}
