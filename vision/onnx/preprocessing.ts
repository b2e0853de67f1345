/** @file What is done to a picture before the network sees it: as a description in the file, or as its first operators. */
import { ArgumentError } from "../../engine/index.ts";
import type { OnnxBuilder, OnnxValue } from "./builder.ts";

/** From the bytes of a picture to the numbers that the network was trained on: resized, then `(x * scale - mean) / std`. */
export interface OnnxPreprocessing {
  /** How pictures were brought to one size. Never part of the graph: whoever runs the file does it. Default: not said. */
  readonly resize?: {
    /** For example "squish", "crop" or "pad". */
    readonly method: string;
    /** Pixels. */
    readonly size: readonly [height: number, width: number];
  };
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
  { resize }: OnnxPreprocessing,
  normalization: Normalization,
  { input, baked }: { readonly input: string; readonly baked: boolean },
): string {
  return JSON.stringify({
    ...(resize && { resize }),
    ...normalization,
    baked,
    input: {
      name: input,
      layout: "NCHW",
      channelOrder: baked ? "RGB" : normalization.channelOrder,
      values: baked ? "0 to 255" : "(x * scale - mean) / std of x from 0 to 255",
    },
  });
}
