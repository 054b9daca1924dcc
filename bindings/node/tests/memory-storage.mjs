/** A storage in memory, every method plain; and the same with every method async. */

import { setImmediate } from 'node:timers/promises';

import { Storage, StrongroomError } from 'strongroom';

export class MemoryStorage extends Storage {
  objects = new Map();

  create(key, mode) {
    return new MemoryUpload(this, key, mode);
  }

  read(key, range) {
    const body = this.objects.get(key);
    if (body === undefined) throw new StrongroomError('NOT_FOUND', `no object '${key}'`);
    const [start, end] = range ?? [0, body.length];
    if (start > end || end > body.length) throw new RangeError(`'${key}' has ${body.length} bytes`);
    return body.subarray(start, end);
  }

  stat(key) {
    const body = this.objects.get(key);
    if (body === undefined) throw Object.assign(new Error(`no object '${key}'`), { code: 'ENOENT' });
    return { key, size: body.length };
  }

  list(prefix) {
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix)).map((key) => this.stat(key));
  }

  delete(key) {
    this.objects.delete(key);
  }
}

class MemoryUpload {
  #chunks = [];

  constructor(storage, key, mode) {
    Object.assign(this, { storage, key, mode });
  }

  write(chunk) {
    this.#chunks.push(chunk);
  }

  finish() {
    const { storage, key, mode } = this;
    if (mode === 'create-new' && storage.objects.has(key)) throw Object.assign(new Error(`'${key}' is there`), { code: 'EEXIST' });
    storage.objects.set(key, Buffer.concat(this.#chunks));
    return storage.stat(key);
  }
}

export class AsyncStorage extends Storage {
  inner = new MemoryStorage();
  aborted = 0;

  async create(key, mode) {
    await setImmediate();
    const upload = this.inner.create(key, mode);
    return {
      write: async (chunk) => {
        await setImmediate();
        upload.write(chunk);
      },
      finish: async () => upload.finish(),
      abort: async () => {
        this.aborted++;
      },
    };
  }

  async read(key, range) {
    const body = this.inner.read(key, range);
    return (async function* () {
      for (let start = 0; start < body.length; start += 60_000) {
        await setImmediate();
        yield body.subarray(start, start + 60_000);
      }
    })();
  }

  async stat(key) {
    return this.inner.stat(key);
  }

  async *list(prefix) {
    for (const meta of this.inner.list(prefix)) {
      await setImmediate();
      yield { ...meta, modified: new Date('2026-01-01') };
    }
  }

  async delete(key) {
    this.inner.delete(key);
  }
}
