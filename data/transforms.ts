/** @file Transforms of a batch's inputs on the host. */
import { ArgumentError, formatShape, ShapeError } from "../engine/index.ts";
import type { HostArray, InputArray } from "./dataset.ts";
import type { Xoshiro128 } from "./random.ts";

/**
 * Changes the inputs of a batch on their way to the device; it may write into the array it is given, which is the batch's own,
 * or return another. All chance must come from `random`, so that an epoch can be repeated.
 */
export type Transform = (x: InputArray, random: Xoshiro128) => InputArray;

/** Statistics of the pixels of each channel, as fractions of full scale. */
export interface ChannelStats {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** A transform that knows its numbers, so that a model can be stored with them. */
export interface NormalizeTransform extends Transform {
  readonly stats: ChannelStats;
}

/**
 * `(x - mean) / std` for each channel, the last axis; bytes are divided by 255 first. PyTorch's ToTensor and Normalize in one.
 *
 * @throws ArgumentError when the lists differ in length, a number is not finite, or a std is not positive.
 */
export function normalize({ mean, std }: ChannelStats): NormalizeTransform {
  if (
    mean.length === 0 ||
    mean.length !== std.length ||
    !mean.every(Number.isFinite) ||
    !std.every((s) => s > 0 && Number.isFinite(s))
  ) {
    throw new ArgumentError(
      "normalize",
      `mean and std do not fit: [${mean.join(", ")}] and [${std.join(", ")}]`,
      "Give one finite mean and one positive std for each channel",
    );
  }
  const table = byteTable(mean, std);
  const transform: Transform = (x) => {
    const channels = x.shape.at(-1) ?? 0;
    if (channels !== mean.length) {
      throw new ShapeError(
        "normalize",
        `statistics of ${mean.length} channels for inputs of shape ${formatShape(x.shape)}`,
        "Give one mean and std for each channel of the last axis",
      );
    }
    const { data } = x;
    return {
      shape: x.shape,
      data:
        data instanceof Uint8Array ? lookUp(data, table, channels) : standardize(data, mean, std),
    };
  };
  return Object.assign(transform, { stats: { mean: [...mean], std: [...std] } });
}

/** Bytes to floats in [0, 1]; floats stay as they are. PyTorch's ToTensor, without its change of layout. */
export function toFloat(x: InputArray): HostArray<Float32Array> {
  const { shape, data } = x;
  return { shape, data: data instanceof Uint8Array ? lookUp(data, byteTable([0], [1]), 1) : data };
}

/** `table[channel * 256 + byte]` is the normalised value: 256 divisions for each channel instead of one for each pixel. */
function byteTable(mean: readonly number[], std: readonly number[]): Float32Array {
  const table = new Float32Array(256 * mean.length);
  mean.forEach((m, channel) => {
    for (let byte = 0; byte < 256; byte++)
      table[256 * channel + byte] = (byte / 255 - m) / (std[channel] ?? 1);
  });
  return table;
}

function lookUp(
  data: Uint8Array,
  table: Float32Array,
  channels: number,
): Float32Array<ArrayBuffer> {
  const result = new Float32Array(data.length);
  for (let channel = 0; channel < channels; channel++) {
    const offset = 256 * channel;
    for (let i = channel; i < data.length; i += channels)
      result[i] = table[offset + (data[i] ?? 0)] ?? 0;
  }
  return result;
}

function standardize(
  data: Float32Array,
  mean: readonly number[],
  std: readonly number[],
): Float32Array<ArrayBuffer> {
  const channels = mean.length;
  return Float32Array.from(
    data,
    (value, i) => (value - (mean[i % channels] ?? 0)) / (std[i % channels] ?? 1),
  );
}
