/** The lines of the README, run from top to bottom, as an ES module and by `require`. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { folder } from './temporary.mjs';

const root = new URL('..', import.meta.url).pathname;
const blocks = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^```js\n(.*?)^```/gms)].map(([, lines]) => lines);

for (const kind of ['module', 'commonjs']) {
  test(`the lines run: ${kind}`, async (t) => {
    const path = await folder(t);
    mkdirSync(join(path, 'node_modules'));
    symlinkSync(root, join(path, 'node_modules', 'strongroom'));
    const lines = ["process.on('exit', () => console.log('to the end'));", ...blocks].join('\n');
    const script =
      kind === 'module'
        ? lines
        : `(async () => {${lines.replace(/import (\{.*?\}) from ('.*?')/g, 'const $1 = require($2)')}})();`;
    const file = join(path, kind === 'module' ? 'readme.mjs' : 'readme.cjs');
    writeFileSync(file, script);
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], { cwd: path });
    assert.match(stdout, /0\. base[\s\S]*BROKEN_CHAIN[\s\S]*to the end/);
    assert.doesNotMatch(stderr, /Assertion failed/);
  });
}
