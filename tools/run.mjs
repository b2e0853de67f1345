/**
 * @file Runs a program of this repository: `node tools/run.mjs FILE.ts [arguments]`. As `node --import ./tools/register.mjs FILE.ts`,
 * but without two warnings that Dawn prints on standard error whenever an adapter of Mesa is opened, which concern nobody.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { createInterface } from "node:readline";

const noise = /^Warning: maxDynamic\w+PerPipelineLayout artificially reduced /;

const child = spawn(
  process.execPath,
  ["--import", new URL("register.mjs", import.meta.url).href, ...process.argv.slice(2)],
  { stdio: ["inherit", "inherit", "pipe"] },
);

createInterface({ input: child.stderr }).on("line", (line) => {
  if (!noise.test(line)) process.stderr.write(`${line}\n`);
});

// Ctrl-C reaches both processes; the program decides what it means. Other signals are passed on.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => child.kill("SIGTERM"));

child.on("close", (code, signal) => {
  process.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
});
