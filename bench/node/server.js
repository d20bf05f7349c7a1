// A server on Node.js with ws, by the echo server of its README, until its standard input ends.
//
// server.js plain|deflate [CERTIFICATE KEY]

const fs = require('fs');
const http = require('http');
const https = require('https');
const { WebSocketServer } = require('ws');

const [compression, certificate, key] = process.argv.slice(2);
const server = certificate
  ? https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) })
  : http.createServer();
// Off is its default; without takeover is what the load offers.
const wss = new WebSocketServer({ server, perMessageDeflate: compression === 'deflate' });

wss.on('connection', function connection(ws) {
  ws.on('error', () => {});
  ws.on('message', function message(data, isBinary) {
    ws.send(data, { binary: isBinary });
  });
});

process.stdin.on('end', () => process.exit(0)).resume();
// As many as the others: a storm of clients waits here.
server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => {
  console.log(server.address().port);
  if (certificate) {
    process.stdout.write(fs.readFileSync(certificate));
  }
});
