/** @file What the constructors of layers share: where weights live, where their values come from, and checks of sizes. */
import {
  ArgumentError,
  type Conv2dPadding,
  type Device,
  formatShape,
  type Generator,
  type Size2d,
} from "../../engine/index.ts";

/** For all layers with state. */
export interface LayerOptions {
  /** Where parameters and buffers live. Default: `defaultDevice()`. */
  readonly device?: Device | undefined;
  /** Where the initial values come from. Default: `defaultGenerator()`, which `manualSeed` seeds. */
  readonly generator?: Generator | undefined;
}

/** The options of `zeros` and `ones` for a layer's tensors. */
export function placeOf({ device }: LayerOptions): { readonly device?: Device } {
  return device === undefined ? {} : { device };
}

/** Throws `ArgumentError` unless every size is a whole number of at least 1. */
export function checkSizes(layer: string, sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (!Number.isSafeInteger(size) || size < 1) {
      throw new ArgumentError(
        layer,
        `${name} is not a whole number >= 1: ${size}`,
        "Pass a whole number",
      );
    }
  }
}

/** Height and width of a size that may be one number for both. Throws `ArgumentError` unless whole and at least `least`. */
export function heightAndWidth(
  layer: string,
  name: string,
  size: Size2d,
  least: 0 | 1,
): readonly [height: number, width: number] {
  const pair = typeof size === "number" ? ([size, size] as const) : size;
  const count: number = pair.length;
  if (count !== 2 || pair.some((value) => !Number.isSafeInteger(value) || value < least)) {
    throw new ArgumentError(
      layer,
      `${name} is not a whole number >= ${least}, nor two: ${formatSize(size)}`,
      "Pass one number, or [height, width]",
    );
  }
  return pair;
}

/** Throws `ArgumentError` unless all numbers are whole and at least 0. */
export function checkPadding(layer: string, padding: Conv2dPadding): void {
  if (typeof padding === "string") return;
  if (typeof padding === "number" || padding.length === 2) {
    heightAndWidth(layer, "padding", padding, 0);
  } else if (padding.some((count) => !Number.isSafeInteger(count) || count < 0)) {
    throw new ArgumentError(
      layer,
      `padding is not made of whole numbers >= 0: ${formatShape(padding)}`,
      "Pass one number, [height, width], or [top, bottom, left, right]",
    );
  }
}

/** Throws `ArgumentError` unless `groups` divides both numbers of channels. */
export function checkGroups(
  layer: string,
  groups: number,
  inChannels: number,
  outChannels: number,
): void {
  checkSizes(layer, { inChannels, outChannels, groups });
  if (inChannels % groups === 0 && outChannels % groups === 0) return;
  throw new ArgumentError(
    layer,
    `groups does not divide the channels: ${groups} for ${inChannels} in and ${outChannels} out`,
    "Use a common divisor; groups = inChannels is a depthwise convolution",
  );
}

/** `3` or `[3, 5]`, as errors and `toString` print it. */
export function formatSize(size: Size2d | string): string {
  return typeof size === "object" ? `[${size.join(", ")}]` : String(size);
}

/** `a=1, b=[2, 3]`, without what is undefined: the description of a layer. */
export function formatOptions(
  options: Readonly<Record<string, Size2d | string | boolean | readonly number[] | undefined>>,
): string {
  return Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        `${name}=${Array.isArray(value) ? `[${value.join(", ")}]` : String(value)}`,
    )
    .join(", ");
}
