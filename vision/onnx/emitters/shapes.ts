/** @file ONNX forms of modules that only move values, or do nothing in evaluation. */
import { Dropout, Flatten, Identity, ZeroPadShortcut } from "../../../nn/index.ts";
import type { OnnxBuilder, OnnxValue } from "../builder.ts";
import { entry, type OnnxEmitter } from "../emitter.ts";

const nothing: OnnxEmitter<Dropout | Identity> = (_, [x]) => x;

/** Merges axes in wgrad's order, so that a Linear behind it finds its inputs where its weights expect them. */
const flatten: OnnxEmitter<Flatten> = ({ startAxis, endAxis }, [x], graph) => {
  const [start, end] = [fromFront(startAxis, x), fromFront(endAxis, x)];
  if (!(start >= 0 && start <= end && end < x.rank)) {
    graph.refuse(
      `there are no axes ${startAxis} to ${endAxis} of ${x.rank}`,
      "Count axes from 0, or from -1 at the end",
    );
  }
  if (start === 1 && end === x.rank - 1) return flattenAll(graph, x);
  return mergeAxes(graph, graph.channelsLast(x), start, end);
};

function fromFront(axis: number, { rank }: OnnxValue): number {
  return axis < 0 ? axis + rank : axis;
}

/** All axes but the batch. The order of an image of one pixel is right already. */
function flattenAll(graph: OnnxBuilder, x: OnnxValue): OnnxValue {
  const ordered = x.onePixel ? x : graph.channelsLast(x);
  const channels = x.onePixel || x.rank === 2 ? x.channels : undefined;
  return graph.node("Flatten", [ordered], { axis: 1 }, { rank: 2, channels });
}

/**
 * Reshape copies sizes only from the same positions, so that the axes to be merged are moved to the end, merged, and what comes out is
 * moved back. No size needs to be known.
 */
function mergeAxes(graph: OnnxBuilder, x: OnnxValue, start: number, end: number): OnnxValue {
  const axes = Array.from({ length: x.rank }, (_, axis) => axis);
  const merged = axes.slice(start, end + 1);
  const others = axes.filter((axis) => axis < start || axis > end);
  const moved = graph.node("Transpose", [x], { perm: [...others, ...merged] });
  const sizes = graph.integers("shape", [...others.map(() => 0), -1]);
  const rank = others.length + 1;
  const channels = end === x.rank - 1 ? undefined : x.channels;
  const changes = { rank, channels, channelsFirst: false, onePixel: false };
  const reshaped = graph.node("Reshape", [moved, sizes], {}, changes);
  const back = axes.slice(0, rank - 1);
  back.splice(start, 0, rank - 1);
  return graph.node("Transpose", [reshaped], { perm: back });
}

/** Every `stride`-th pixel, and channels of zeros on both sides. */
const zeroPadShortcut: OnnxEmitter<ZeroPadShortcut> = ({ stride, newChannels }, [x], graph) => {
  const largest = 2 ** 31 - 1;
  const bounds = [
    graph.integers("starts", [0, 0]),
    graph.integers("ends", [largest, largest]),
    graph.integers("axes", [2, 3]),
    graph.integers("steps", [stride, stride]),
  ];
  const subsampled = graph.node("Slice", [graph.channelsFirst(x), ...bounds]);
  const before = Math.floor(newChannels / 2);
  const pads = graph.integers("pads", [0, before, 0, 0, 0, newChannels - before, 0, 0]);
  const channels = x.channels === undefined ? undefined : x.channels + newChannels;
  return graph.node("Pad", [subsampled, pads], {}, { channels });
};

export const shapes = [
  entry(Dropout, nothing),
  entry(Identity, nothing),
  entry(Flatten, flatten),
  entry(ZeroPadShortcut, zeroPadShortcut),
];
