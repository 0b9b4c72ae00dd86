#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// import.js FILE: what chrome://tracing would say of a trace.  Its reader, catapult's
// importer, is not in Debian; a copy that runs without a browser is in an old Lighthouse:
//
//   npm install gl-matrix@2.3.2 jszip@2.6.1
//   npm pack lighthouse@1.1.7 && tar xzf lighthouse-1.1.7.tgz
//   NODE_PATH=node_modules node import.js FILE
'use strict';
const fs = require('fs');
const path = require('path');
const glMatrix = require('gl-matrix');

global.window = global;
Object.assign(global, glMatrix);
global.JSZip = require('jszip/dist/jszip.min.js');
global.mannwhitneyu = {};
global.HTMLImportsLoader = {
	hrefToAbsolutePath: (file) => file === '/jszip.min.js' ?
	    'jszip/dist/jszip.min.js' : '../../../lib/empty-stub.js'
};
require(path.resolve('package/lighthouse-core/third_party/traceviewer-js'));

const options = new tr.importer.ImportOptions();
options.pruneEmptyContainers = false;
const model = new tr.Model();
new tr.importer.Import(model, options).importTraces(
    [fs.readFileSync(process.argv[2], 'utf8')]);

// Bars and marks, with those that stand in them.
function count(slices) {
	const sum = { all: 0, unfinished: 0 };
	for (const slice of slices) {
		const inside = count(slice.subSlices || []);
		sum.all += 1 + inside.all;
		sum.unfinished += (slice.didNotFinish ? 1 : 0) + inside.unfinished;
	}
	return sum;
}

for (const warning of model.importWarnings)
	console.log(`warning: ${warning.type}: ${warning.message}`);
for (const thread of model.getAllThreads()) {
	const slices = thread.asyncSliceGroup.slices;
	const sum = count(slices);
	console.log(`${thread.name}: ${slices.length} bars of their own, ` +
	    `${sum.all} with what is in them, ${sum.unfinished} without an end`);
}
console.log(`${model.importWarnings.length} warnings`);
