/**
 * Backs up and restores one large piece, from a cluster and through a storage that are both written in JavaScript.
 *
 * Called by `endurance.test.mjs` in a process of its own: `large-piece.mjs BYTES LIMIT_MIB`. Fails if it took more memory, or if what
 * came back is not what was sent.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

import { Cluster, PieceSummary, Repository, Storage } from 'strongroom';

const CHUNK = 1 << 20;

/** Objects as files. */
class Folder extends Storage {
  constructor(root) {
    super();
    this.root = root;
  }

  async create(key, mode) {
    const path = join(this.root, key);
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, mode === 'create-new' ? 'wx' : 'w');
    return {
      write: async (chunk) => void (await file.writeFile(chunk)),
      finish: async () => {
        await file.close();
        return this.stat(key);
      },
      abort: async () => {
        await file.close();
        await rm(path, { force: true });
      },
    };
  }

  async read(key, range) {
    const { size } = await this.stat(key);
    const [start, end] = range ?? [0, size];
    if (start > end || end > size) throw new RangeError('beyond the end');
    return start === end ? [] : createReadStream(join(this.root, key), { start, end: end - 1, highWaterMark: CHUNK });
  }

  async stat(key) {
    return { key, size: (await stat(join(this.root, key))).size };
  }

  async *list(prefix) {
    for (const entry of await readdir(this.root, { recursive: true, withFileTypes: true })) {
      const key = relative(this.root, join(entry.parentPath ?? entry.path, entry.name));
      if (entry.isFile() && key.startsWith(prefix)) yield this.stat(key);
    }
  }

  async delete(key) {
    await rm(join(this.root, key), { force: true });
  }
}

/** A cluster of one piece of so many bytes, which keeps the hash of what it gave and of what it got. */
class OnePiece extends Cluster {
  constructor(size) {
    super();
    this.size = size;
  }

  describe() {
    return { id: '6f1c9d0e-0000-4000-8000-000000000001', name: 'one piece', parts: { app: {} } };
  }

  freeze() {
    return [{ part: 'app', until: new Date(), pieces: [{ name: 'piece', bytes: this.size }] }];
  }

  *read() {
    const hash = createHash('blake2b512');
    const pattern = Buffer.alloc(CHUNK, createHash('sha256').update('one piece').digest());
    for (let start = 0; start < this.size; start += CHUNK) {
      pattern.writeDoubleBE(start);
      const chunk = Buffer.from(pattern.subarray(0, Math.min(CHUNK, this.size - start)));
      hash.update(chunk);
      yield chunk;
    }
    this.given = hash.digest('hex');
    yield new PieceSummary({ records: 1 });
  }

  async write(_session, _step, _part, _piece, body) {
    const hash = createHash('blake2b512');
    for await (const chunk of body) hash.update(chunk);
    this.got = hash.digest('hex');
    return { written: 1 };
  }
}

const [size, limit] = process.argv.slice(2).map(Number);
const folder = mkdtempSync(join(tmpdir(), 'strongroom-node-'));
try {
  const [source, target] = [new OnePiece(size), new OnePiece(size)];
  const repository = await Repository.init(new Folder(folder), { codecs: 'none' });
  const [made] = (await repository.backup(source)).backups;
  assert.equal(made.totals.plainBytes, size);
  assert.ok((await repository.verify({ depth: 'decode' })).isWhole);
  await repository.restore(target);
  assert.equal(target.got, source.given);
  const peak = process.resourceUsage().maxRSS / 1024;
  console.log(`a piece of ${size / 2 ** 20} MiB took ${peak.toFixed(0)} MiB at most`);
  assert.ok(peak < limit, `${peak.toFixed(0)} MiB were taken, ${limit} are allowed`);
} finally {
  rmSync(folder, { recursive: true });
}
