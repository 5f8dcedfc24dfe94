/**
 * A closed schema for what crosses the wire: one table describes every frame,
 * and the reader, the writer, the types, the JSON form and the schema's hash
 * are derived from it.
 *
 * A value has two forms: `positional` (MessagePack arrays in the order of the
 * table) and `named` (JSON objects). Unknown fields, missing fields and values
 * out of range are refused, with the path of the offender.
 */
export class SchemaError extends Error {
  override readonly name: string = "SchemaError";
}

/** Not even a value: bytes that are not MessagePack, text that is not JSON. */
export class UnreadableError extends SchemaError {
  override readonly name = "UnreadableError";
}

export type Form = "positional" | "named";

export interface Field<T> {
  /** Canonical text of this field; what the schema's hash is taken over. */
  readonly spec: string;
  /** A checked value, or a SchemaError naming `path`. */
  read(wire: unknown, form: Form, path: string): T;
  write(value: T, form: Form): unknown;
  readonly mayBeAbsent?: true;
}
export interface OptionalField<T> extends Field<T> {
  readonly mayBeAbsent: true;
}
export type Fields = Readonly<Record<string, Field<unknown>>>;
export type ValueOf<F> = F extends { read(...args: never[]): infer T } ? T : never;
type OptionalKeys<F extends Fields> = {
  [K in keyof F]: F[K] extends OptionalField<unknown> ? K : never;
}[keyof F];
export type ValuesOf<F extends Fields> = {
  readonly [K in Exclude<keyof F, OptionalKeys<F>>]: ValueOf<F[K]>;
} & { readonly [K in OptionalKeys<F>]?: ValueOf<F[K]> };

/** Name of each variant, with its wire code and its fields in wire order. */
export type Variants = Readonly<Record<string, { readonly code: number; readonly fields: Fields }>>;
/** The discriminated union that a table of variants describes. */
export type VariantOf<V extends Variants> = {
  [K in keyof V & string]: { readonly type: K } & ValuesOf<V[K]["fields"]>;
}[keyof V & string];

function refuse(path: string, expected: string): never {
  throw new SchemaError(`${path}: expected ${expected}`);
}

function sameInBothForms<T>(spec: string, read: (wire: unknown, path: string) => T): Field<T> {
  return { spec, read: (wire, _form, path) => read(wire, path), write: (value) => value };
}

export interface TextBounds {
  /** Largest size in UTF-8 bytes, after NFC if that is asked for. */
  readonly bytes: number;
  /** Largest number of characters (code points). */
  readonly chars?: number;
  readonly pattern?: RegExp;
  /** Bring to NFC on the way in, before the sizes are taken. */
  readonly nfc?: boolean;
}

/** No text and no list without a bound: the size of what is read is known before it is. */
const BOUND_MAX = 1_048_576;

function checkBound(bound: number, what: string): void {
  if (Number.isSafeInteger(bound) && bound >= 0 && bound <= BOUND_MAX) return;
  throw new Error(`a ${what} needs a bound of at most ${BOUND_MAX}, not ${bound}`);
}

/** Well-formed text; lone surrogates are refused because they do not survive UTF-8. */
export function text<T extends string = string>(bounds: TextBounds): Field<T> {
  const { bytes, chars, pattern, nfc } = bounds;
  checkBound(bytes, "text");
  const spec = `text(${bytes},${chars ?? ""},${pattern?.source ?? ""},${nfc ? "nfc" : ""})`;
  return sameInBothForms(spec, (wire, path) => {
    if (typeof wire !== "string") return refuse(path, "text");
    const value = nfc ? wire.normalize("NFC") : wire;
    // A UTF-16 unit takes at most 3 bytes, so most texts need no exact count.
    if (value.length * 3 > bytes && utf8Length(value) > bytes) {
      return refuse(path, `at most ${bytes} bytes`);
    }
    if (chars !== undefined && value.length > chars && Array.from(value).length > chars) {
      return refuse(path, `at most ${chars} characters`);
    }
    if (LONE_SURROGATE.test(value)) return refuse(path, "well-formed Unicode");
    if (pattern && !pattern.test(value)) return refuse(path, `text like ${pattern.source}`);
    return value as T;
  });
}
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Size in UTF-8 without encoding it, of well-formed text. */
export function utf8Length(value: string): number {
  let bytes = value.length;
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit < 0x80) continue;
    // A surrogate pair is two units and four bytes: one extra for each half.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

