/** @file ONNX forms of convolutions. Source: ONNX operators Conv and ConvTranspose, whose weights are PyTorch's. */
import { Conv2d, ConvTranspose2d } from "../../../nn/index.ts";
import type { OnnxBuilder } from "../builder.ts";
import { entry, type OnnxEmitter } from "../emitter.ts";
import type { OnnxAttribute } from "../graph.ts";
import { both, padsOf } from "./sizes.ts";

const conv2d: OnnxEmitter<Conv2d> = (layer, [x], graph) => {
  const { weight, bias, kernelSize, stride, dilation, groups, inChannels, outChannels } = layer;
  graph.expectChannels(x, inChannels);
  const attributes = {
    kernel_shape: kernelSize,
    strides: both(stride),
    dilations: both(dilation),
    group: groups,
    ...paddingOf(layer, graph),
  };
  const inputs = [graph.weight(weight), bias && graph.weight(bias)];
  const changes = { channels: outChannels, onePixel: false };
  return graph.node("Conv", [graph.channelsFirst(x), ...inputs], attributes, changes);
};

/** "same" with a stride depends on the size of the image, so the runtime has to work it out. */
function paddingOf(
  { padding, kernelSize, dilation, stride }: Conv2d,
  graph: OnnxBuilder,
): Record<string, OnnxAttribute> {
  if (padding === "valid") return { pads: [0, 0, 0, 0] };
  if (padding !== "same") return { pads: padsOf(padding) };
  const [rows, columns] = both(dilation);
  if (both(stride).every((step) => step === 1)) {
    const [height, width] = [(kernelSize[0] - 1) * rows, (kernelSize[1] - 1) * columns];
    const [top, left] = [Math.floor(height / 2), Math.floor(width / 2)];
    return { pads: [top, left, height - top, width - left] };
  }
  if (rows === 1 && columns === 1) return { auto_pad: "SAME_UPPER" };
  return graph.refuse(
    `onnxruntime has no padding "same" with a stride and a dilation: stride ${JSON.stringify(stride)}, dilation ${JSON.stringify(dilation)}`,
    "Build the layer with padding [top, bottom, left, right]",
  );
}

const convTranspose2d: OnnxEmitter<ConvTranspose2d> = (layer, [x], graph) => {
  const { weight, bias, kernelSize, inChannels, outChannels, groups } = layer;
  graph.expectChannels(x, inChannels);
  const attributes = {
    kernel_shape: kernelSize,
    strides: both(layer.stride),
    pads: padsOf(layer.padding),
    output_padding: both(layer.outputPadding),
    dilations: both(layer.dilation),
    group: groups,
  };
  const inputs = [graph.weight(weight), bias && graph.weight(bias)];
  const changes = { channels: outChannels, onePixel: false };
  return graph.node("ConvTranspose", [graph.channelsFirst(x), ...inputs], attributes, changes);
};

export const convolutions = [entry(Conv2d, conv2d), entry(ConvTranspose2d, convTranspose2d)];
