/** @file Running the programs that set-up needs: a plain line for each, its output only when it fails. */
import { spawn } from "node:child_process";

/** What the user must know or do; the message is all that is shown. */
export class SetupError extends Error {}

/**
 * @typedef {object} Outcome
 * @property {number} code exit status; -1 when the program could not be started
 * @property {string} stdout
 * @property {string} output stdout and stderr as they came
 */

/**
 * Runs a program to its end without showing anything.
 * @param {string} program
 * @param {readonly string[]} parameters
 * @param {{ env?: Record<string, string>, cwd?: string, timeout?: number }} [options] `env` is added to the
 *   environment; `timeout` in milliseconds
 * @returns {Promise<Outcome>}
 */
export function run(program, parameters, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, parameters, {
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      ...(options.timeout !== undefined && { timeout: options.timeout }),
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      stdout += text;
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      output += text;
    });
    child.on("error", (error) => {
      resolve({ code: -1, stdout, output: `${output}${error.message}\n` });
    });
    child.on("close", (code) => {
      resolve({ code: code ?? -1, stdout, output });
    });
  });
}

/** How often a long step says that it is still at work. */
const heartbeatMilliseconds = 30_000;

/**
 * Announces a step, runs it, and says how long it took. Shows the program's output when it fails.
 * @param {string} title in plain words: "Installing ..."
 * @param {string} program
 * @param {readonly string[]} parameters
 * @param {{ env?: Record<string, string>, cwd?: string }} [options]
 * @throws {SetupError} when the program fails
 */
export async function step(title, program, parameters, options = {}) {
  console.log(`${title} ...`);
  const start = Date.now();
  const seconds = () => `${Math.round((Date.now() - start) / 1000)} s`;
  const heartbeat = setInterval(() => {
    console.log(`  still at it after ${seconds()}`);
  }, heartbeatMilliseconds);
  const outcome = await run(program, parameters, options);
  clearInterval(heartbeat);
  if (outcome.code === 0) {
    console.log(`  done in ${seconds()}`);
    return;
  }
  const command = [program, ...parameters].join(" ");
  console.error(outcome.output.trimEnd());
  throw new SetupError(
    `\`${command}\` failed with status ${outcome.code}; what it said stands above.`,
  );
}
