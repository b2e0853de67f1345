/** @file What of a state does not fit a network: all of it at once. */
import { formatShape, shapesEqual, type Shape } from "../../engine/index.ts";

export interface Misshaped {
  readonly name: string;
  /** In PyTorch's axis order. */
  readonly expected: Shape;
  /** In PyTorch's axis order. */
  readonly given: Shape;
}

/** Names that do not fit, as the state has them. */
export interface Mismatch {
  /** Names that the state lacks; `num_batches_tracked` of old files is no error. */
  readonly missing: readonly string[];
  /** Names that the network has no place for. */
  readonly unexpected: readonly string[];
  readonly misshaped: readonly Misshaped[];
}

/** Compares shapes by name. */
export function mismatchOf(
  wanted: ReadonlyMap<string, Shape>,
  given: ReadonlyMap<string, Shape>,
): Mismatch {
  const misshaped: Misshaped[] = [];
  for (const [name, expected] of wanted) {
    const shape = given.get(name);
    if (shape !== undefined && !shapesEqual(shape, expected))
      misshaped.push({ name, expected, given: shape });
  }
  return {
    missing: [...wanted.keys()].filter((name) => !given.has(name)),
    unexpected: [...given.keys()].filter((name) => !wanted.has(name)),
    misshaped,
  };
}

/** The errors of a mismatch in words; undefined when there are none. */
export function describeMismatch(mismatch: Mismatch): string | undefined {
  const missing = mismatch.missing.filter((name) => !name.endsWith("num_batches_tracked"));
  const { unexpected, misshaped } = mismatch;
  const parts = [
    ...(missing.length > 0 ? [`missing ${missing.join(", ")}`] : []),
    ...(unexpected.length > 0 ? [`unexpected ${unexpected.join(", ")}`] : []),
    ...(misshaped.length > 0
      ? [`of another shape ${misshaped.map(describeShapes).join(", ")}`]
      : []),
  ];
  return parts.length === 0 ? undefined : parts.join("; ");
}

/** `conv1.weight [3] for [64]`. */
export function describeShapes({ name, given, expected }: Misshaped): string {
  return `${name} ${formatShape(given)} for ${formatShape(expected)}`;
}
