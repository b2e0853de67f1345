/** @file What is done to a picture before the network sees it: as a description in the file, or as its first operators. */
import type { Json } from "../../data/index.ts";
import { ArgumentError } from "../../engine/index.ts";
import type { OnnxBuilder, OnnxValue } from "./builder.ts";

/** A transform of wgrad, whose class says what the settings mean, or of one's own. */
export interface OnnxTransform {
  /** For example "Resize". */
  readonly name: string;
  readonly settings: Readonly<Record<string, Json>>;
}

/** From the bytes of a picture to the numbers that the network was trained on: transforms, then `(x * scale - mean) / std`. */
export interface OnnxPreprocessing {
  /** How files are decoded: `{ applyExif: true }` turns pictures as their EXIF says. Default: not said, pixels as they are stored. */
  readonly decoding?: Readonly<Record<string, Json>>;
  /**
   * What is done to each picture of 8 bits, in this order, for example `Resize`; as in validation, without chance. Never part of the
   * graph: whoever runs the file does it. Default: not said.
   */
  readonly itemTfms?: readonly OnnxTransform[];
  /** What is then done to batches of pixels from 0 to 1, in this order; `Normalize` is what `mean` and `std` say. Default: not said. */
  readonly batchTfms?: readonly OnnxTransform[];
  /** Pixels of the images at the end of all that. Default: not said. */
  readonly size?: readonly [height: number, width: number];
  /** What bytes are multiplied by. Default: 1 / 255. */
  readonly scale?: number;
  /** For each channel, in the order of `channelOrder`, in units of the scaled numbers. Default: 0. */
  readonly mean?: readonly number[];
  /** As `mean`. Default: 1. */
  readonly std?: readonly number[];
  /** The order of the channels that the network was trained on. Default: "RGB". */
  readonly channelOrder?: "RGB" | "BGR";
}

/** Options with all defaults filled in. */
interface Normalization {
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly channelOrder: "RGB" | "BGR";
}

/**
 * Fills in the defaults.
 * @throws ArgumentError unless there are as many means and deviations as channels, all finite and no deviation or scale 0.
 */
export function normalizationOf(options: OnnxPreprocessing, channels: number): Normalization {
  const { scale = 1 / 255, channelOrder = "RGB" } = options;
  const { mean = new Array<number>(channels).fill(0) } = options;
  const { std = new Array<number>(channels).fill(1) } = options;
  if (mean.length !== channels || std.length !== channels) {
    refuse(
      `mean and std do not fit the channels: ${mean.length} and ${std.length} for ${channels}`,
      "Pass one number for each channel",
    );
  }
  if (
    ![scale, ...std].every((x) => Number.isFinite(x) && x !== 0) ||
    !mean.every(Number.isFinite)
  ) {
    refuse(
      `the preprocessing cannot be computed: scale ${scale}, mean [${mean.join(", ")}], std [${std.join(", ")}]`,
      "Use finite numbers, and neither a scale nor a std of 0",
    );
  }
  if (channelOrder === "BGR" && channels !== 3) {
    refuse(`BGR needs three channels: ${channels}`, "Leave channelOrder out");
  }
  return { scale, mean, std, channelOrder };
}

function refuse(problem: string, fix: string): never {
  throw new ArgumentError("encodeOnnx", problem, fix);
}

/** Adds it to the graph: from RGB of 0 to 255 to what the network takes, as `x * factor + offset`. */
export function bakePreprocessing(
  graph: OnnxBuilder,
  x: OnnxValue,
  { scale, mean, std, channelOrder }: Normalization,
): OnnxValue {
  const ordered = channelOrder === "BGR" ? reversed(graph, x) : x;
  const shape = [std.length, 1, 1];
  const factors = Float32Array.from(std, (deviation) => scale / deviation);
  const offsets = Float32Array.from(std, (deviation, c) => -(mean[c] ?? 0) / deviation);
  const scaled = graph.node("Mul", [ordered, graph.constant("scale", shape, factors)]);
  return graph.node("Add", [scaled, graph.constant("offset", shape, offsets)]);
}

function reversed(graph: OnnxBuilder, x: OnnxValue): OnnxValue {
  return graph.node("Gather", [x, graph.integers("channel_order", [2, 1, 0])], { axis: 1 });
}

/** The entry `preprocessing` of the file's metadata: how the network's numbers come about, and what the file wants to be fed. */
export function describePreprocessing(
  { decoding, itemTfms, batchTfms, size }: OnnxPreprocessing,
  normalization: Normalization,
  { input, baked }: { readonly input: string; readonly baked: boolean },
): string {
  return JSON.stringify({
    ...(decoding && { decoding }),
    ...(itemTfms && { itemTfms }),
    ...(batchTfms && { batchTfms }),
    ...normalization,
    baked,
    input: {
      name: input,
      layout: "NCHW",
      ...(size && { size }),
      channelOrder: baked ? "RGB" : normalization.channelOrder,
      values: baked ? "0 to 255" : "(x * scale - mean) / std of x from 0 to 255",
    },
  });
}
