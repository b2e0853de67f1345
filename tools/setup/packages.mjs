/** @file Set-up of the npm packages: exactly those of package-lock.json, without their install scripts. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SetupError, step } from "./steps.mjs";

/**
 * The entries of a lock file that matter here, by folder (`node_modules/tsx`).
 * @typedef {Readonly<Record<string, { version?: string, integrity?: string, optional?: boolean, devOptional?: boolean }>>} LockedPackages
 */

/**
 * @param {string} root folder of the repository
 * @throws {SetupError} when this Node is older than package.json asks for
 */
export function checkNodeVersion(root) {
  const wanted = /** @type {{ engines: { node: string } }} */ (readJson(join(root, "package.json")))
    .engines.node;
  const [major = 0, minor = 0] = versionNumbers(wanted);
  const [ownMajor = 0, ownMinor = 0] = versionNumbers(process.versions.node);
  if (ownMajor > major || (ownMajor === major && ownMinor >= minor)) return;
  throw new SetupError(
    `this is Node ${process.versions.node}, and wgrad needs ${wanted}. Install a newer Node.`,
  );
}

/**
 * Installs the locked packages if `node_modules` differs from package-lock.json.
 * @param {string} root folder of the repository
 */
export async function ensurePackages(root) {
  const missing = missingPackages(root);
  if (missing.length === 0) return;
  const { program, parameters } = npm([
    "ci",
    "--ignore-scripts",
    "--include=dev",
    "--no-audit",
    "--no-fund",
  ]);
  await step(
    `Installing the npm packages of package-lock.json (${missing.length} missing)`,
    program,
    parameters,
    {
      cwd: root,
    },
  );
}

/**
 * Folders of the locked packages that are absent or of another version. npm leaves its own record of what it
 * installed, written at the very end, so an interrupted installation counts as missing.
 * @param {string} root
 * @returns {string[]}
 */
export function missingPackages(root) {
  const locked = lockedPackages(join(root, "package-lock.json"));
  const record = join(root, "node_modules", ".package-lock.json");
  const installed = existsSync(record) ? lockedPackages(record) : {};
  return Object.entries(locked)
    .filter(([folder, { version, integrity, optional, devOptional }]) => {
      if (folder === "") return false;
      const found = installed[folder];
      // Optional packages of other platforms are not installed, and that is right.
      if (found === undefined) return optional !== true && devOptional !== true;
      return (
        found.version !== version ||
        found.integrity !== integrity ||
        !existsSync(join(root, folder))
      );
    })
    .map(([folder]) => folder);
}

/**
 * @param {string} path
 * @returns {LockedPackages}
 */
function lockedPackages(path) {
  return /** @type {{ packages: LockedPackages }} */ (readJson(path)).packages;
}

/**
 * How to start npm: the one that runs this script, if it does.
 * @param {string[]} parameters
 */
function npm(parameters) {
  const script = process.env["npm_execpath"];
  if (script?.endsWith("npm-cli.js") === true && existsSync(script)) {
    return { program: process.execPath, parameters: [script, ...parameters] };
  }
  return { program: "npm", parameters };
}

/**
 * @param {string} path
 * @returns {unknown}
 */
function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** @param {string} version */
function versionNumbers(version) {
  return [...version.matchAll(/\d+/g)].map(([digits]) => Number(digits));
}
