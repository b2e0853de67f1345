/** @file ONNX forms of activations; elementwise, so the order of axes does not matter. */
import { ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Tanh } from "../../../nn/index.ts";
import type { OnnxValue } from "../builder.ts";
import { entry, type OnnxEmitter } from "../emitter.ts";

const relu: OnnxEmitter<ReLU> = (_, [x], graph) => graph.node("Relu", [x]);
const sigmoid: OnnxEmitter<Sigmoid> = (_, [x], graph) => graph.node("Sigmoid", [x]);
const tanh: OnnxEmitter<Tanh> = (_, [x], graph) => graph.node("Tanh", [x]);

const leakyRelu: OnnxEmitter<LeakyReLU> = ({ negativeSlope }, [x], graph) =>
  graph.node("LeakyRelu", [x], { alpha: { float: negativeSlope } });

const elu: OnnxEmitter<ELU> = ({ alpha }, [x], graph) =>
  graph.node("Elu", [x], { alpha: { float: alpha } });

const silu: OnnxEmitter<SiLU> = (_, [x], graph) =>
  graph.node("Mul", [x, graph.node("Sigmoid", [x])]);

/** `x / 2 * (1 + erf(x / sqrt 2))`: opset 17 has no Gelu. */
const gelu: OnnxEmitter<GELU> = (_, [x], graph) => {
  const erf = graph.node("Erf", [graph.node("Mul", [x, graph.scalar(Math.SQRT1_2)])]);
  const twice = graph.node("Mul", [x, graph.node("Add", [erf, graph.scalar(1)])]);
  return graph.node("Mul", [twice, graph.scalar(0.5)]);
};

const softmax: OnnxEmitter<Softmax> = ({ axis }, [x], graph) =>
  graph.node("Softmax", [x], { axis: positionOf(axis, x) });

/** Where an axis of wgrad's order is in the value. */
function positionOf(axis: number, { rank, channelsFirst }: OnnxValue): number {
  const position = axis < 0 ? axis + rank : axis;
  if (position === 0 || rank < 3 || !channelsFirst) return position;
  return position === rank - 1 ? 1 : position + 1;
}

export const activations = [
  entry(ReLU, relu),
  entry(LeakyReLU, leakyRelu),
  entry(ELU, elu),
  entry(GELU, gelu),
  entry(SiLU, silu),
  entry(Sigmoid, sigmoid),
  entry(Tanh, tanh),
  entry(Softmax, softmax),
];
