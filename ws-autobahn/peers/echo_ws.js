// An echo server and client by Node's ws. Usage: echo_ws.js server PORT, echo_ws.js client PORT (Autobahn's protocol
// for testees), or echo_ws.js once URL (one connection).
'use strict';
const { WebSocket, WebSocketServer } = require('ws');

const [mode, to] = process.argv.slice(2);
const options = { perMessageDeflate: { threshold: 0 }, maxPayload: 0 };

function echo(ws) {
    ws.on('message', (data, binary) => ws.send(data, { binary }));
    ws.on('error', () => {}); // The verdict is the suite's.
}

function run(url) {
    return new Promise((resolve) => {
        let last;
        const ws = new WebSocket(url, options);
        ws.on('error', () => {});
        ws.on('message', (data, binary) => {
            last = data.toString();
            if (url.includes('/runCase')) ws.send(data, { binary });
        });
        ws.on('close', () => resolve(last));
    });
}

async function client() {
    const base = `ws://127.0.0.1:${to}`;
    const count = Number(await run(`${base}/getCaseCount`));
    for (let n = 1; n <= count; n++) await run(`${base}/runCase?case=${n}&agent=ws`);
    await run(`${base}/updateReports?agent=ws`);
}

if (mode === 'server') {
    new WebSocketServer({ host: '127.0.0.1', port: Number(to), ...options }).on('connection', echo);
} else if (mode === 'client') {
    client();
} else {
    run(to);
}
