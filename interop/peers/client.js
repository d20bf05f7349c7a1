// Tests our echo server with Node's ws. Usage: client.js URL [--compress]
'use strict';
const assert = require('assert');
const { once } = require('events');
const WebSocket = require('ws');

const [url, ...flags] = process.argv.slice(2);
const compress = flags.includes('--compress');
const sizes = require('./sizes.json');
const codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];

async function open() {
    const ws = new WebSocket(url, { perMessageDeflate: compress ? { threshold: 0 } : false });
    const waiting = [], queue = [];
    ws.on('message', (data, binary) => {
        const message = binary ? data : data.toString();
        if (waiting.length) waiting.shift()(message); else queue.push(message);
    });
    ws.next = () => queue.length ? Promise.resolve(queue.shift()) : new Promise((r) => waiting.push(r));
    await once(ws, 'open');
    return ws;
}

function* payloads(size) {
    const line = '{"id": 1234, "text": "grüße, 你好 🎉"}\n';
    let text = line.repeat(Math.floor(size / Buffer.byteLength(line)));
    text += 'x'.repeat(size - Buffer.byteLength(text));
    yield text;
    yield Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 7919) % 251));
}

async function main() {
    let done = 0;
    const ws = await open();
    assert.strictEqual(ws.extensions, compress ? 'permessage-deflate' : '');
    for (const size of sizes) {
        for (const sent of payloads(size)) {
            ws.send(sent);
            const back = await ws.next();
            assert.ok(typeof sent === 'string' ? back === sent : Buffer.isBuffer(back) && back.equals(sent), `${typeof sent} of ${size} bytes`);
            done++;
        }
    }
    // In fragments, with a ping between them.
    ws.send('grü', { fin: false });
    ws.ping('between');
    ws.send('', { fin: false });
    const [pong] = await once(ws, 'pong');
    assert.strictEqual(pong.toString(), 'between');
    ws.send('ße', { fin: true });
    assert.strictEqual(await ws.next(), 'grüße');
    done++;
    for (const payload of ['', 'x', 'p'.repeat(125)]) {
        ws.ping(payload);
        const [pong] = await once(ws, 'pong');
        assert.strictEqual(pong.toString(), payload);
        done++;
    }
    for (let i = 0; i < 1000; i++) ws.send(`message ${i}`);
    for (let i = 0; i < 1000; i++) assert.strictEqual(await ws.next(), `message ${i}`);
    done++;
    ws.close();
    assert.strictEqual((await once(ws, 'close'))[0], 1005);
    for (const code of codes) {
        const ws = await open();
        ws.close(code, 'bye');
        assert.strictEqual((await once(ws, 'close'))[0], code);
        done++;
    }
    console.log(`${done} exchanges`);
}

setTimeout(() => { console.error('not done within 100 s'); process.exit(1); }, 100_000).unref();
main().catch((e) => { console.error(e); process.exit(1); });
