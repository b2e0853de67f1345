/**
 * @file Random tensors, made on the device from a seed and a counter: the same generator state gives the same numbers. They are
 * leaves. Method: `shaders/random/distributions.wgsl`.
 */
import source from "../../shaders/random/distributions.wgsl";
import { defaultDevice } from "../device/device.ts";
import type { DType } from "../dtype.ts";
import { ArgumentError } from "../errors.ts";
import { defineKernel, type KernelDefinition } from "../kernel.ts";
import { defaultGenerator, halves, type Generator } from "../philox.ts";
import { onReplay } from "../replay.ts";
import { checkShape, type Shape } from "../shape.ts";
import { setRequiresGrad, Tensor } from "../tensor.ts";
import type { CreateOptions } from "./create.ts";
import { stepGrid, vectorsOn } from "./vectors.ts";

export interface RandomOptions extends Omit<CreateOptions, "dtype"> {
  /** Default: `defaultGenerator()`. */
  readonly generator?: Generator;
}

export interface UniformOptions extends RandomOptions {
  /** The smallest value. Default: 0. */
  readonly min?: number;
  /** Above all values. Default: 1. */
  readonly max?: number;
}

export interface NormalOptions extends RandomOptions {
  /** Default: 0. */
  readonly mean?: number;
  /** The standard deviation. Default: 1. */
  readonly std?: number;
}

export interface IntegerOptions extends RandomOptions {
  /** Default: i32. */
  readonly dtype?: "i32" | "u32";
}

const grid: KernelDefinition["grid"] = ({ blocks }, overrides) =>
  stepGrid({ size: blocks as number }, overrides);

const uniformKernel = defineKernel({
  name: "random-uniform",
  source,
  entryPoint: "uniform_numbers",
  bindings: ["out", "params"],
  grid,
});
const normalKernel = defineKernel({
  name: "random-normal",
  source,
  entryPoint: "normal_numbers",
  bindings: ["out", "params"],
  grid,
});
const integerKernel = defineKernel({
  name: "random-integer",
  source,
  entryPoint: "integer_numbers",
  bindings: ["out_words", "params"],
  grid,
});

const noDistribution = { a: 0, b: 0, smallest: 0, largest: 0, low: 0, range: 0 };

/**
 * Numbers spread evenly over `min..max`, max excluded, in 2^24 steps, as f32. The same state gives the same bits on every adapter
 * when `min` is -max or the width a power of 2, as by default; otherwise the last bit depends on whether the adapter fuses
 * `a + b * u`.
 *
 * @throws ArgumentError unless both bounds are finite and min < max; ShapeError for an impossible shape.
 */
export function randomUniform(shape: Shape, options: UniformOptions = {}): Tensor {
  const smallest = Math.fround(options.min ?? 0);
  const max = Math.fround(options.max ?? 1);
  if (!(smallest < max && Number.isFinite(Math.fround(max - smallest)))) {
    throw new ArgumentError(
      "randomUniform",
      `the bounds do not make a range: min ${smallest}, max ${max}`,
      "Use finite numbers, min below max",
    );
  }
  const { out, start } = prepare("randomUniform", shape, "f32", options);
  const range = {
    a: (smallest + max) / 2,
    b: (max - smallest) / 2,
    smallest,
    largest: floatBelow(max),
  };
  const params = () => ({ ...noDistribution, ...start, ...range });
  if (out.size > 0) uniformKernel({ out }, params, sharing(out));
  return out;
}

/**
 * Numbers of the normal distribution, as f32. The same state gives the same bits on the same adapter; others may differ in the last
 * places, because WGSL leaves the rounding of log, sin and cos open. At most 6.8 standard deviations from the mean.
 *
 * @throws ArgumentError unless the mean is finite and the deviation a number of at least 0; ShapeError for an impossible shape.
 */
export function randomNormal(shape: Shape, options: NormalOptions = {}): Tensor {
  const { mean = 0, std = 1 } = options;
  if (!(Number.isFinite(mean) && Number.isFinite(std) && std >= 0)) {
    throw new ArgumentError(
      "randomNormal",
      `no normal distribution: mean ${mean}, std ${std}`,
      "Use finite numbers, and a std of at least 0",
    );
  }
  const { out, start } = prepare("randomNormal", shape, "f32", options);
  const params = () => ({ ...noDistribution, ...start, a: mean, b: std });
  if (out.size > 0) normalKernel({ out }, params, sharing(out));
  return out;
}

/**
 * Whole numbers from `low` to `high`, high excluded, as i32 or u32. The same state gives the same numbers on every adapter. Their
 * probabilities differ by at most (high - low) / 2^32 of themselves.
 *
 * @throws ArgumentError unless low < high and the type holds both low and high - 1; ShapeError for an impossible shape.
 */
export function randomInteger(
  shape: Shape,
  low: number,
  high: number,
  options: IntegerOptions = {},
): Tensor {
  const { dtype = "i32" } = options;
  const [least, most] = dtype === "i32" ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  if (!(
    Number.isInteger(low) &&
    Number.isInteger(high) &&
    least <= low &&
    low < high &&
    high - 1 <= most
  )) {
    throw new ArgumentError(
      "randomInteger",
      `the bounds do not make a range of ${dtype}: low ${low}, high ${high}`,
      `Use whole numbers, low below high, from ${least} to ${most + 1}`,
    );
  }
  const { out, start } = prepare("randomInteger", shape, dtype, options);
  // 2^32 numbers do not fit into a word: every word is one of them.
  const bounds = { low: low >>> 0, range: (high - low) % 2 ** 32 };
  const params = () => ({ ...noDistribution, ...start, ...bounds });
  if (out.size > 0) integerKernel({ out_words: out }, params, sharing(out));
  return out;
}

/** How many blocks an invocation makes. */
function sharing({ device }: Tensor) {
  return { overrides: { VECTORS: vectorsOn(device) } };
}

/** Memory for the numbers, and the blocks of the generator that make them. */
function prepare(op: string, shape: Shape, dtype: DType, options: RandomOptions) {
  const {
    device = defaultDevice(op),
    generator = defaultGenerator(),
    requiresGrad = false,
  } = options;
  checkShape(op, shape);
  device.assertUsable(op);
  const out = Tensor.allocate(op, device, [...shape], dtype);
  if (requiresGrad) setRequiresGrad(out, true);
  return { out, start: takeBlocks(generator, out.size) };
}

/**
 * Reserves a block of four words for each four elements; the members of `struct Params` that say where they begin. A replay of a captured
 * step changes them: hand them to a kernel by a function.
 */
export function takeBlocks(generator: Generator, elements: number) {
  const blocks = Math.ceil(elements / 4);
  const place = { blocks, ...takePlace(generator, blocks) };
  onReplay(() => ({ run: () => Object.assign(place, takePlace(generator, blocks)) }));
  return place;
}

function takePlace(generator: Generator, blocks: number) {
  const { seed, counter } = generator.take(blocks);
  const [start_low, start_high] = halves(counter);
  const [key_low, key_high] = halves(seed);
  return { start_low, start_high, key_low, key_high };
}

/** The largest f32 below a finite one. */
function floatBelow(value: number): number {
  const bits = new Int32Array(Float32Array.of(value).buffer);
  const [pattern = 0] = bits;
  // The bits of positive numbers grow with them, those of negative ones shrink; below 0 comes the smallest negative number.
  bits[0] = value > 0 ? pattern - 1 : value < 0 ? pattern + 1 : 0x80000001;
  return new Float32Array(bits.buffer)[0] ?? 0;
}
