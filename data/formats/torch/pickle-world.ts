/** @file What a pickle may ask for from outside, and the dicts that it makes. */
import { fail } from "./fail.ts";

/** A class or function that a pickle may name. */
export class PickleGlobal {
  readonly name: string;
  /** What a call of it makes; throws `ArgumentError` for arguments that do not fit. */
  readonly call: (args: readonly unknown[]) => unknown;

  constructor(name: string, call: (args: readonly unknown[]) => unknown) {
    this.name = name;
    this.call = call;
  }
}

export interface PickleWorld {
  /** The value of a name, for example `collections.OrderedDict`; throws for those that are not known. */
  global(name: string): unknown;
  /** What stands outside the pickle under this id. */
  persistent(id: unknown): unknown;
  /** Sets the attributes of an object; throws where that could mean something. */
  build(object: unknown, state: unknown): void;
}

/** Keys are strings, numbers or booleans: a Map would compare other keys by identity, not as Python does. */
export function setItem(dict: Map<unknown, unknown>, key: unknown, value: unknown): void {
  if (typeof key !== "string" && typeof key !== "number" && typeof key !== "boolean") {
    fail(
      `a dict has a key that is no string, number or bool: ${key === null ? "None" : typeof key}`,
      "Save the state dict alone",
    );
  }
  dict.set(key, value);
}
