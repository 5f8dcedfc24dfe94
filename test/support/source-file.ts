/** What the tidy test needs to know of one source file. TypeScript 7 has no API, so Vite's parser reads it. */
import { parseAst } from "vitest/node";

export interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}
export interface SourceFile {
  /** From the root of the repository, with slashes. */
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  /** Functions by the line they start at, with their length in lines. */
  readonly functions: readonly { readonly line: number; readonly lines: number }[];
  /** Lines on which something is used that has its one place: `any`, `process.env`, … */
  readonly uses: readonly { readonly line: number; readonly what: string }[];
  /** Only passes on what others export. */
  readonly isBarrel: boolean;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

export function readSource(path: string, text: string): SourceFile {
  const root = parseAst(text, { lang: "ts" }) as unknown as Node;
  const lineAt = lineFinder(text);
  const imports: Import[] = [];
  const functions: { line: number; lines: number }[] = [];
  const uses: { line: number; what: string }[] = [];
  visit(root, null, (node, parent) => {
    const from = importedBy(node);
    if (from !== null) imports.push({ from, typeOnly: isTypeOnly(node) });
    if (isFunction(node) && !isChapter(node, parent)) {
      const line = lineAt(node.start);
      functions.push({ line, lines: lineAt(node.end) - line + 1 });
    }
    const what = usedBy(node);
    if (what !== null) uses.push({ line: lineAt(node.start), what });
  });
  const body = root["body"] as Node[];
  const isBarrel = body.length > 0 && body.every((node) => isReexport(node));
  return { path, lines: text.trimEnd().split("\n").length, imports, functions, uses, isBarrel };
}

function visit(
  node: Node,
  parent: Node | null,
  each: (node: Node, parent: Node | null) => void,
): void {
  each(node, parent);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) visit(child, node, each);
    }
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

const IMPORTING = new Set([
  "ImportDeclaration",
  "ExportNamedDeclaration",
  "ExportAllDeclaration",
  "ImportExpression",
]);

function importedBy(node: Node): string | null {
  if (!IMPORTING.has(node.type)) return null;
  const source = node["source"];
  return isNode(source) && typeof source["value"] === "string" ? source["value"] : null;
}

function isTypeOnly(node: Node): boolean {
  if (node["importKind"] === "type" || node["exportKind"] === "type") return true;
  const names = node["specifiers"] as Node[] | undefined;
  return names !== undefined && names.length > 0 && names.every((n) => n["importKind"] === "type");
}

function isReexport(node: Node): boolean {
  return (
    node.type === "ExportAllDeclaration" ||
    (node.type !== "ImportDeclaration" && importedBy(node) !== null)
  );
}

function isFunction(node: Node): boolean {
  return /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type);
}

/** The body of a `describe`, or a function that makes tests, is a chapter and not a function. */
function isChapter(node: Node, parent: Node | null): boolean {
  const body = node["body"] as Node;
  const statements = body.type === "BlockStatement" ? (body["body"] as Node[]) : [];
  const makes = statements.some((each) =>
    /^(describe|it|test)\b/.test(calledBy(each["expression"])),
  );
  return makes || calledBy(parent).startsWith("describe");
}

/** Name of what is called; `describe.each(rows)(title, body)` is a call of a call. */
function calledBy(node: unknown): string {
  if (!isNode(node)) return "";
  return node.type === "CallExpression" ? calledBy(node["callee"]) : nameOf(node);
}

function usedBy(node: Node): string | null {
  if (node.type === "TSAnyKeyword") return "any";
  const name = node.type === "MemberExpression" ? nameOf(node) : "";
  if (name === "process.env" || name === "Date.now") return name;
  if (node.type === "NewExpression" && nameOf(node["callee"]) === "Date") {
    return (node["arguments"] as Node[]).length === 0 ? "new Date()" : null;
  }
  if (node.type !== "CallExpression") return null;
  const called = nameOf(node["callee"]);
  const [first] = node["arguments"] as Node[];
  if (/\.(skip|only|todo)$/.test(called)) return called.replace(/^.*\./, "a test with .");
  const signal = /^SIG[A-Z]+$/.test(String(first?.["value"]));
  return signal && /^process\.(on|once|addListener)$/.test(called) ? "a signal handler" : null;
}

/** `a.b` of a member expression, `a` of a name, "" of anything else. */
function nameOf(value: unknown): string {
  if (!isNode(value)) return "";
  if (value.type === "Identifier") return String(value["name"]);
  if (value.type !== "MemberExpression") return "";
  return `${nameOf(value["object"])}.${nameOf(value["property"])}`;
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] as number) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}
