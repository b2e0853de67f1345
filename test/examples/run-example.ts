/** @file Runs an example in a process of its own. */
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const register = pathToFileURL(resolve("tools/register.mjs")).href;

export interface ExampleRun {
  readonly code: number | null;
  /** What it wrote to both of its outputs. */
  readonly output: string;
}

/** Runs `examples/<example>/main.ts` in a folder. */
export function runExample(
  example: string,
  args: readonly string[],
  cwd: string,
): Promise<ExampleRun> {
  const main = resolve("examples", example, "main.ts");
  const child = spawn(process.execPath, ["--import", register, main, ...args], { cwd });
  let output = "";
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  return new Promise((end, fail) => {
    child.once("error", fail);
    child.once("close", (code) => {
      end({ code, output });
    });
  });
}
