// node-redis, unchanged, against a server: `node node_redis.mjs MODULES SOCKET`, where MODULES is the folder that
// holds `node_modules`. With RESP2 and RESP3: basic use. Then the server is killed (`waiting` is printed when writing),
// comes back at the same socket, and the client, which connects again by itself, must find every acked write.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';

const [modules, socket] = process.argv.slice(2);
const { createClient } = createRequire(path.resolve(modules, 'index.js'))('redis');

function connect(RESP, options = {}) {
  const client = createClient({ RESP, socket: { path: socket, reconnectStrategy: () => 20 }, ...options });
  client.on('error', () => {}); // A lost connection is part of the test; commands that fail reject.
  return client.connect();
}

async function basicUse(RESP) {
  const client = await connect(RESP, { name: 'tester' });
  assert.equal(await client.ping(), 'PONG');
  assert.equal(await client.set('s', 'wert ☃'), 'OK');
  assert.equal(await client.get('s'), 'wert ☃');
  assert.equal(await client.get('none'), null);
  assert.equal(await client.set('s', 'x', { condition: 'NX' }), null);
  assert.equal(await client.set('e', 'x', { expiration: { type: 'EX', value: 100 } }), 'OK');
  assert.ok((await client.ttl('e')) > 90);
  assert.equal(await client.incrBy('n', 41), 41);
  assert.equal(await client.incr('n'), 42);
  assert.equal(await client.incrByFloat('f', 10.5), '10.5');
  await client.mSet({ a: '1', b: '2' });
  assert.deepEqual(await client.mGet(['a', 'b', 'c']), ['1', '2', null]);
  assert.equal(await client.exists(['a', 'b', 'c']), 2);
  assert.equal(await client.type('a'), 'string');
  assert.deepEqual(await client.multi().set('t', '1').incr('t').get('t').exec(), ['OK', 2, '2']);

  const other = await connect(RESP);
  await other.watch('t');
  await client.set('t', 'elsewhere');
  await assert.rejects(other.multi().set('t', 'lost').exec(), /watch/i);
  await assert.rejects(client.incr('s'), /value is not an integer or out of range/);

  const together = await Promise.all(Array.from({ length: 500 }, (_, n) => client.set(`scan:${n}`, String(n))));
  assert.ok(together.every((reply) => reply === 'OK'));
  const found = new Set();
  for await (const keys of client.scanIterator({ MATCH: 'scan:*', COUNT: 50 })) [keys].flat().forEach((k) => found.add(k));
  assert.equal(found.size, 500);

  assert.deepEqual({ ...(await client.configGet('appendfsync')) }, { appendfsync: 'always' });
  assert.equal(await client.configSet('timeout', '0'), 'OK');
  assert.match(await client.info('server'), /redis_version:7\.2/);
  assert.ok((await client.command()).length > 50);
  const list = await client.clientList();
  assert.ok(list.some((entry) => entry.name === 'tester'), JSON.stringify(list));
  assert.equal(await client.sendCommand(['CLIENT', 'DURABILITY']), 'disk');
  assert.equal(await client.sendCommand(['DELIFEQ', 's', 'wert ☃']), 1);
  assert.equal(await client.flushAll(), 'OK');
  other.destroy();
  await client.close();
}

async function killed() {
  // Without a queue a command that is given while nobody is connected fails; with one it would wait for the server.
  const client = await connect(3, { disableOfflineQueue: true });
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  let sent = 0;
  let acked = 0;
  const writing = (async () => {
    for (;;) {
      const n = ++sent;
      await client.multi().set('left', n.toString()).set('right', n.toString()).exec();
      await Promise.all([client.set(`each:${n}`, n.toString()), client.set('last', n.toString())]);
      acked = n;
      if (acked === 20) console.log('waiting');
    }
  })();
  await assert.rejects(writing);
  console.log('lost');
  assert.equal((await lines.next()).value, 'back');
  while (!client.isReady) await new Promise((resolve) => setTimeout(resolve, 10));
  const [last, left, right] = (await client.mGet(['last', 'left', 'right'])).map(Number);
  const known = `sent ${sent}, acked ${acked}, found last ${last}, left ${left}, right ${right}`;
  assert.ok(acked >= 20 && last >= acked && left >= acked && left === right && left <= sent, known);
  for (let n = 1; n <= acked; n++) assert.equal(await client.get(`each:${n}`), n.toString(), known);
  client.destroy();
  console.log(`node-redis: ${acked} acked rounds of writes, all there`);
}

for (const RESP of [2, 3]) await basicUse(RESP);
await killed();
process.exit(0);
