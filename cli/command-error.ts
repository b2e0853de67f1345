/** @file An error of whoever typed the command. */

/** The message is for the user; no stack is shown. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}
