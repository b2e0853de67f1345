/**
 * @file Runs every check that is not a test, all of them even if one fails, and shows the output of those that do.
 * Each is an npm script of its own, to be run alone: `npm run lint`. Names as arguments choose some: `npm run check types`.
 */
import { spawnSync } from "node:child_process";

/** In this order: the package can be looked at only after it was built. */
const checks = ["format:check", "lint", "types", "layers", "deadcode", "build", "package"];

const chosen = process.argv.length > 2 ? process.argv.slice(2) : checks;
const failed = chosen.filter((name) => !passes(name));
console.log(failed.length === 0 ? "All checks passed." : `Checks failed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** @param {string} name of an npm script */
function passes(name) {
  const start = Date.now();
  const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", name], {
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  console.log(`${status === 0 ? "ok    " : "FAILED"} ${name.padEnd(12)} ${seconds} s`);
  if (status !== 0) console.log(`${stdout}${stderr}`.trimEnd());
  return status === 0;
}