/** An integer from `min` (0) to `max` (2^53 - 1). */
export function uint<T extends number = number>(min = 0, max = Number.MAX_SAFE_INTEGER): Field<T> {
  return sameInBothForms(`uint(${min},${max})`, (wire, path) => {
    if (typeof wire !== "number" || !Number.isSafeInteger(wire) || wire < min || wire > max) {
      return refuse(path, `an integer from ${min} to ${max}`);
    }
    return wire as T;
  });
}

export const flag: Field<boolean> = sameInBothForms("flag", (wire, path) =>
  typeof wire === "boolean" ? wire : refuse(path, "true or false"),
);

/** One of a closed set of words. */
export function choice<const T extends string>(words: readonly T[]): Field<T> {
  return sameInBothForms(`choice(${words.join("|")})`, (wire, path) =>
    words.includes(wire as T) ? (wire as T) : refuse(path, `one of ${words.join(", ")}`),
  );
}

export function nullable<T>(of: Field<T>): Field<T | null> {
  return {
    spec: `${of.spec}?`,
    read: (wire, form, path) => (wire === null ? null : of.read(wire, form, path)),
    write: (value, form) => (value === null ? null : of.write(value, form)),
  };
}

/**
 * May be absent: left out at the end of an array and anywhere in an object, nil between others. So
 * a field can be added without a change to what is written already, in the log for ever.
 */
export function optional<T>(of: Field<T>): OptionalField<T> {
  return { ...of, spec: `${of.spec}!`, mayBeAbsent: true };
}

export function list<T>(of: Field<T>, max: number, min = 0): Field<readonly T[]> {
  checkBound(max, "list");
  return {
    spec: `list(${of.spec},${min},${max})`,
    read(wire, form, path) {
      if (!Array.isArray(wire)) return refuse(path, "a list");
      if (wire.length < min || wire.length > max) refuse(path, `${min} to ${max} items`);
      return wire.map((item, i) => of.read(item, form, `${path}[${i}]`));
    },
    write: (value, form) => value.map((item) => of.write(item, form)),
  };
}

export function struct<F extends Fields>(fields: F): Field<ValuesOf<F>> {
  const shape = new Shape(fields);
  return {
    spec: shape.spec,
    read(wire, form, path) {
      const value: Record<string, unknown> = {};
      shape.read(wire, form, path, 0, value);
      return value as ValuesOf<F>;
    },
    write: (value, form) => shape.write(value, form, []),
  };
}

/** A discriminated union: `[code, …fields]`, or `{"type": name, …fields}`. */
export function variant<V extends Variants>(table: V): Field<VariantOf<V>> {
  const byCode = new Map<unknown, VariantShape>();
  const byName = new Map<unknown, VariantShape>();
  for (const [name, { code, fields }] of Object.entries(table)) {
    const entry = { name, code, shape: new Shape(fields) };
    if (byCode.has(code)) throw new Error(`wire code ${code} is given twice`);
    byCode.set(code, entry);
    byName.set(name, entry);
  }
  const spec = [...byName.values()].map((v) => `${v.code}:${v.name}${v.shape.spec}`).join("|");
  return {
    spec: `variant(${spec})`,
    read(wire, form, path) {
      const found = form === "positional" ? byCode.get(codeOf(wire)) : byName.get(nameOf(wire));
      if (!found) return refuse(path, "a known type");
      const value: Record<string, unknown> = { type: found.name };
      found.shape.read(wire, form, path, 1, value);
      return value as VariantOf<V>;
    },
    write(value, form) {
      const found = byName.get(value.type);
      if (!found) throw new Error(`no variant is called ${value.type}`);
      if (form === "positional") return found.shape.write(value, form, [found.code]);
      return { type: found.name, ...(found.shape.write(value, form, []) as object) };
    },
  };
}
interface VariantShape {
  readonly name: string;
  readonly code: number;
  readonly shape: Shape;
}
const codeOf = (wire: unknown): unknown => (Array.isArray(wire) ? wire[0] : undefined);
const nameOf = (wire: unknown): unknown => (isRecord(wire) ? wire["type"] : undefined);

