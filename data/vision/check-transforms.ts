/** @file Are these lists of transforms? What JavaScript lets through fails far from its cause. */
import { ArgumentError } from "../../engine/index.ts";

/** What makes a transform one of single images, or one of batches. */
const methods = { itemTfms: "place", batchTfms: "apply" } as const;
const fixes = {
  itemTfms: "Use a list, for example itemTfms: [new Resize(224)]",
  batchTfms:
    "Use a list, for example batchTfms: [...augTransforms(), new Normalize(imagenetStats)]",
} as const;

/** @throws ArgumentError unless `transforms` is a list of transforms of this kind. */
export function checkTransforms(option: keyof typeof methods, transforms: unknown): void {
  if (!Array.isArray(transforms)) throw wrong(option, `is no list: ${nameOf(transforms)}`);
  for (const transform of transforms as unknown[]) {
    if (Array.isArray(transform))
      throw wrong(option, "has a list in the list, which lacks its ...");
    const method = (transform as Readonly<Record<string, unknown>> | undefined)?.[methods[option]];
    if (typeof method === "function") continue;
    throw wrong(option, `has what is no transform of that kind: ${nameOf(transform)}`);
  }
}

function wrong(option: keyof typeof methods, problem: string): ArgumentError {
  return new ArgumentError("ImageDataLoaders", `${option} ${problem}`, fixes[option]);
}

function nameOf(value: unknown): string {
  return typeof value === "object" && value !== null ? value.constructor.name : String(value);
}
