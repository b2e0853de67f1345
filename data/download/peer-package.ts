/** @file Packages that only some users need, loaded when they do. */
import { ArgumentError } from "../../engine/index.ts";

/**
 * What `load` imports.
 *
 * @throws ArgumentError with the command to type, when the package is not installed.
 */
export async function loadPeer<T>(op: string, name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new ArgumentError(
      op,
      `the npm package ${name} is not installed`,
      `Run \`npm install ${name}\``,
    );
  }
}
