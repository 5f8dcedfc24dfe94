#!/usr/bin/env node
/** Builds dist when the sources have changed. */
import { checkNode, ensureBuilt, ensureInstalled, fail } from "./set-up.mjs";

checkNode();
try {
  ensureInstalled({ development: true });
  ensureBuilt();
} catch (error) {
  fail(error);
}
