/** The kinds of values that settings have: how they are read, written and described. */

export type Parsed<T> = { readonly value: T } | { readonly problem: string };

export interface Kind<T> {
  /** Placeholder in a flag, for instance `number`. */
  readonly label: string;
  /** The values that are taken, for a table; may be empty. */
  readonly values: string;
  /** `problem` completes the words "expected …". */
  parse(text: string): Parsed<T>;
  format(value: unknown): string;
}
/** Says what was expected instead, or null when the value is fine. */
type Check = (value: string) => string | null;

/** Whole numbers from `min` to `max`, in decimal digits. */
export function integer(min: number, max: number): Kind<number> {
  return {
    label: "number",
    values: `${min} to ${max}`,
    parse(text) {
      const value = Number(text);
      const fits = /^\d{1,15}$/.test(text) && value >= min && value <= max;
      return fits ? { value } : { problem: `a whole number from ${min} to ${max}` };
    },
    format: String,
  };
}

/** One of a closed set of words. */
export function word<const T extends string>(words: readonly T[]): Kind<T> {
  return {
    label: words.length > 3 ? "word" : words.join("|"),
    values: words.map((each) => `\`${each}\``).join(", "),
    parse(text) {
      const value = words.find((each) => each === text);
      return value === undefined ? { problem: `one of ${words.join(", ")}` } : { value };
    },
    format: String,
  };
}

export function text(label: string, check: Check = () => null): Kind<string> {
  return {
    label,
    values: label,
    parse(value) {
      const problem = check(value);
      return problem === null ? { value } : { problem };
    },
    format: String,
  };
}

/** Items between commas; space around them is ignored. */
export function list(label: string, check: Check): Kind<readonly string[]> {
  return {
    label,
    values: label,
    parse(given) {
      const value = given.split(",").map((item) => item.trim());
      const problem = value.map(check).find((found) => found !== null);
      return typeof problem === "string" ? { problem } : { value };
    },
    format: (value) => (value as readonly string[]).join(","),
  };
}

/** A value that need not be there: null, written as nothing. */
export function optional<T>(kind: Kind<T>): Kind<T | null> {
  return { ...kind, format: (value) => (value === null ? "" : kind.format(value)) };
}

/** A kind that can be switched off: null, written as `off`. */
export function switchable<T>(kind: Kind<T>): Kind<T | null> {
  return {
    label: kind.label,
    values: `${kind.values}, or \`off\``,
    parse(given) {
      if (given === "off") return { value: null };
      const parsed = kind.parse(given);
      return "problem" in parsed ? { problem: `${parsed.problem}, or off` } : parsed;
    },
    format: (value) => (value === null ? "off" : kind.format(value)),
  };
}

/** On or off. */
export const flag: Kind<boolean> = {
  label: "",
  values: "",
  parse: (given) => ({ value: given === "true" }),
  format: String,
};
