/**
 * @file Kernels over channels-last tensors take 4 channels in one invocation where the number of
 * channels allows it, else 1. Their shaders are written once, for vectors; where one channel is
 * taken, the aliases become scalars.
 */
import type { DType } from "../dtype.ts";
import type { TypeAliases } from "../kernel.ts";

/**
 * The aliases of such shaders: S elements in memory, V f32 to compute with, and vectors of other
 * types.
 */
export type ChannelAlias = "S" | "V" | "U" | "I" | "B";

export interface ChannelVectors {
  /** Channels that one invocation takes. */
  readonly lanes: 1 | 4;
  /** Vectors in a row of channels. */
  readonly columns: number;
  /** The type that each alias stands for. */
  readonly types: (...aliases: readonly ChannelAlias[]) => TypeAliases;
}

/** How `channels` values of type `dtype`, next to each other in memory, are cut into vectors. */
export function channelVectors(dtype: DType, channels: number): ChannelVectors {
  const lanes = channels % 4 === 0 ? 4 : 1;
  const scalars = { S: dtype, V: "f32", U: "u32", I: "i32", B: "bool" };
  const typeOf = (alias: ChannelAlias): string =>
    lanes === 4 ? `vec4<${scalars[alias]}>` : scalars[alias];
  return {
    lanes,
    columns: channels / lanes,
    types: (...aliases) => Object.fromEntries(aliases.map((alias) => [alias, typeOf(alias)])),
  };
}
