/** Adapters written in JavaScript, plain and async: the contracts, and whole backups and restores through them. */

import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32, deflateSync, inflateSync } from 'node:zlib';

import { Codec, EmbeddedCluster, Repository } from 'strongroom';
import { clusterContract, codecContract, storageContract } from 'strongroom/testing';

import { JsonCluster } from '../examples/json-cluster.mjs';
import { AsyncStorage, MemoryStorage } from './memory-storage.mjs';
import { begun, folder } from './temporary.mjs';

for (const Kind of [MemoryStorage, AsyncStorage]) {
  test(`${Kind.name} keeps the contract`, () => storageContract(new Kind()));

  test(`a repository lives in ${Kind.name}`, async (t) => {
    const { cluster, file } = await begun(t);
    const storage = new Kind();
    const repository = await Repository.init(storage);
    assert.match(String(repository), new RegExp(`a ${Kind.name}`));
    const first = await repository.backup(cluster);
    await cluster.delete('app', 1, { set: 'users' });
    await repository.backup(cluster);
    const copied = await repository.copy(new MemoryStorage());
    assert.equal(copied.copied, 2);
    const again = await Repository.open(storage);
    await again.restore(`embedded:${file('then.redb')}`, { backup: first.backups[0], journal: new Kind() });
    const then = await EmbeddedCluster.open(file('then.redb'));
    assert.equal((await then.namespaces()).app.records, 100);
    assert.ok((await again.verify({ depth: 'decode' })).isWhole);
  });
}

test('a storage that breaks a promise is found', async () => {
  class Forgetful extends MemoryStorage {
    create(key) {
      return super.create(key, 'overwrite');
    }
  }
  await assert.rejects(storageContract(new Forgetful()), { code: 'ERR_ASSERTION', message: /storage contract/ });
});

test('what an adapter throws is the cause, and keeps its meaning', async (t) => {
  const { cluster } = await begun(t);
  const thrown = Object.assign(new Error('no room at all'), { code: 'ENOSPC' });
  class Full extends MemoryStorage {
    full = false;
    create(key, mode) {
      if (this.full) throw thrown;
      return super.create(key, mode);
    }
  }
  const storage = new Full();
  const repository = await Repository.init(storage);
  storage.full = true;
  await assert.rejects(repository.backup(cluster), (error) => {
    assert.equal(error.code, 'NO_SPACE');
    assert.match(error.message, /no room at all/);
    assert.equal(error.cause, thrown);
    return true;
  });
  storage.full = false;
  await repository.backup(cluster);
  assert.equal((await repository.catalogue()).length, 1);
});

test('an upload that is given up is aborted', async (t) => {
  const { cluster } = await begun(t);
  await cluster.putMany('app', Array.from({ length: 3000 }, (_, n) => [n, { text: 'x'.repeat(400) }]));
  const storage = new AsyncStorage();
  const repository = await Repository.init(storage);
  const job = repository.backup(cluster, { limitRate: '100KiB', codecs: 'none' });
  for await (const event of job) {
    if (event.plainBytes > 0) break;
  }
  job.cancel();
  await assert.rejects(job, { code: 'CANCELLED' });
  assert.ok(storage.aborted > 0);
});

/** zlib with a checksum, so that it notices changed bytes. */
class Packing extends Codec {
  id = 'zlib';

  begin() {
    return {
      encode: (_index, _last, plain) => {
        const packed = deflateSync(plain, { level: 1 });
        return Buffer.concat([sum(packed), packed]);
      },
      decode: (_index, _last, coded, limit) => {
        const packed = coded.subarray(4);
        if (!sum(packed).equals(coded.subarray(0, 4))) throw new Error('this is no frame');
        // Bytes behind the end would be passed over.
        const { buffer, engine } = inflateSync(packed, { maxOutputLength: Math.max(limit, 1), info: true });
        if (engine.bytesWritten !== packed.length) throw new Error('this is no frame');
        return buffer;
      },
    };
  }
}

