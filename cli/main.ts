#!/usr/bin/env node
/** @file The command `wgrad`. Its commands have a file each. */
import { CommandError } from "./command-error.ts";
import { tuneCommand } from "./tune.ts";

const help = `wgrad COMMAND [options]

  tune    measure which kernels are fastest on this machine, and remember it

wgrad COMMAND --help tells more.`;

const commands: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  tune: tuneCommand,
};

const [name = "--help", ...args] = process.argv.slice(2);
const command = commands[name];
try {
  if (command !== undefined) await command(args);
  else if (name === "--help") console.log(help);
  else throw new CommandError(`there is no command ${name}\n\n${help}`);
} catch (error) {
  // parseArgs throws TypeErrors with a code for what it does not know.
  const isUsage = error instanceof CommandError || (error instanceof TypeError && "code" in error);
  if (!isUsage) throw error;
  console.error(`wgrad: ${error.message}`);
  process.exitCode = 2;
}
