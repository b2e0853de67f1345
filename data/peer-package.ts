/** @file Packages that only some users need, loaded when they do. */
import { ArgumentError } from "../engine/index.ts";

/**
 * What `load` imports.
 *
 * @param name of the package, or of several with spaces between.
 * @throws ArgumentError with the command to type, when the package is not installed or has no build for this system.
 */
export async function loadPeer<T>(op: string, name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new ArgumentError(
      op,
      `it needs ${name} of npm, which cannot be loaded: ${reason}`,
      `Run \`npm install ${name}\``,
    );
  }
}
