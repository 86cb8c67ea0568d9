// The service under release. Every behaviour is a setting: settings.json is baked into the image, so that each version
// has its own, and the environment overrides it.
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');

const baked = JSON.parse(fs.readFileSync(path.join(__dirname, 'settings.json'), 'utf8'));
const settings = { ...baked, ...process.env };
const number = (name, otherwise) => (settings[name] === undefined ? otherwise : Number(settings[name]));

const version = settings.VERSION || 'v0.0.0';
const port = number('PORT', 3001);
const startDelay = number('START_DELAY_MS', 0);
const unhealthy = number('UNHEALTHY_MS', 0);
const failAfterRequests = number('FAIL_AFTER_REQUESTS', Infinity);
const failStatus = number('FAIL_STATUS', 500);
const failAfter = number('FAIL_AFTER_MS', Infinity);
const exitAfterRequests = number('EXIT_AFTER_REQUESTS', Infinity);

let listening = 0;
let requests = 0;

const log = (...words) => console.log(new Date().toISOString(), ...words);

function send(response, status, body) {
  const text = JSON.stringify(body) + '\n';
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    'X-Version': version,
  });
  response.end(text);
}

function stream(response) {
  response.writeHead(200, { 'Content-Type': 'text/plain', 'X-Version': version });
  const timer = setInterval(() => response.write('.'), 1000);
  response.on('close', () => clearInterval(timer));
}

const server = http.createServer((request, response) => {
  const age = Date.now() - listening;
  requests += 1;
  if (requests > exitAfterRequests) process.exit(1);
  if (unhealthy < 0 || age < unhealthy) return send(response, 503, { version, error: 'warming up' });
  if (requests > failAfterRequests || age > failAfter) return send(response, failStatus, { version, error: 'broken' });

  const url = new URL(request.url, 'http://app');
  const status = url.pathname.match(/^(?:\/[a-z]+)?\/status\/(\d{3})$/);
  if (status) return send(response, Number(status[1]), { version });
  if (url.pathname.endsWith('/slow')) {
    return setTimeout(() => send(response, 200, { version, slow: true }), Number(url.searchParams.get('ms') || 5000));
  }
  if (url.pathname.endsWith('/stream')) return stream(response);
  if (url.pathname.endsWith('/env')) return send(response, 200, { version, env: process.env });
  return send(response, 200, { version });
});

if (settings.LOG) console.log(settings.LOG);

if (settings.CRASH) {
  log('starting', version);
  log('connecting to the database');
  console.error('Error: connect ECONNREFUSED db:27017');
  process.exit(1);
}

setTimeout(() => server.listen(port, () => {
  listening = Date.now();
  log(`${version} listens on ${port}`);
}), startDelay);

process.on('SIGTERM', () => {
  if (settings.IGNORE_SIGTERM) return log('SIGTERM ignored');
  log('SIGTERM: no new requests, finishing the rest');
  server.close(() => {
    log('closed');
    process.exit(0);
  });
});
