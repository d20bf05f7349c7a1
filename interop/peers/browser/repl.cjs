// The page of the sample `repl`: evaluating, history, limits, and access control.
"use strict";
const assert = require("node:assert/strict");
const {Sample, visit, look, leave} = require("./visit.cjs");

module.exports = async browser => {
  const sample = await new Sample("repl").start();
  try {
    const page = await visit(browser, sample);
    await page.goto(sample.url);
    await page.state("open");
    assert.equal(page.url(), `${sample.origin}/`, "the token is gone from the address");
    await evaluate(page);
    await look(page, "repl-open");

    // A reload has access, with new variables; another browser with the used token does not.
    await page.reload();
    await page.state("open");
    await type(page, "greeting", ".failed", "Variable not found: greeting");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowUp");
    assert.equal(await page.inputValue("#source"), "loop {}", "the history outlives a reload");
    const other = await visit(browser, sample);
    await other.goto(sample.url);
    await other.waitForSelector("#error:has-text('To get a new URL')");
    await look(other, "repl-refused");
    await leave(other);

    // A restarted server has a new token.
    await sample.stop();
    await page.waitForSelector("#error:has-text('Cannot reach the server')");
    await look(page, "repl-lost");
    await sample.start();
    await page.waitForSelector("#error:has-text('To get a new URL')");
    await page.goto(sample.url);
    await page.state("open");
    await page.fill("#source", "");
    await type(page, "1 + 1", ".answer", "2");
    await leave(page);
  } finally {
    await sample.stop("SIGKILL");
  }
};

async function type(page, source, kind, wanted) {
  await page.focus("#source");
  await page.keyboard.type(source);
  await page.keyboard.press("Enter");
  await page.waitForSelector(`#log .source:text-is(${JSON.stringify(source)}) ~ ${kind}:has-text(${JSON.stringify(wanted)})`);
}

async function evaluate(page) {
  await type(page, "6 * 7", ".answer", "42");
  await type(page, "let greeting = `hello`; print(greeting); greeting.len()", ".printed", "hello");
  // Unfinished source is put back into the field; the rest is typed after it.
  await page.keyboard.type("fn double(n) {");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.getElementById("source").value === "fn double(n) {\n");
  await page.keyboard.type("    n * 2");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("}");
  await page.keyboard.press("Enter");
  // The field is empty once the source is sent; Enter does nothing until the answer has come.
  await page.waitForFunction(() => document.getElementById("source").value === "" && !document.getElementById("run").disabled);
  await type(page, "double(21)", ".answer", "42");
  await type(page, "#{name: `Ann`, list: [1, 2.5, true]}", ".answer", "2.5");
  await type(page, "1 / 0", ".failed", "Division by zero");
  await type(page, "loop {}", ".failed", "stopped:");
  // Up recalls earlier input, line by line within several lines, and down returns to the current input.
  await page.keyboard.type("draft");
  for (let i = 0; i < 5; i++) await page.keyboard.press("ArrowUp");
  assert.match(await page.inputValue("#source"), /^fn double/);
  for (let i = 0; i < 5; i++) await page.keyboard.press("ArrowDown");
  assert.equal(await page.inputValue("#source"), "draft");
  await page.fill("#source", "");
}
