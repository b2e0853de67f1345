/** @file What the programs share: how they begin, and how they end when something is wrong. */
import { WgradError, type Device } from "../engine/index.ts";

/** The command line cannot be understood; the message says what can be said. */
export class UsageError extends Error {}

/** Which adapter computes. */
export function printAdapter({ adapter }: Device): void {
  console.log(`Adapter: ${adapter.description || `${adapter.vendor} ${adapter.device}`}`);
  if (adapter.software) {
    console.log("This is a software adapter: the shaders run on the CPU. A GPU is much faster.");
  }
}

/** Runs a program. Errors that tell the user what to do are printed as one message, others with where they came from. */
export async function runProgram(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    process.exitCode = 1;
    if (error instanceof WgradError) console.error(`\n${error.name}: ${error.message}`);
    else if (error instanceof UsageError) console.error(error.message);
    else throw error;
  }
}

/** What `parseArgs` refuses, as a `UsageError`. */
export function withUsage<T>(usage: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`${reason}\n${usage}`, { cause });
  }
}
