// Visits the pages of the samples with Chromium, headless: node main.cjs [NAME...]
"use strict";
const fs = require("node:fs");
const {chromium} = require("playwright-core");
const {SHOTS} = require("./visit.cjs");

const VISITS = ["echo", "repl", "chat", "feed", "topics"];
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

async function main(names) {
  fs.mkdirSync(SHOTS, {recursive: true});
  const browser = await chromium.launch({executablePath: process.env.CHROMIUM, headless: true, args: FLAGS});
  let failed = false;
  for (const name of names) {
    const began = Date.now();
    try {
      const seen = await require(`./${name}.cjs`)(browser);
      console.log(`browser, ${name}: ok in ${((Date.now() - began) / 1000).toFixed(1)} s (Chromium ${browser.version()}${seen ? `; ${seen}` : ""})`);
    } catch (error) {
      failed = true;
      console.error(`browser, ${name}: ${error.stack}`);
    }
  }
  await browser.close();
  return failed;
}

main(process.argv.length > 2 ? process.argv.slice(2) : VISITS).then(failed => process.exit(failed ? 1 : 0));
