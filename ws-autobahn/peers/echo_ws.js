// An echo server, or Autobahn's testee, by Node's ws. Usage: echo_ws.js server|client PORT
'use strict';
const { WebSocket, WebSocketServer } = require('ws');

const [mode, port] = process.argv.slice(2);
const options = { perMessageDeflate: { threshold: 0 }, maxPayload: 0 };

function echo(ws) {
    ws.on('message', (data, binary) => ws.send(data, { binary }));
    ws.on('error', () => {}); // The verdict is the suite's.
}

function run(path) {
    return new Promise((resolve) => {
        let last;
        const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, options);
        ws.on('error', () => {});
        ws.on('message', (data, binary) => {
            last = data.toString();
            if (path.startsWith('/runCase')) ws.send(data, { binary });
        });
        ws.on('close', () => resolve(last));
    });
}

async function client() {
    const count = Number(await run('/getCaseCount'));
    for (let n = 1; n <= count; n++) await run(`/runCase?case=${n}&agent=ws`);
    await run('/updateReports?agent=ws');
}

if (mode === 'server') {
    new WebSocketServer({ host: '127.0.0.1', port: Number(port), ...options }).on('connection', echo);
} else {
    client();
}
