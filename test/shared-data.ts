/** @file Real data that are not part of the repository: tests that want them are skipped, visibly, where they are absent. */
import { existsSync } from "node:fs";
import { join } from "node:path";

const folder =
  process.env["WGRAD_SHARED_DATA"] ?? join(import.meta.dirname, "..", "..", "shared", "data");

/**
 * A path within the folder of shared data, `../shared/data` beside the repository or what WGRAD_SHARED_DATA says; undefined when it
 * does not exist.
 */
export function sharedData(...parts: string[]): string | undefined {
  const path = join(folder, ...parts);
  return existsSync(path) ? path : undefined;
}
