/** @file Counts the tests of a Vitest run from its JSON report. */

/**
 * The members of Vitest's report that are read here.
 * @typedef {object} Report
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {number} numPendingTests skipped, by the test or by a filter
 * @property {number} numTodoTests
 * @property {{ status: string, assertionResults: { status: string }[] }[]} testResults one entry a file
 */

/**
 * Failures that belong to no test count too: a run is as good as Vitest's exit status says, and no better.
 * @param {Report | undefined} report nothing when Vitest died before writing it
 * @param {number} exitStatus of Vitest
 * @returns {{ passed: number, failed: number, skipped: number }}
 */
export function countTests(report, exitStatus) {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  // A file that breaks before its first test has no failed test to count.
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === "failed" && !assertionResults.some((assertion) => assertion.status === "failed"),
  );
  const failed = report.numFailedTests + brokenFiles.length;
  return {
    passed: report.numPassedTests,
    // Vitest also fails for errors outside every test, such as a worker that died.
    failed: failed === 0 && exitStatus !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}
