/** @file Set-up of the graphics driver: WebGPU must find an adapter, if only a software one. */
import { fileURLToPath } from "node:url";
import { adapterEnvironment } from "../adapters.mjs";
import {
  candidateVersion,
  ensureBackports,
  installPackage,
  isRoot,
  readDistribution,
  updatePackageLists,
} from "./apt.mjs";
import { SetupError, run } from "./steps.mjs";

/** The oldest Mesa whose software driver Dawn is known to accept. */
const oldestMesa = 25;

const driverPackage = "mesa-vulkan-drivers";

/**
 * Sees whether an adapter can be opened, and installs Mesa's software driver if none can.
 * @returns {Promise<string>} name of the adapter
 * @throws {SetupError} with the command to type, when there is no adapter and we cannot or may not install one
 */
export async function ensureAdapter() {
  const found = await probe();
  if (found.name !== undefined) return found.name;
  refuseChosenDriver(found.problem);
  if (!usesApt() || !isRoot()) {
    throw new SetupError(
      `no WebGPU adapter can be opened here (${found.problem}). ${commandToType()}`,
    );
  }
  await installDriver();
  const retried = await probe();
  if (retried.name !== undefined) return retried.name;
  const version = await candidateVersion(driverPackage);
  throw new SetupError(
    `${driverPackage} ${version} is installed, and still no WebGPU adapter can be opened (${retried.problem}). ` +
      `Install Mesa ${oldestMesa} or newer, or a driver for your graphics card.`,
  );
}

/**
 * Asks for an adapter in a process of its own.
 * @returns {Promise<{ name?: string, problem: string }>} no name when there is none
 */
async function probe() {
  const program = fileURLToPath(new URL("probe-adapter.mjs", import.meta.url));
  const { code, stdout, output } = await run(process.execPath, [program], {
    env: chosenAdapter(),
    timeout: 60_000,
  });
  const json = stdout.trim().split("\n").at(-1) ?? "";
  if (code !== 0 || json === "") {
    return { problem: `Dawn does not start: ${/Error: .*/.exec(output)?.[0] ?? `status ${code}`}` };
  }
  /** @type {unknown} */
  const answer = JSON.parse(json);
  const adapter = /** @type {{ name: string, software: boolean } | null} */ (answer);
  if (adapter === null) return { problem: "Dawn finds no driver that it accepts" };
  return { name: adapter.software ? `${adapter.name} (software)` : adapter.name, problem: "" };
}

function chosenAdapter() {
  try {
    return adapterEnvironment(process.env["WGRAD_ADAPTER"]);
  } catch (error) {
    throw new SetupError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/**
 * Who chose a driver does not want another one installed.
 * @param {string} problem
 */
function refuseChosenDriver(problem) {
  for (const variable of ["WGRAD_ADAPTER", "VK_DRIVER_FILES", "VK_ICD_FILENAMES"]) {
    const value = process.env[variable] ?? "";
    if (value === "" || (variable === "WGRAD_ADAPTER" && value === "default")) continue;
    throw new SetupError(
      `no WebGPU adapter can be opened with ${variable}=${value} (${problem}). Correct the variable, or type: unset ${variable}`,
    );
  }
}

async function installDriver() {
  console.log("No WebGPU adapter can be opened: a software driver will be installed.");
  await updatePackageLists();
  const distribution = readDistribution();
  const major = Number.parseInt(await candidateVersion(driverPackage), 10);
  const tooOld = distribution?.id === "debian" && !(major >= oldestMesa);
  const suite = tooOld ? await ensureBackports(distribution.codename) : undefined;
  await installPackage(driverPackage, "Mesa's Vulkan drivers", suite);
}

function usesApt() {
  const distribution = readDistribution();
  return [distribution?.id, ...(distribution?.like ?? [])].some(
    (id) => id === "debian" || id === "ubuntu",
  );
}

/** One sentence with the command that helps on this system. */
function commandToType() {
  if (process.platform !== "linux") return "Update the driver of your graphics card.";
  if (usesApt()) return 'Type: sudo "$(command -v node)" tools/setup.mjs';
  const commands = new Map([
    ["fedora", "sudo dnf install mesa-vulkan-drivers vulkan-loader"],
    ["arch", "sudo pacman -S vulkan-swrast vulkan-icd-loader"],
    ["suse", "sudo zypper install Mesa-libVulkan-devel libvulkan_lvp"],
  ]);
  const distribution = readDistribution();
  const known =
    [distribution?.id ?? "", ...(distribution?.like ?? [])].find((id) => commands.has(id)) ?? "";
  const command = commands.get(known);
  return command === undefined
    ? `Install a Vulkan driver (Mesa ${oldestMesa} or newer).`
    : `Type: ${command}`;
}
