/** @file Weights of a network for colour photos made to take images of another number of channels. */
import { ArgumentError } from "../../engine/index.ts";
import type { ImportableState } from "../state-dict.ts";

/**
 * The weight [out, 3, height, width] of a first convolution for images of `inChannels` channels, so that the sums that it makes
 * stay of the same size:
 *
 *     1 channel     the sum over R, G, B: the result is that of a grey photo
 *     2 channels    1.5 times R and G
 *     more than 3   R, G, B, then zeros: the network begins as if it did not see the rest
 *
 * Source: fastai, `_load_pretrained_weights`.
 * @throws ArgumentError when the weight has not 3 channels.
 */
export function adaptInChannels(weight: ImportableState, inChannels: number): ImportableState {
  const [out = 0, from = 0, ...kernel] = weight.shape;
  if (from === inChannels) return weight;
  if (from !== 3) {
    throw new ArgumentError(
      "adaptInChannels",
      `the weight does not take 3 channels: [${weight.shape.join(", ")}]`,
      "Load weights that were trained on colour photos",
    );
  }
  const taps = weight.data.length / (3 * out);
  const data = new Float32Array(out * inChannels * taps);
  for (let i = 0; i < data.length; i++) {
    const o = Math.floor(i / (inChannels * taps));
    const at = (c: number): number => Number(weight.data[(o * 3 + c) * taps + (i % taps)]);
    data[i] = channelOf(at, Math.floor(i / taps) % inChannels, inChannels);
  }
  return { dtype: "F32", shape: [out, inChannels, ...kernel], data };
}

function channelOf(at: (c: number) => number, channel: number, inChannels: number): number {
  if (inChannels === 1) return at(0) + at(1) + at(2);
  if (inChannels === 2) return 1.5 * at(channel);
  return channel < 3 ? at(channel) : 0;
}
