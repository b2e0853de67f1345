/** @file The job of `npm start`: its command line, and that Ctrl-C loses nothing. */
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { readSafetensors } from "../../data/node.ts";
import { readOptions } from "../../examples/mnist/options.ts";
import { UsageError } from "../../examples/program.ts";

const main = resolve("examples/mnist/main.ts");
const register = pathToFileURL(resolve("tools/register.mjs")).href;

describe("the command line", () => {
  test("has defaults for everything", () => {
    expect(readOptions([])).toEqual(readOptions(["--seed", "42", "--train-images", "60000"]));
    expect(readOptions(["--lr", "0.5", "--epochs=7"])).toMatchObject({ lr: 0.5, epochs: 7 });
  });

  test.each([["--lr", "fast"], ["--learning-rate", "1"], ["7"]])("refuses %s %s", (...args) => {
    expect(() => readOptions(args)).toThrow(UsageError);
  });
});

/** Runs the job in an empty folder; sends Ctrl-C when the table begins. */
async function runAndInterrupt(folder: string): Promise<{ code: number | null; output: string }> {
  const args = ["--import", register, main, "--train-images", "512", "--batch-size", "64"];
  const child = spawn(process.execPath, args, { cwd: folder });
  let output = "";
  let sent = false;
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
    if (sent || !output.includes("valid_loss")) return;
    sent = true;
    child.kill("SIGINT");
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const code = await new Promise<number | null>((end) => child.once("close", end));
  return { code, output };
}

test("Ctrl-C ends the training early, and everything that there is gets written", async () => {
  const folder = await mkdtemp(join(tmpdir(), "wgrad-mnist-"));
  try {
    const { code, output } = await runAndInterrupt(folder);
    expect(code, output).toBe(130);
    expect(output).toContain("Adapter: ");
    expect(output).toContain("Interrupted: writing what there is.");
    expect(output).toMatch(/Accuracy on the 10,000 test images: \d+\.\d\d % \(\d+ wrong\)/);
    const [run = ""] = await readdir(join(folder, "runs"));
    const directory = join(folder, "runs", run);
    expect((await readdir(directory)).sort()).toEqual([
      "history.csv",
      "loss.png",
      "model.safetensors",
      "steps.csv",
      "worst-digits.png",
    ]);
    expect(
      (await readFile(join(directory, "steps.csv"), "utf8")).split("\n").length,
    ).toBeGreaterThan(1);
    const { tensors } = await readSafetensors(join(directory, "model.safetensors"));
    expect([...tensors.keys()]).toContain("conv1.weight");
    expect(tensors.get("conv1.weight")?.shape).toEqual([16, 1, 5, 5]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
