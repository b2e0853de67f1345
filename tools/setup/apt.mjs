/** @file Set-up through apt, on Debian and Ubuntu. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { backportsSource } from "./backports.mjs";
import { SetupError, run, step } from "./steps.mjs";

/** @typedef {{ id: string, like: string[], codename: string, name: string }} Distribution */

const quiet = { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
// Another apt may be at work, on a machine that has just started for example: wait for it.
const options = ["-q", "-y", "-o", "DPkg::Lock::Timeout=120"];

/** Whether we may install system packages. */
export function isRoot() {
  return process.getuid?.() === 0;
}

/**
 * What /etc/os-release says; nothing where there is none.
 * @returns {Distribution | undefined}
 */
export function readDistribution() {
  if (process.platform !== "linux" || !existsSync("/etc/os-release")) return undefined;
  const lines = readFileSync("/etc/os-release", "utf8").matchAll(/^(\w+)=(["']?)(.*)\2$/gm);
  const fields = new Map([...lines].map(([, name = "", , value = ""]) => [name, value]));
  return {
    id: fields.get("ID") ?? "linux",
    like: (fields.get("ID_LIKE") ?? "").split(" "),
    codename: fields.get("VERSION_CODENAME") ?? "",
    name: fields.get("PRETTY_NAME") ?? "Linux",
  };
}

/** Fetches the lists of packages. A broken source of somebody else's is no reason to stop: the installation decides. */
export async function updatePackageLists() {
  console.log("Fetching the lists of packages ...");
  await run("apt-get", ["update", ...options], { env: quiet });
}

/**
 * @param {string} name of the package
 * @param {string} words what it is
 * @param {string} [suite] to take it and its dependencies from, instead of apt's choice
 * @throws {SetupError} when it cannot be installed
 */
export async function installPackage(name, words, suite) {
  const target = suite === undefined ? [] : ["-t", suite];
  const from = suite === undefined ? "" : ` from ${suite}`;
  await step(
    `Installing ${words} (package ${name}${from})`,
    "apt-get",
    ["install", ...options, "--no-install-recommends", ...target, name],
    { env: quiet },
  );
}

/**
 * The version that apt would install.
 * @param {string} name of the package
 * @returns {Promise<string>} empty when there is none
 */
export async function candidateVersion(name) {
  const { stdout } = await run("apt-cache", ["policy", name], { env: quiet });
  return /Candidate: (\d\S*)/.exec(stdout)?.[1] ?? "";
}

/**
 * Makes Debian's backports suite known to apt, unless it is already.
 * @param {string} codename of the release: "bookworm"
 * @returns {Promise<string>} the name of the suite, for `installPackage`
 * @throws {SetupError} when its source cannot be derived from this machine's sources, or does not answer
 */
export async function ensureBackports(codename) {
  const suite = `${codename}-backports`;
  if ((await debianArchives()).some((archive) => archive.codename === suite)) return suite;

  const main = (await debianArchives()).find((archive) => archive.codename === codename);
  const source = main && deriveSource(main, suite);
  if (source === undefined) {
    throw new SetupError(
      `Debian's main archive is not among this machine's apt sources. Add ${suite} to them by hand.`,
    );
  }
  console.log(`Adding Debian's suite ${suite} to the apt sources (${source.path}) ...`);
  writeFileSync(source.path, source.text);
  await updatePackageLists();
  if ((await debianArchives()).some((archive) => archive.codename === suite)) return suite;

  rmSync(source.path);
  throw new SetupError(
    `this machine's mirror of Debian does not offer ${suite}. Add it to the apt sources by hand.`,
  );
}

/**
 * @typedef {object} Archive one configured suite of Debian's own archive
 * @property {string} uri
 * @property {string} suite as it is configured; "stable" is possible
 * @property {string} codename as the archive itself says
 * @property {string} file in which it is configured
 */

/**
 * Debian's own archives with component main, as apt itself reads the sources of this machine.
 * @returns {Promise<Archive[]>}
 */
async function debianArchives() {
  const fields = ["REPO_URI", "RELEASE", "CODENAME", "COMPONENT", "ORIGIN", "SOURCESENTRY"];
  const format = fields.map((name) => `$(${name})`).join("\t");
  const { stdout } = await run(
    "apt-get",
    ["indextargets", "--format", format, "Created-By: Packages"],
    { env: quiet },
  );
  return stdout
    .split("\n")
    .map((line) => line.split("\t"))
    .filter(
      ([, , , component, origin]) =>
        component === "main" && /^Debian( Backports)?$/.test(origin ?? ""),
    )
    .map(([uri = "", suite = "", codename = "", , , entry = ""]) => {
      return { uri, suite, codename, file: entry.replace(/:\d+$/, "") };
    });
}

/**
 * @param {Archive} main
 * @param {string} suite
 * @returns {{ path: string, text: string } | undefined}
 */
function deriveSource(main, suite) {
  const format = main.file.endsWith(".sources") ? "sources" : "list";
  const text = backportsSource(readFileSync(main.file, "utf8"), format, main, suite);
  return text === undefined
    ? undefined
    : { path: `/etc/apt/sources.list.d/wgrad-backports.${format}`, text };
}
