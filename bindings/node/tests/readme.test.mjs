/** The lines of the README and the cookbook, run from top to bottom: as an ES module, and the README's by `require` too. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { folder } from './temporary.mjs';

const root = new URL('..', import.meta.url).pathname;

function linesOf(page) {
  const blocks = [...readFileSync(join(root, page), 'utf8').matchAll(/^```js\n(.*?)^```/gms)].map(([, lines]) => lines);
  assert.ok(blocks.length >= 5);
  return ["process.on('exit', () => console.log('to the end'));", ...blocks].join('\n');
}

/** Runs lines in an empty folder where the package is installed. */
async function run(t, name, lines) {
  const path = await folder(t);
  mkdirSync(join(path, 'node_modules'));
  symlinkSync(root, join(path, 'node_modules', 'strongroom'));
  symlinkSync(join(root, 'node_modules', 'express'), join(path, 'node_modules', 'express'));
  writeFileSync(join(path, name), lines);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [name], { cwd: path });
  assert.doesNotMatch(stderr, /Assertion failed/);
  assert.match(stdout, /to the end/);
  return stdout;
}

test('the lines of the README run as a module', async (t) => {
  assert.match(await run(t, 'readme.mjs', linesOf('README.md')), /0\. base[\s\S]*BROKEN_CHAIN/);
});

test('the lines of the README run with require', async (t) => {
  const required = linesOf('README.md').replace(/import (\{.*?\}) from ('.*?')/g, 'const $1 = require($2)');
  assert.match(await run(t, 'readme.cjs', `(async () => {${required}})();`), /BROKEN_CHAIN/);
});

test('the lines of the cookbook run', async (t) => {
  assert.match(await run(t, 'cookbook.mjs', linesOf('../../docs/cookbook.md')), /base \w+ until/);
});
