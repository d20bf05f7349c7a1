// The page of the sample `feed`: it receives every update, and fewer updates with the latest values while it is slow.
"use strict";
const assert = require("node:assert/strict");
const {Sample, visit, look, leave} = require("./visit.cjs");

module.exports = async browser => {
  const sample = await new Sample("feed").start();
  try {
    const page = await visit(browser, sample);
    await page.goto(sample.url);
    await page.state("open");
    const number = async id => Number((await page.textContent(`#${id}`)).replace(/\D/g, ""));
    const until = (id, least, most) => page.waitForFunction(([id, least, most]) => {
      const number = Number(document.getElementById(id).textContent.replace(/\D/g, ""));
      return number >= least && number <= most;
    }, [id, least, most]);

    await until("rate", 900, 1100);
    await until("conflated", 0, 0);
    await until("total", 3000, Infinity);
    await look(page, "feed-open");
    // Where all lines end at the bottom, their labels do not overlap.
    const labels = await page.evaluate(() => labels(() => 100, 100).map(label => label.at));
    assert.deepEqual(labels, [48, 61, 74, 87, 100]);

    // By keyboard.
    await page.focus("#slow");
    await page.keyboard.press("Space");
    await until("conflated", 500, Infinity);
    await until("rate", 10, 400);
    await look(page, "feed-slow");
    // Without the simulation, it receives every update again.
    await page.keyboard.press("Space");
    await until("conflated", 0, 0);
    await until("rate", 900, 1100);
    const skipped = await number("skipped");

    await sample.stop();
    await page.waitForSelector("#error:has-text('going away')");
    await sample.start();
    await page.state("open");
    await until("rate", 900, 1100);
    await page.click("#open");
    await page.state("closed");
    await leave(page);
    return `${skipped} updates conflated`;
  } finally {
    await sample.stop("SIGKILL");
  }
};
