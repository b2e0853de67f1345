/** @file ONNX forms of norms, as evaluation computes them. */
import type { Tensor } from "../../../engine/index.ts";
import { BatchNorm1d, BatchNorm2d, LayerNorm, type BatchNorm } from "../../../nn/index.ts";
import type { OnnxBuilder, OnnxValue } from "../builder.ts";
import { entry, type OnnxEmitter } from "../emitter.ts";

/** `activation(norm(x) + residual)`: what one kernel of wgrad does is up to three operators. */
const batchNorm: OnnxEmitter<BatchNorm> = (layer, [x, residual], graph) => {
  const { numFeatures, runningMean, runningVar, eps, activation } = layer;
  graph.expectChannels(x, numFeatures);
  if (runningMean === undefined || runningVar === undefined) {
    return graph.refuse(
      "a norm without running statistics uses those of each batch, which a file for single images cannot",
      "Build the layer with trackRunningStats",
    );
  }
  const inputs = [
    filled(graph, "weight", layer.weight, [numFeatures], 1),
    filled(graph, "bias", layer.bias, [numFeatures], 0),
    graph.weight(runningMean),
    graph.weight(runningVar),
  ];
  const epsilon = { float: eps };
  const norm = graph.node("BatchNormalization", [graph.channelsFirst(x), ...inputs], { epsilon });
  const sum =
    residual === undefined ? norm : graph.node("Add", [norm, graph.channelsFirst(residual)]);
  return activation === "relu" ? graph.node("Relu", [sum]) : sum;
};

/** It goes over wgrad's last axes, so the value has to be in that order. */
const layerNorm: OnnxEmitter<LayerNorm> = (layer, [x], graph) => {
  const { normalizedShape, eps, weight, bias } = layer;
  graph.expectChannels(x, normalizedShape.at(-1) ?? 1);
  const scale = filled(graph, "weight", weight, normalizedShape, 1);
  return graph.node(
    "LayerNormalization",
    [graph.channelsLast(x), scale, bias && graph.weight(bias)],
    { axis: -normalizedShape.length, epsilon: { float: eps } },
  );
};

/** A weight, or where the layer has none, as many times the number that changes nothing. */
function filled(
  graph: OnnxBuilder,
  label: string,
  tensor: Tensor | undefined,
  shape: readonly number[],
  value: number,
): OnnxValue {
  if (tensor !== undefined) return graph.weight(tensor);
  const size = shape.reduce((product, n) => product * n, 1);
  return graph.constant(label, shape, new Float32Array(size).fill(value));
}

export const norms = [
  entry(BatchNorm1d, batchNorm),
  entry(BatchNorm2d, batchNorm),
  entry(LayerNorm, layerNorm),
];
