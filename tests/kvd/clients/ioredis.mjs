// SPDX-License-Identifier: MIT
// ioredis against kvd: ioredis.mjs PORT
import Redis from 'ioredis';
import { binary, expect, expectError } from './expect.mjs';

async function tryClient(options) {
	const client = new Redis({ port: Number(process.argv[2]),
		retryStrategy: null, ...options });
	client.on('error', error => { throw error; });
	expect(await client.ping(), 'PONG');
	expect(await client.client('GETNAME'), options.connectionName ?? null);
	expect(await client.get('i:nothing'), null);
	expect(await client.set('i:a', 1), 'OK');
	expect(await client.get('i:a'), '1');
	expect(await client.set('i:b', binary), 'OK');
	expect(await client.getBuffer('i:b'), binary);
	expect(await client.mset({ 'i:c': 1, 'i:d': 'ä' }), 'OK');
	expect(await client.mget('i:c', 'i:d', 'i:e'), ['1', 'ä', null]);
	expect(await client.exists('i:c', 'i:e'), 1);
	expect(await client.incr('i:n'), 1);
	expect(await client.incrby('i:n', 41), 42);
	expect(await client.decr('i:n'), 41);
	expect(await client.decrby('i:n', 50), -9);
	await expectError(client.incr('i:d'), 'not an integer');
	expect((await client.info()).includes('process_id'), true);

	expect(await client.pipeline().set('i:p', 1).incr('i:p').get('i:p')
		.exec(), [[null, 'OK'], [null, 2], [null, '2']]);
	expect(await client.multi().incr('i:t').get('i:t').get('i:nothing')
		.exec(), [[null, 1], [null, '1'], [null, null]]);
	const results = await client.multi().set('i:t', 5).incr('i:d').exec();
	expect(results[0], [null, 'OK']);
	expect(results[1][0].message.includes('not an integer'), true);
	expect(await client.get('i:t'), '5');
	expect(await client.del('i:a', 'i:b', 'i:c', 'i:d', 'i:n', 'i:p',
		'i:t'), 7);
	expect(await client.quit(), 'OK');
}

await tryClient({});
await tryClient({ connectionName: 'io', db: 0 });
await tryClient({ enableAutoPipelining: true });
