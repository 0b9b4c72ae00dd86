// SPDX-License-Identifier: MIT
// node-redis against kvd: node-redis.mjs PORT
import { createClient } from 'redis';
import { binary, expect, expectError } from './expect.mjs';

const socket = { port: Number(process.argv[2]), reconnectStrategy: false };

async function tryClient(options) {
	const client = createClient({ socket, ...options });
	client.on('error', error => { throw error; });
	await client.connect();
	expect(await client.ping(), 'PONG');
	expect(await client.clientGetName(), options.name ?? null);
	expect(await client.get('r:nothing'), null);
	expect(await client.set('r:a', '1'), 'OK');
	expect(await client.get('r:a'), '1');
	expect(await client.set('r:b', binary), 'OK');
	expect(await client.get('r:b'), binary.toString());
	expect(await client.mSet({ 'r:c': '1', 'r:d': 'ä' }), 'OK');
	expect(await client.mGet(['r:c', 'r:d', 'r:e']), ['1', 'ä', null]);
	expect(await client.exists(['r:c', 'r:e']), 1);
	expect(await client.incr('r:n'), 1);
	expect(await client.incrBy('r:n', 41), 42);
	expect(await client.decr('r:n'), 41);
	expect(await client.decrBy('r:n', 50), -9);
	await expectError(client.incr('r:d'), 'not an integer');
	expect((await client.info()).includes('process_id'), true);
	expect({ ...await client.configGet('save') }, { save: '' });

	// What is sent in one turn of its loop is one pipeline.
	expect(await Promise.all([
		client.set('r:p', '1'), client.incr('r:p'), client.get('r:p'),
	]), ['OK', 2, '2']);
	expect(await client.multi().incr('r:t').get('r:t').get('r:nothing')
		.exec(), [1, '1', null]);
	await expectError(client.multi().set('r:t', '5').incr('r:d').exec(),
		'failed');
	expect(await client.get('r:t'), '5');
	expect(await client.del(['r:a', 'r:b', 'r:c', 'r:d', 'r:n', 'r:p',
		'r:t']), 7);
	await client.close();
}

await tryClient({});
await tryClient({ RESP: 2 });
await tryClient({ name: 'node', database: 0 });
