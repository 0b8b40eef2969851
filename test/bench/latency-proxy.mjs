// Hands every request on to a loopback server, `milliseconds` later: a server far away. `node latency-proxy.mjs PORT TARGET MILLISECONDS`

import { Agent, createServer, request } from 'node:http';

const [port, target, milliseconds] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true });

createServer((asked, answer) => {
  const { method, url, headers } = asked;
  setTimeout(() => {
    const onward = request({ agent, host: '127.0.0.1', port: target, method, path: url, headers }, (answered) => {
      answer.writeHead(answered.statusCode, answered.rawHeaders);
      answered.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    asked.pipe(onward);
  }, milliseconds);
}).listen(port, '127.0.0.1');
