// SPDX-License-Identifier: MIT
import assert from 'node:assert';

export const binary = Buffer.alloc(256000, Buffer.from([...Array(256).keys()]));

export const expect = assert.deepStrictEqual;

export async function expectError(promise, word) {
	const error = await promise.then(
		value => assert.fail(`${value} instead of an error`),
		error => error);
	assert.ok(error.message.includes(word), error.message);
}
