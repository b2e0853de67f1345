/**
 * @file Runs the tests and ends with one line of its own: `N passed, N failed, N skipped`, counted from Vitest's report.
 * Arguments go to Vitest: `npm test -- test/ops.test.ts -t matmul`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { countTests } from "./test-summary.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const reportFolder = mkdtempSync(join(tmpdir(), "wgrad-tests-"));
const reportPath = join(reportFolder, "report.json");

const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportPath}`];
const { status } = spawnSync(
  process.execPath,
  [vitest, "run", ...reporters, ...process.argv.slice(2)],
  { cwd: root, stdio: "inherit" },
);

const { passed, failed, skipped } = countTests(readReport(), status ?? 1);
rmSync(reportFolder, { recursive: true });
if (passed + failed === 0) console.log("No test was run, and that counts as a failure.");
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

/** @returns {import("./test-summary.mjs").Report | undefined} */
function readReport() {
  if (!existsSync(reportPath)) return undefined;
  /** @type {unknown} */
  const report = JSON.parse(readFileSync(reportPath, "utf8"));
  return /** @type {import("./test-summary.mjs").Report} */ (report);
}