/** Fields in wire order, read and written in either form. */
class Shape {
  readonly spec: string;
  readonly #names: readonly string[];
  readonly #fields: readonly Field<unknown>[];
  /** Fields that are always there; the others follow them. */
  readonly #required: number;

  constructor(fields: Fields) {
    this.#names = Object.keys(fields);
    this.#fields = Object.values(fields);
    this.#required = 1 + this.#fields.findLastIndex((field) => !field.mayBeAbsent);
    if (this.#fields.slice(0, this.#required).some((field) => field.mayBeAbsent)) {
      throw new Error(`optional fields come last: ${this.#names.join(", ")}`);
    }
    this.spec = `{${this.#names.map((n, i) => `${n}:${this.#fields[i]?.spec}`).join(",")}}`;
  }

  /** Reads into `out`; the first `skip` positions of an array belong to the caller. */
  read(wire: unknown, form: Form, path: string, skip: number, out: Record<string, unknown>): void {
    const names = this.#names;
    const values =
      form === "positional" ? this.#positions(wire, skip, path) : this.#named(wire, skip, path);
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string;
      const field = this.#fields[i] as Field<unknown>;
      const value = values(i);
      if (field.mayBeAbsent && (value === undefined || value === null)) continue;
      out[name] = field.read(value, form, path === "" ? name : `${path}.${name}`);
    }
  }

  #positions(wire: unknown, skip: number, path: string): (i: number) => unknown {
    const size = this.#names.length + skip;
    const least = this.#required + skip;
    if (!Array.isArray(wire) || wire.length > size || wire.length < least) {
      const sizes = least === size ? `${size}` : `${least} to ${size}`;
      return refuse(path, `an array of ${sizes}: ${this.#names.join(", ")}`);
    }
    return (i) => wire[i + skip];
  }

  #named(wire: unknown, skip: number, path: string): (i: number) => unknown {
    if (!isRecord(wire)) return refuse(path, "an object");
    const known = this.#names;
    const extra = Object.keys(wire).find(
      (key) => !(skip && key === "type") && !known.includes(key),
    );
    if (extra !== undefined) refuse(path, `no field "${extra}" but only ${known.join(", ")}`);
    // A field left out reads as null, so that people may omit the optional ones.
    return (i) => wire[known[i] as string] ?? null;
  }

  write(value: object, form: Form, head: unknown[]): unknown {
    const source = value as Record<string, unknown>;
    if (form === "positional") {
      let size = this.#names.length;
      while (size > this.#required && source[this.#names[size - 1] as string] === undefined) size--;
      for (let i = 0; i < size; i++) head.push(this.#written(i, source, form) ?? null);
      return head;
    }
    const named: Record<string, unknown> = {};
    this.#names.forEach((name, i) => {
      const written = this.#written(i, source, form);
      if (written !== undefined) named[name] = written;
    });
    return named;
  }

  #written(i: number, source: Record<string, unknown>, form: Form): unknown {
    const value = source[this.#names[i] as string];
    const field = this.#fields[i] as Field<unknown>;
    return value === undefined && field.mayBeAbsent ? undefined : field.write(value, form);
  }
}

function isRecord(wire: unknown): wire is Record<string, unknown> {
  return typeof wire === "object" && wire !== null && !Array.isArray(wire);
}
