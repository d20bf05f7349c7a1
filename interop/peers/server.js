// An echo server with Node's ws, with the same paths as server.py. Usage: server.js [--compress] [--tls CERTIFICATE KEY]
'use strict';
const fs = require('fs');
const http = require('http');
const https = require('https');
const { WebSocketServer } = require('ws');

const compress = process.argv.includes('--compress');
const tls = process.argv.indexOf('--tls');
const [certificate, key] = tls < 0 ? [] : process.argv.slice(tls + 1);
const listener = certificate
    ? https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) })
    : http.createServer();
const server = new WebSocketServer({ server: listener, perMessageDeflate: compress ? { threshold: 0 } : false });
listener.listen(0, '127.0.0.1', () => {
    console.log(`${certificate ? 'wss' : 'ws'}://127.0.0.1:${listener.address().port}`);
});
server.on('connection', (ws, request) => {
    const [path, query] = request.url.split('?');
    if (path === '/echo') {
        ws.on('message', (data, binary) => ws.send(data, { binary }));
    } else if (path === '/fragments') {
        const pieces = ['grü', '', 'ß', 'e '.repeat(50000), 'end'];
        pieces.forEach((piece, i) => ws.send(piece, { fin: i === pieces.length - 1 }));
    } else if (path === '/ping') {
        ws.on('pong', (data) => { if (data.toString() === 'are you there') ws.send('ponged'); });
        ws.ping('are you there');
    } else if (path === '/close') {
        ws.close(Number(query), 'as you wish');
    }
});
