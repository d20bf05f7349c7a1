// An echo server by Node's ws, with the same paths as server.py. Usage: server.js [--compress]
'use strict';
const { WebSocketServer } = require('ws');

const compress = process.argv.includes('--compress');
const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    perMessageDeflate: compress ? { threshold: 0 } : false,
});
server.on('listening', () => console.log(`ws://127.0.0.1:${server.address().port}`));
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
