// One visit to the page of the echo example: node browser.cjs NAME URL PID-OF-THE-SERVER
"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const {chromium} = require("playwright-core");

const [name, url, pid] = process.argv.slice(2);
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

async function main() {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "ws-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM, headless: true, args: FLAGS, viewport: {width: 1100, height: 820},
  });
  try {
    const page = await context.newPage();
    const complaints = [];
    page.on("pageerror", error => complaints.push(String(error)));
    page.on("requestfinished", request => { if (!request.url().startsWith(url)) complaints.push(`asked for ${request.url()}`); });
    await page.goto(url);

    const text = selector => page.textContent(selector);
    const state = wanted => page.waitForSelector(`#state[data-state=${wanted}]`, {timeout: 10000});
    const line = wanted => page.waitForSelector(`#log li.in:has-text(${JSON.stringify(wanted)})`, {timeout: 10000});
    const shot = what => page.screenshot({path: `target/interop/echo-${name}-${what}.png`});

    await state("open");
    const extensions = await text("#extensions");
    if (name === "compressed") assert.match(extensions, /^permessage-deflate/); else assert.equal(extensions, "none");

    await page.fill("#text", "Grüße, 世界 🌍");
    await page.keyboard.press("Control+Enter");
    await line("Grüße, 世界 🌍");
    await page.click("#send-binary");
    await line("47 72 c3 bc");
    // 1 MiB of text, in eights.
    await page.fill("#text", Array.from({length: 1 << 17}, (_, i) => String(i % 9973).padStart(8)).join(""));
    await page.click("#send-text");
    await line("1.0 MiB, identical");
    const bytes = Buffer.alloc(3 << 20, 0);
    for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 31 + (i >> 8)) & 255;
    await page.setInputFiles("#file", [{name: "three.bin", mimeType: "application/octet-stream", buffer: bytes}]);
    await line("three.bin: binary, 3.0 MiB, identical");
    await page.click("#ping");
    await line("ping is back after");
    assert.match(await text("#rtt"), /ms \(least .* of 5\)/);
    await page.fill("#text", "Grüße, 世界 🌍");
    await shot("open");

    await page.fill("#code", "999");
    await page.click("#close-it");
    assert.match(await text("#close-error"), /1000 or with 3000/);
    await page.fill("#code", "4321");
    await page.fill("#reason", "enough for today");
    await page.click("#close-it");
    await page.waitForSelector("#state:has-text('closed with 4321')", {timeout: 10000});
    assert.match(await text("#log"), /reason: enough for today.*closed with code 4321: a code of the application/s);
    await shot("closed");

    await page.click("#open");
    await state("open");
    await page.emulateMedia({colorScheme: "dark"});
    await page.setViewportSize({width: 390, height: 844});
    await page.fill("#text", "from a phone, in the dark");
    await page.click("#send-text");
    await line("from a phone, in the dark");
    await page.screenshot({path: `target/interop/echo-${name}-phone.png`, fullPage: true});
    await page.setViewportSize({width: 1100, height: 820});
    await shot("dark");

    await page.click("#open");
    await state("closed");
    await page.fill("#url", "http://example.com");
    await page.click("#open");
    assert.match(await text("#connect-error"), /begins with ws:\/\//);
    await page.fill("#url", "ws://127.0.0.1:1/");
    await page.click("#open");
    await state("failed");
    assert.match(await text("#connect-error"), /No connection to ws:\/\/127.0.0.1:1\/\. Is the server running/);

    await page.fill("#url", url.replace("http", "ws"));
    await page.click("#open");
    await state("open");
    process.kill(Number(pid), "SIGINT");
    await page.waitForSelector("#state:has-text('closed with 1001')", {timeout: 10000});
    await shot("shutdown");
    assert.deepEqual(complaints, []);
    console.log(`browser, ${name}: ok (Chromium ${context.browser()?.version() ?? ""}; extensions: ${extensions})`);
  } finally {
    await context.close();
    fs.rmSync(profile, {recursive: true, force: true});
  }
}

main().catch(error => { console.error(`browser, ${name}: ${error.stack}`); process.exit(1); });
