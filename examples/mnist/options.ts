/** @file What can be said on the command line. */
import { parseArgs } from "node:util";
import { UsageError, withUsage } from "../program.ts";

export interface MnistOptions {
  readonly epochs: number;
  readonly batchSize: number;
  /** The highest learning rate of the cycle. */
  readonly lr: number;
  readonly seed: number;
  /** Train on the first so many images. */
  readonly trainImages: number;
}

const defaults = { epochs: 3, "batch-size": 128, lr: 0.01, seed: 42, "train-images": 60_000 };

const usage = `npm start -- [--epochs ${defaults.epochs}] [--batch-size ${defaults["batch-size"]}] [--lr ${defaults.lr}] [--seed ${defaults.seed}] [--train-images ${defaults["train-images"]}]`;

/** Reads the arguments of `npm start -- ...`. Throws `UsageError` for anything that it does not know. */
export function readOptions(args: readonly string[]): MnistOptions {
  const values = parse(args);
  const number = (name: keyof typeof defaults): number => {
    const text = values[name];
    const value = text === undefined ? defaults[name] : Number(text);
    if (Number.isNaN(value))
      throw new UsageError(`--${name} takes a number, not ${text ?? ""}\n${usage}`);
    return value;
  };
  return {
    epochs: number("epochs"),
    batchSize: number("batch-size"),
    lr: number("lr"),
    seed: number("seed"),
    trainImages: number("train-images"),
  };
}

function parse(args: readonly string[]): Partial<Record<string, string>> {
  const names = Object.keys(defaults);
  const options = Object.fromEntries(names.map((name) => [name, { type: "string" } as const]));
  return withUsage(usage, () => parseArgs({ args: [...args], options }).values);
}
