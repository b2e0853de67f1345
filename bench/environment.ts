/** @file On what and when a benchmark ran; without it no figure means anything. */
import { execFile } from "node:child_process";
import { availableParallelism, cpus } from "node:os";
import { promisify } from "node:util";
import type { Device } from "../engine/index.ts";
import { clockTick } from "../engine/timing/clock.ts";
import type { Environment } from "./row.ts";

export async function describeEnvironment(device: Device): Promise<Environment> {
  const { vendor, architecture, device: name, description } = device.adapter;
  return {
    adapter: [vendor, architecture, name].filter((part) => part !== "").join(" "),
    driver: description,
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    node: process.version,
    commit: await commit(),
    date: new Date().toISOString(),
    clockTickNs: await clockTick(device),
  };
}

/** The commit, with "+" when files differ from it; "unknown" outside a repository. */
async function commit(): Promise<string> {
  const git = promisify(execFile);
  try {
    const { stdout: hash } = await git("git", ["rev-parse", "--short=10", "HEAD"]);
    const { stdout: changes } = await git("git", ["status", "--porcelain", "--untracked-files=no"]);
    return `${hash.trim()}${changes === "" ? "" : "+"}`;
  } catch {
    return "unknown";
  }
}

export function formatEnvironment(environment: Environment): string {
  const { adapter, driver, processor, cores, node, commit: at, date, clockTickNs } = environment;
  return [
    `adapter   ${adapter}`,
    `driver    ${driver}`,
    `processor ${processor}, ${cores} cores`,
    `node      ${node}`,
    `commit    ${at}`,
    `date      ${date}`,
    `clock     ticks every ${clockTickNs} ns; spans are repeated until a tick is less than 1 %`,
  ].join("\n");
}
