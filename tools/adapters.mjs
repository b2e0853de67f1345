/**
 * @file Chooses the WebGPU adapter by name: `WGRAD_ADAPTER=swiftshader npm test`. Dawn takes its adapters from the
 * machine's Vulkan drivers, and the Vulkan loader can be told to see one driver only.
 *
 * - `default`, or the variable not set: whatever the machine offers, its own Vulkan variables respected
 * - `llvmpipe`: Mesa's software driver (package mesa-vulkan-drivers)
 * - `swiftshader`: Google's software driver (comes with chromium and Chrome)
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/**
 * For each name the driver's manifest, and where installations put it.
 * @type {Readonly<Record<string, { manifest: RegExp, folders: string[], install: string }>>}
 */
const drivers = {
  llvmpipe: {
    manifest: /^lvp_icd.*\.json$/,
    folders: ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"],
    install: "mesa-vulkan-drivers",
  },
  swiftshader: {
    manifest: /^vk_swiftshader_icd\.json$/,
    folders: [
      "/usr/lib/chromium",
      "/usr/lib64/chromium-browser",
      "/usr/lib/chromium-browser",
      "/opt/google/chrome",
    ],
    install: "chromium",
  },
};

/**
 * The environment variables that make Vulkan see only the driver `name`; empty for `default`.
 * They must be set before Dawn is loaded.
 * @param {string | undefined} name
 * @returns {Record<string, string>}
 * @throws {Error} when the name is unknown or its driver is not installed
 */
export function adapterEnvironment(name) {
  if (name === undefined || name === "" || name === "default") return {};
  const driver = drivers[name];
  if (driver === undefined) {
    const known = ["default", ...Object.keys(drivers)].join(", ");
    throw new Error(`WGRAD_ADAPTER=${name}: no adapter has this name. Use one of: ${known}`);
  }
  const manifest = driver.folders.flatMap((folder) => manifestsIn(folder, driver.manifest)).at(0);
  if (manifest === undefined) {
    throw new Error(
      `WGRAD_ADAPTER=${name}: its Vulkan driver is not installed. Install the package ${driver.install}`,
    );
  }
  // The first is the name of today, the second that of older Vulkan loaders.
  return { VK_DRIVER_FILES: manifest, VK_ICD_FILENAMES: manifest };
}

/**
 * @param {string} folder
 * @param {RegExp} pattern
 * @returns {string[]}
 */
function manifestsIn(folder, pattern) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .map((name) => join(folder, name));
}
