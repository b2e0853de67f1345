/** @file Whether transforms and classes come back from the text of an exported model. */
import { ImagePipeline, type Json } from "../data/index.ts";
import { ArgumentError } from "../engine/index.ts";

/**
 * Reads settings back as `loadLearner` will.
 *
 * @param settings of the data.
 * @param written the same, from JSON.
 * @returns a line that says what `loadLearner` will have to be given, when prediction needs transforms that are not part of wgrad.
 * @throws ArgumentError when they cannot be read, or are others then.
 */
export function checkSettings(settings: Json, written: Json): string | undefined {
  const own = ImagePipeline.needsMakers(written);
  const names = [...own.itemTfms, ...own.batchTfms];
  const read = ImagePipeline.fromSettings(without(written, names)).settings();
  const [before, after] = [without(settings, names), without(read, [])];
  if (!isSame(after, before)) {
    throw new ArgumentError(
      "export",
      `the settings do not come back as they are: ${JSON.stringify(before)} is read as ${JSON.stringify(after)}`,
      "Call transforms of your own by names that wgrad has not, and use texts and finite numbers as classes",
    );
  }
  if (names.length === 0) return undefined;
  const makers = Object.entries(own)
    .filter(([, those]) => those.length > 0)
    .map(
      ([kind, those]) => `${kind}: { ${those.map((n) => `${n}: (settings) => ...`).join(", ")} }`,
    );
  return `prediction needs transforms that are not part of wgrad: ${names.join(", ")}. Load the model with loadLearner(folder, { makers: { ${makers.join(", ")} } })`;
}

type Described = readonly { readonly name: string; readonly trainingOnly?: boolean }[];

/** Settings without transforms of these names, and without what is for training only. */
function without(settings: Json, names: readonly string[]): Json {
  const { itemTfms, batchTfms, ...rest } = settings as unknown as {
    readonly itemTfms: Described;
    readonly batchTfms: Described;
  };
  const kept = (all: Described) =>
    all.filter(({ name, trainingOnly = false }) => !trainingOnly && !names.includes(name));
  return { ...rest, itemTfms: kept(itemTfms), batchTfms: kept(batchTfms) };
}

/** Whether two values are alike in all their parts; NaN is like NaN. */
function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    return Object.is(a, b);
  }
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [keys, others] = [Object.keys(a), Object.keys(b)];
  const part = (of: object, key: string) => (of as Readonly<Record<string, unknown>>)[key];
  return keys.length === others.length && keys.every((key) => isSame(part(a, key), part(b, key)));
}
