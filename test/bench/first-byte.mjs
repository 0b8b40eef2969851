// Prints how many seconds `dray load` takes until a registry gets the first byte of a blob; the registry is played here.

import { spawn } from 'node:child_process';
import { createServer } from 'node:http';

const [port, dray, bundle, key, state] = process.argv.slice(2);
const begun = process.hrtime.bigint();
const server = createServer((request, response) => {
  if (request.method === 'POST') return response.writeHead(202, { location: '/v2/upload' }).end();
  if (request.method !== 'PATCH' && request.method !== 'PUT')
    return response.writeHead(request.url === '/v2/' ? 200 : 404).end();
  request.once('data', () => {
    process.stdout.write(`${Number(process.hrtime.bigint() - begun) / 1e9}\n`);
    loading.kill('SIGKILL');
    process.exit();
  });
});
server.on('checkContinue', (_request, response) => {
  response.writeContinue();
  server.emit('request', _request, response);
});
let loading;
server.listen(Number(port), '127.0.0.1', () => {
  const to = `registry://127.0.0.1:${port}?take=files`;
  loading = spawn(process.execPath, [dray, 'load', bundle, '--key', key, '--to', to, '--state', state, '--no-input'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
});
