/**
 * @file Set-up of a fresh machine, run before `npm start` and `npm test`; a moment's work when nothing is missing.
 * Plain Node without packages, because it installs them.
 *
 *     node tools/setup.mjs             packages of package-lock.json, and a driver through which WebGPU works
 *     node tools/setup.mjs --browser   Chromium for the browser test as well, where that is possible
 */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureAdapter } from "./setup/adapter.mjs";
import { ensureBrowser } from "./setup/browser.mjs";
import { checkNodeVersion, ensurePackages } from "./setup/packages.mjs";
import { SetupError } from "./setup/steps.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

try {
  checkNodeVersion(root);
  await ensurePackages(root);
  if (process.argv.includes("--browser")) await ensureBrowser();
  const adapter = await ensureAdapter();
  console.log(`Set-up is complete. WebGPU adapter: ${adapter}`);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`\nSet-up stopped: ${error.message}`);
  process.exitCode = 1;
}
