/** Vitest's own report, and below it the one line that the gate reads. */
import {
  DefaultReporter,
  type SerializedError,
  type TestModule,
  type TestRunEndReason,
} from "vitest/node";

export default class ClosingLineReporter extends DefaultReporter {
  override onTestRunEnd(
    modules: readonly TestModule[],
    unhandled: readonly SerializedError[],
    reason: TestRunEndReason,
  ): void {
    super.onTestRunEnd(modules, unhandled, reason);
    let passed = 0;
    // An error outside of tests, or in a hook or while loading a file, counts as a failure.
    let failed = unhandled.length;
    for (const module of modules) {
      failed += module.errors().length;
      for (const suite of module.children.allSuites()) failed += suite.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") passed++;
        // There are no skipped tests here, so one that did not run has failed.
        else failed++;
      }
    }
    this.log(`${passed} passed, ${failed} failed`);
  }
}
