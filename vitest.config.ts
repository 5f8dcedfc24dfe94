import { defineConfig } from "vitest/config";

/** The suffix says what a test costs; `vitest run --project unit` runs the cheap ones alone. */
const PROJECTS = [
  {
    name: "unit",
    include: ["test/**/*.test.ts"],
    exclude: ["**/*.{redis,e2e,fuzz}.test.ts"],
    seconds: 20,
  },
  { name: "redis", include: ["test/**/*.redis.test.ts"], exclude: [], seconds: 60 },
  { name: "fuzz", include: ["test/**/*.fuzz.test.ts"], exclude: [], seconds: 120 },
  { name: "e2e", include: ["test/**/*.e2e.test.ts"], exclude: [], seconds: 180 },
];

export default defineConfig({
  test: {
    // Processes, because uWebSockets.js cannot be loaded twice into one process; two, because
    // redis-server and child processes want the other cores.
    pool: "forks",
    maxWorkers: 2,
    reporters: ["./test/support/reporter.ts"],
    projects: PROJECTS.map(({ name, include, exclude, seconds }) => ({
      extends: true,
      test: {
        name,
        include,
        exclude,
        setupFiles: ["./test/support/leak-check.ts"],
        // Far above what a test takes: a limit against hanging, not a gate on speed.
        testTimeout: seconds * 1_000,
        hookTimeout: 60_000,
      },
    })),
  },
});
