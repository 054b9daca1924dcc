/**
 * A JSON file as a cluster: `{ table: { id: row } }`. A freeze is a copy beside it (delete it when you like), an incremental their
 * difference, deletes included.
 */

import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { Cluster, Moment, PieceSummary, StrongroomError } from 'strongroom';

export class JsonCluster extends Cluster {
  constructor(path) {
    super();
    this.path = resolve(path);
  }

  capabilities() {
    return { incremental: true, deletesSeen: true };
  }

  describe() {
    const id = Buffer.from(this.path).toString('hex').padStart(32, '0').slice(-32);
    return { id, name: 'JSON', parts: { main: {} } };
  }

  copyOf(moment) {
    return `${this.path}.frozen-${moment.micros}`;
  }

  async freeze({ parts, since }) {
    if (parts !== undefined && (Object.keys(parts).join() !== 'main' || Object.keys(parts.main).length > 0)) {
      throw new StrongroomError('main' in parts ? 'UNSUPPORTED' : 'NOT_FOUND', "there is 'main', as a whole");
    }
    const until = new Moment(BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)));
    const then = since.main && this.copyOf(since.main);
    if (then && !(await load(then, null))) throw new StrongroomError('BROKEN_CHAIN', `the copy of ${since.main.toISOString()} is gone`);
    await save(this.copyOf(until), await load(this.path, {}));
    const detail = { now: this.copyOf(until), then };
    return [{ part: 'main', from: since.main, until, deletes: 'seen', pieces: [{ name: 'rows', detail }] }];
  }

  async *read({ detail }) {
    const now = await load(detail.now, null);
    if (!now) throw new StrongroomError('NOT_FOUND', 'the copy is not there any more', { advice: 'freeze again' });
    const then = detail.then ? await load(detail.then, {}) : {};
    let [records, deletes] = [0, 0];
    for (const table of new Set([...Object.keys(then), ...Object.keys(now)])) {
      const [old, rows] = [then[table] ?? {}, now[table] ?? {}];
      for (const id of new Set([...Object.keys(old), ...Object.keys(rows)])) {
        if (JSON.stringify(old[id]) === JSON.stringify(rows[id])) continue;
        id in rows ? records++ : deletes++;
        yield Buffer.from(`${JSON.stringify([table, id, rows[id] ?? null])}\n`);
      }
    }
    yield new PieceSummary({ records, deletes });
  }

  checkRestore(_parts, { conflict, rename: names, ...wishes }) {
    const plain = conflict === 'replace' && Object.keys(names).length === 0 && !Object.values(wishes).some(Boolean);
    return plain ? [] : ['it is restored as it was, into what is empty'];
  }

  async beginRestore(_id, parts, options) {
    const [refusal] = this.checkRestore(parts, options);
    if (refusal) throw new StrongroomError('UNSUPPORTED', refusal);
    for (const name of await readdir(dirname(this.path))) {
      if (name.startsWith(`${basename(this.path)}.frozen-`)) await rm(join(dirname(this.path), name)); // what comes next is a base
    }
  }

  async write(_session, _step, _part, _piece, body) {
    const [tables, counts] = [await load(this.path, {}), { written: 0, deleted: 0 }];
    const lines = (await body.read()).toString().split('\n').slice(0, -1);
    for (const line of lines) {
      const change = parse(line);
      const [table, id, row] = change;
      if (row !== null) (tables[table] ??= {})[id] = row;
      else if (tables[table]) delete tables[table][id];
      counts[row === null ? 'deleted' : 'written']++;
    }
    await save(this.path, tables);
    return counts;
  }
}

function parse(line) {
  try {
    const change = JSON.parse(line);
    if (Array.isArray(change) && change.length === 3 && typeof change[0] === 'string') return change;
  } catch {
    // told below
  }
  throw new StrongroomError('CORRUPT', `this is no row: ${line.slice(0, 80)}`);
}

async function load(path, missing) {
  return readFile(path, 'utf8').then(JSON.parse, (error) => (error.code === 'ENOENT' ? missing : Promise.reject(error)));
}

async function save(path, tables) {
  const written = `${path}.${randomUUID()}`;
  await writeFile(written, JSON.stringify(tables));
  await rename(written, path);
}
