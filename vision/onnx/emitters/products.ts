/** @file The ONNX form of Linear. */
import { Linear } from "../../../nn/index.ts";
import { entry, type OnnxEmitter } from "../emitter.ts";

/** Gemm takes matrices only; on more axes the product is over wgrad's last. */
const linear: OnnxEmitter<Linear> = (layer, [x], graph) => {
  const { inFeatures, outFeatures, weight, bias } = layer;
  graph.expectChannels(x, inFeatures);
  const w = graph.weight(weight);
  const b = bias && graph.weight(bias);
  const changes = { channels: outFeatures };
  if (x.rank === 2) return graph.node("Gemm", [x, w, b], { transB: 1 }, changes);
  const transposed = graph.node("Transpose", [w], { perm: [1, 0] });
  const product = graph.node("MatMul", [graph.channelsLast(x), transposed], {}, changes);
  return b === undefined ? product : graph.node("Add", [product, b]);
};

export const products = [entry(Linear, linear)];