function sum(bytes) {
  const four = Buffer.alloc(4);
  four.writeUInt32BE(checksum(bytes));
  return four;
}

// Node.js has it from 22.2.
const checksum =
  crc32 ??
  ((bytes) => {
    let rest = 0xffff_ffff;
    for (const byte of bytes) {
      rest ^= byte;
      for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb8_8320 : 0);
    }
    return (rest ^ 0xffff_ffff) >>> 0;
  });

test('a codec keeps the contract', () => codecContract(new Packing(), 'bytes'));

test('a codec that claims too much is found', async () => {
  await assert.rejects(codecContract(new Packing(), 'place'), { code: 'ERR_ASSERTION', message: /codec contract/ });
});

test("a repository keeps what a codec of one's own wrote", async (t) => {
  const { cluster, file } = await begun(t);
  const storage = new MemoryStorage();
  const ownCodecs = [new Packing()];
  await assert.rejects(Repository.init(storage, { codecs: 'zlib' }), { code: 'UNSUPPORTED' });
  const repository = await Repository.init(storage, { codecs: 'zstd:1,zlib', ownCodecs });
  assert.deepEqual(repository.info.codecs, ['zstd', 'zlib']);
  await repository.backup(cluster);
  const again = await Repository.open(storage, { ownCodecs });
  await again.restore(`embedded:${file('x.redb')}`);
  assert.equal(await (await EmbeddedCluster.open(file('x.redb'))).hash('app'), await cluster.hash('app'));
  await assert.rejects(Repository.open(storage), (error) => error.code === 'UNSUPPORTED' && /of your own/.test(error.advice));
});

/** The example, filled and looked into. */
class JsonFixture {
  constructor(path) {
    this.path = path;
    this.cluster = new JsonCluster(join(path, 'app.json'));
  }

  async change(seed) {
    const tables = await this.tables();
    tables.items ??= {};
    for (let n = 0; n < 20; n++) tables.items[n * (1 + (seed % 3))] = { name: `item ${n} of ${seed}`, raw: [seed % 256] };
    for (const id of Object.keys(tables.items)) if (id % 7 === seed % 7) delete tables.items[id];
    await mkdir(this.path, { recursive: true });
    await writeFile(join(this.path, 'app.json'), JSON.stringify(tables));
  }

  async tables() {
    return readFile(join(this.path, 'app.json'), 'utf8').then(JSON.parse, () => ({}));
  }

  async contents() {
    const rows = Object.entries(await this.tables()).flatMap(([table, some]) =>
      Object.entries(some).map(([id, row]) => [`main/${table}/${id}`, Buffer.from(JSON.stringify(row))]),
    );
    return Object.fromEntries(rows);
  }

  async freshTarget() {
    const fresh = new JsonFixture(`${this.path}-${JsonFixture.made++}`);
    await mkdir(fresh.path);
    return fresh;
  }

  static made = 0;
}

async function fixture(t) {
  const path = join(await folder(t), 'source');
  await mkdir(path);
  return new JsonFixture(path);
}

test('the example keeps the contract', async (t) => clusterContract(await fixture(t)));

test('the example is restored to a moment', async (t) => {
  const source = await fixture(t);
  const repository = await Repository.init(new MemoryStorage());
  const [states, moments, kinds] = [[], [], []];
  for (let seed = 0; seed < 4; seed++) {
    await source.change(seed);
    states.push(await source.contents());
    const [made] = (await repository.backup(source.cluster)).backups;
    moments.push(made.window.until);
    kinds.push(made.kind);
  }
  assert.deepEqual(kinds, ['base', 'incremental', 'incremental', 'incremental']);
  for (const [number, at] of moments.entries()) {
    const target = await source.freshTarget();
    await repository.restore(target.cluster, { at });
    assert.deepEqual(await target.contents(), states[number]);
  }
});
