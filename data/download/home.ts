/** @file The folder on this machine that holds what was downloaded: `archive/` as it came, `data/` unpacked. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** The folder that the environment variable `WGRAD_HOME` names, else `.wgrad` in the home folder; absolute. It need not exist. */
export function wgradHome(): string {
  const moved = process.env["WGRAD_HOME"];
  return moved === undefined || moved === "" ? join(homedir(), ".wgrad") : resolve(moved);
}
