/** @file Set-up of Chromium for the browser test. Without it that test is skipped, so nothing here is an error. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { installPackage, isRoot, readDistribution, updatePackageLists } from "./apt.mjs";
import { SetupError } from "./steps.mjs";

/** Installs Debian's Chromium if none is there and we may. */
export async function ensureBrowser() {
  if (isOnPath("chromium")) return;
  // Only Debian packs Chromium as a plain package; Ubuntu's is a snap, which containers cannot run.
  if (readDistribution()?.id !== "debian" || !isRoot()) {
    console.log("Chromium is not installed: the browser test will be skipped.");
    return;
  }
  try {
    await updatePackageLists();
    await installPackage("chromium", "the browser Chromium, for the browser test");
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.log(
      `Chromium could not be installed: the browser test will be skipped. (${error.message})`,
    );
  }
}

/** @param {string} program */
function isOnPath(program) {
  return (process.env["PATH"] ?? "")
    .split(delimiter)
    .some((folder) => existsSync(join(folder, program)));
}
