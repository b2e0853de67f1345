import { expect, test } from "vitest";
import { countTests } from "../../tools/test-summary.mjs";

const clean = {
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 1,
  numTodoTests: 1,
  testResults: [],
};

test("counts what the report counts", () => {
  expect(countTests(clean, 0)).toEqual({ passed: 3, failed: 0, skipped: 2 });
});

test("a file that broke before its tests is a failure", () => {
  const report = { ...clean, testResults: [{ status: "failed", assertionResults: [] }] };
  expect(countTests(report, 1).failed).toBe(1);
});

test("a file with a failed test is not counted twice", () => {
  const failed = [{ status: "failed", assertionResults: [{ status: "failed" }] }];
  expect(countTests({ ...clean, numFailedTests: 1, testResults: failed }, 1).failed).toBe(1);
});

test("an error outside every test is a failure", () => {
  expect(countTests(clean, 1)).toEqual({ passed: 3, failed: 1, skipped: 2 });
});

test("a run that left no report is a failure", () => {
  expect(countTests(undefined, 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});
