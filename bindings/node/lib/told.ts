/** What is told, as objects: fields have the names of the JSON, in camelCase. */

/** What is told as it is in the JSON: its fields are in `docs/names.md`, in the names of the JSON. */
export type Json = any;

/** @internal */
export type Reader<T> = (json: Json) => T;

/** @internal */
export function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** @internal */
export function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/**
 * Reads objects of `cls`. Fields with a reader are read by it; the others are taken as they are: what is within them has the
 * names of the JSON. `null` is left out.
 * @internal
 */
export function reads<T extends object>(cls: new () => T, readers: Record<string, Reader<unknown>> = {}): Reader<T> {
  return (json) => {
    const told = new cls() as Record<string, unknown>;
    for (const [name, value] of Object.entries(json as Record<string, Json>)) {
      if (value === null) continue;
      const field = camel(name);
      told[field] = readers[field]?.(value) ?? value;
    }
    // As JSON it is what every language reads.
    Object.defineProperty(told, 'toJSON', { value: () => json });
    return Object.freeze(told) as T;
  };
}

/** @internal */
export function list<T>(read: Reader<T>): Reader<T[]> {
  return (json: Json[]) => json.map(read);
}

/** @internal */
export function named<T>(read: Reader<T>): Reader<Record<string, T>> {
  return (json: Record<string, Json>) =>
    Object.fromEntries(Object.entries(json).map(([name, value]) => [name, read(value)]));
}
