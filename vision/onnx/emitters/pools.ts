/** @file ONNX forms of pools. */
import type { PoolOptions } from "../../../engine/index.ts";
import {
  AdaptiveAvgPool2d,
  AdaptiveConcatPool2d,
  AvgPool2d,
  GlobalAveragePool,
  GlobalMaxPool,
  MaxPool2d,
} from "../../../nn/index.ts";
import type { OnnxBuilder, OnnxValue } from "../builder.ts";
import { entry, type OnnxEmitter } from "../emitter.ts";
import { both, padsOf } from "./sizes.ts";

function windowOf({ kernelSize, stride = kernelSize, padding = 0, ceilMode = false }: PoolOptions) {
  return {
    kernel_shape: both(kernelSize),
    strides: both(stride),
    pads: padsOf(padding),
    ceil_mode: ceilMode ? 1 : 0,
  };
}

const maxPool2d: OnnxEmitter<MaxPool2d> = ({ options }, [x], graph) => {
  const attributes = { ...windowOf(options), dilations: both(options.dilation ?? 1) };
  return graph.node("MaxPool", [graph.channelsFirst(x)], attributes, { onePixel: false });
};

const avgPool2d: OnnxEmitter<AvgPool2d> = ({ options }, [x], graph) => {
  const { countIncludePad = true, divisorOverride, ceilMode = false } = options;
  const window = windowOf(options);
  const overridden = divisorOverride !== undefined;
  if (overridden && ceilMode) {
    graph.refuse(
      `ONNX has no divisor of one's own for windows that reach beyond the padding: divisorOverride ${divisorOverride}, ceilMode`,
      "Build the layer without one of them",
    );
  }
  const attributes = { ...window, count_include_pad: countIncludePad || overridden ? 1 : 0 };
  const image = graph.channelsFirst(x);
  const mean = graph.node("AveragePool", [image], attributes, { onePixel: false });
  if (!overridden) return mean;
  const [height, width] = window.kernel_shape;
  return graph.node("Mul", [mean, graph.scalar((height * width) / divisorOverride)]);
};

const adaptiveAvgPool2d: OnnxEmitter<AdaptiveAvgPool2d> = ({ outputSize }, [x], graph) => {
  if (both(outputSize).some((size) => size !== 1)) {
    graph.refuse(
      `ONNX has no adaptive pool but the global one: outputSize ${JSON.stringify(outputSize)}`,
      "Use outputSize 1, or an AvgPool2d for images of one size",
    );
  }
  return toOnePixel(graph, "GlobalAveragePool", x);
};

const adaptiveConcatPool2d: OnnxEmitter<AdaptiveConcatPool2d> = (_, [x], graph) => {
  const [max, mean] = [
    toOnePixel(graph, "GlobalMaxPool", x),
    toOnePixel(graph, "GlobalAveragePool", x),
  ];
  const channels = x.channels === undefined ? {} : { channels: 2 * x.channels };
  return graph.node("Concat", [max, mean], { axis: 1 }, channels);
};

const globalAveragePool: OnnxEmitter<GlobalAveragePool> = (_, [x], graph) =>
  flattenPixel(graph, toOnePixel(graph, "GlobalAveragePool", x));

const globalMaxPool: OnnxEmitter<GlobalMaxPool> = (_, [x], graph) =>
  flattenPixel(graph, toOnePixel(graph, "GlobalMaxPool", x));

function toOnePixel(graph: OnnxBuilder, operator: string, x: OnnxValue): OnnxValue {
  return graph.node(operator, [graph.channelsFirst(x)], {}, { onePixel: true });
}

function flattenPixel(graph: OnnxBuilder, x: OnnxValue): OnnxValue {
  return graph.node("Flatten", [x], { axis: 1 }, { rank: 2 });
}

export const pools = [
  entry(MaxPool2d, maxPool2d),
  entry(AvgPool2d, avgPool2d),
  entry(AdaptiveAvgPool2d, adaptiveAvgPool2d),
  entry(AdaptiveConcatPool2d, adaptiveConcatPool2d),
  entry(GlobalAveragePool, globalAveragePool),
  entry(GlobalMaxPool, globalMaxPool),
];
