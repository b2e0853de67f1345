/**
 * @file The first step of ResNet-34 in a process of its own: from the start of the program to the loss on the host, with an empty
 * cache of the driver and with the one that this left behind.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Milliseconds from the start of the process. */
export interface FirstStep {
  readonly deviceMs: number;
  readonly modelMs: number;
  readonly firstStepMs: number;
  readonly secondStepMs: number;
  readonly pipelines: number;
}

export interface ColdStart {
  readonly cold: FirstStep;
  readonly warm: FirstStep;
}

/** Where Mesa keeps compiled shaders; other drivers have their own and are measured as they are. */
const cacheVariable = "MESA_SHADER_CACHE_DIR";

export async function measureColdStart(): Promise<ColdStart> {
  const folder = await mkdtemp(join(tmpdir(), "wgrad-cold-start-"));
  try {
    const cold = await firstStep(folder);
    return { cold, warm: await firstStep(folder) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function firstStep(cacheFolder: string): Promise<FirstStep> {
  const register = new URL("../../tools/register.mjs", import.meta.url).href;
  const program = fileURLToPath(new URL("first-step.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", register, program], {
    env: { ...process.env, [cacheVariable]: cacheFolder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [output, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(JSON.parse(output) as FirstStep);
      else reject(new Error(`benchmark: the first step failed with code ${code}: ${errors}`));
    });
  });
}
