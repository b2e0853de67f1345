/** @file How every reader of this folder refuses a file. */
import { ArgumentError } from "../../../engine/index.ts";

const longestQuote = 100;

/** Throws `ArgumentError` in the name of `decodeTorch`. */
export function fail(problem: string, fix = "Copy or download the file again"): never {
  throw new ArgumentError("decodeTorch", problem, fix);
}

/** A string of the file for an error message: quoted, and cut where somebody made it absurdly long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > longestQuote ? `${text.slice(0, longestQuote)}...` : text);
}
