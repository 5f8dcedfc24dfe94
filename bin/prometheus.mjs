#!/usr/bin/env node
/**
 * Finds prometheus and promtool, or gets them. On Debian and its kin the package
 * is only unpacked, into .millrace: installing it would need root and start a
 * service that nobody asked for. Where it cannot, it says what to type.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { fail, ROOT, SetUpError, step } from "./set-up.mjs";

const FOLDER = join(ROOT, ".millrace", "tools", "prometheus");
const UNPACKED = join(FOLDER, "usr", "bin");

/** For managers that change the system: typed by a person, not by us. */
const TYPED = {
  dnf: "sudo dnf install -y /usr/bin/prometheus",
  apk: "sudo apk add prometheus",
  pacman: "sudo pacman -Sy --noconfirm prometheus",
};

/** Paths of both programs, which are of one version; null where there are none. */
export function findPrometheus() {
  const places = [
    ["prometheus", "promtool"],
    [join(UNPACKED, "prometheus"), join(UNPACKED, "promtool")],
  ];
  const found = places.find((programs) => programs.every(runs));
  return found ? { prometheus: found[0], promtool: found[1] } : null;
}

/** The same, after getting them if need be. Throws SetUpError with what to type. */
export function ensurePrometheus() {
  const there = findPrometheus();
  if (there) return there;
  if (runs("apt-get") && runs("dpkg")) unpackPackage();
  else if (runs("brew")) brew();
  else {
    const manager = Object.keys(TYPED).find(runs);
    throw missing(manager ? `type: ${TYPED[manager]}` : "install it from https://prometheus.io");
  }
  const found = findPrometheus();
  if (!found) throw missing("the package was unpacked, but prometheus does not run");
  return found;
}

function unpackPackage() {
  step("getting Prometheus (unpacked into .millrace/tools, not installed)");
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const download = () => run("apt-get", ["download", "prometheus"]);
  // Fresh containers have no package lists; with root they can be had.
  if (!download() && !(process.getuid?.() === 0 && run("apt-get", ["update"]) && download())) {
    throw missing("type: sudo apt-get update, and try again");
  }
  const archive = readdirSync(FOLDER).find((name) => name.endsWith(".deb"));
  if (!archive || !run("dpkg", ["-x", archive, "."])) throw missing("the package is broken");
  rmSync(join(FOLDER, archive));
}

function brew() {
  step("installing Prometheus with brew");
  if (!run("brew", ["install", "prometheus"])) throw missing("type: brew install prometheus");
}

function missing(advice) {
  return new SetUpError(`Prometheus is needed and was not found: ${advice}`);
}

function run(command, args) {
  if (!existsSync(FOLDER)) mkdirSync(FOLDER, { recursive: true });
  return spawnSync(command, args, { cwd: FOLDER, stdio: "ignore" }).status === 0;
}

function runs(command) {
  return spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    process.stdout.write(`${ensurePrometheus().prometheus}\n`);
  } catch (error) {
    fail(error);
  }
}
