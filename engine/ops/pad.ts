/** @file More elements around a tensor: a constant, the mirrored inside, or the repeated edge. */
import edgeSource from "../../shaders/movement/pad-edge.wgsl";
import { checkElement } from "../dtype.ts";
import { ArgumentError, ShapeError } from "../errors.ts";
import { defineKernel, type Kernel } from "../kernel.ts";
import { defineOp } from "../op.ts";
import { formatShape, sizeOf, stridesOf, type Shape } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { fillWith } from "./fill.ts";
import { blockAround } from "./reduce-kernels.ts";
import { slice } from "./slice.ts";
import { copyAxes, copyStrided } from "./strided-copy.ts";
import { stepGrid, stepSize, vectorsOn } from "./vectors.ts";
import { walkParams } from "./walk.ts";

/** How many elements to add before and after an axis. */
export type AxisPadding = readonly [before: number, after: number];

export interface PadOptions {
  /** What the new elements are: `value`, the inside mirrored at the edge, or the edge itself. Default: "constant". */
  readonly mode?: "constant" | "reflect" | "replicate";
  /** For mode "constant". Default: 0. */
  readonly value?: number;
}

interface ConstantAttributes {
  readonly padding: readonly AxisPadding[];
  readonly value: number;
}

const padOp = defineOp<readonly [Tensor], ConstantAttributes>({
  name: "pad",
  output: ([x], { padding }) => ({ shape: paddedShape(x.shape, padding) }),
  forward: ([x], out, { padding, value }) => {
    fillWith(out, value);
    const outStrides = stridesOf(out.shape);
    const outOffset = padding.reduce(
      (sum, [before], axis) => sum + before * (outStrides[axis] ?? 0),
      0,
    );
    copyStrided("pad", x, out, copyAxes(x.shape, { outStrides }), { outOffset });
    return {};
  },
  gradient: (dy, { inputs: [x], attributes: { padding } }) => [
    slice(
      dy,
      padding.map(([before]) => before),
      padding.map(([before], axis) => before + (x.shape[axis] ?? 0)),
    ),
  ],
});

interface EdgeAttributes {
  readonly axis: number;
  readonly before: number;
  readonly after: number;
  readonly MODE: "REFLECT" | "REPLICATE";
}

const edgeKernel = defineKernel({
  name: "pad-edge",
  source: edgeSource,
  entryPoint: "forward",
  bindings: ["x", "out", "params"],
  grid: stepGrid,
});
const edgeGradientKernel = defineKernel({
  name: "pad-edge-gradient",
  source: edgeSource,
  entryPoint: "backward",
  bindings: ["dy", "out", "params"],
  grid: stepGrid,
});

/** Reflects or replicates along one axis. */
const padEdgeOp = defineOp<readonly [Tensor], EdgeAttributes>({
  name: "padEdge",
  output: ([x], { axis, before, after }) => ({
    shape: x.shape.with(axis, before + (x.shape[axis] ?? 0) + after),
  }),
  forward: ([x], out, attributes) => {
    // Bits are moved, not numbers: all types of 4 bytes are one.
    const T = x.dtype === "f16" ? "f16" : "u32";
    launchEdge(edgeKernel, T, { x, out }, { read: x.shape, made: out.shape }, attributes);
    return {};
  },
  gradient: (dy, { inputs: [x], attributes }) => {
    const out = Tensor.allocate("pad", x.device, x.shape, x.dtype);
    const shapes = { read: dy.shape, made: x.shape };
    launchEdge(edgeGradientKernel, x.dtype, { dy, out }, shapes, attributes);
    return [out];
  },
});

/** `read` and `made` are the shapes of what is read and of the result; the element type is `element`. */
function launchEdge(
  kernel: Kernel,
  element: string,
  tensors: Readonly<Record<"out", Tensor>> & Readonly<Record<string, Tensor>>,
  { read, made }: { readonly read: Shape; readonly made: Shape },
  { axis, before, after, MODE }: EdgeAttributes,
): void {
  const { outer, length, inner } = blockAround(made, axis);
  const width = inner % 4 === 0 ? 4 : 1;
  const units = inner / width;
  const axes = {
    shape: [outer, length, units],
    strides: [[(read[axis] ?? 0) * units, 0, 1]],
  };
  const size = sizeOf(axes.shape);
  const n = Math.min(read[axis] ?? 0, length);
  const vector = (type: string): string => (width === 4 ? `vec4<${type}>` : type);
  kernel(
    tensors,
    { size, n, before, after, inner: units, ...walkParams(axes, stepSize) },
    {
      overrides: { MODE, RANK: 3, VECTORS: vectorsOn(tensors.out.device) },
      types: { T: vector(element), A: vector("f32") },
    },
  );
}

/**
 * Adds elements around x, `[before, after]` for every axis: `pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]])`. Returns `x` itself
 * when nothing is added.
 *
 * @throws ShapeError unless there is one pair for each axis, or when there is not enough to mirror or repeat.
 * @throws ArgumentError when a number of elements is negative or not whole.
 */
export function pad(x: Tensor, padding: readonly AxisPadding[], options: PadOptions = {}): Tensor {
  const { mode = "constant", value = 0 } = options;
  checkPadding(x, padding);
  if (padding.every(([before, after]) => before === 0 && after === 0)) return x;
  if (mode === "constant") {
    checkElement("pad", value, x.dtype);
    return padOp([x], { padding, value });
  }
  checkEdges(x, padding, mode);
  const MODE = mode === "reflect" ? "REFLECT" : "REPLICATE";
  return padding.reduce(
    (padded, [before, after], axis) =>
      before === 0 && after === 0 ? padded : padEdgeOp([padded], { axis, before, after, MODE }),
    x,
  );
}

function paddedShape(shape: Shape, padding: readonly AxisPadding[]): number[] {
  return shape.map((size, axis) => size + (padding[axis]?.[0] ?? 0) + (padding[axis]?.[1] ?? 0));
}

function formatPadding(padding: readonly AxisPadding[]): string {
  return `[${padding.map(formatShape).join(", ")}]`;
}

function checkPadding(x: Tensor, padding: readonly AxisPadding[]): void {
  if (padding.length !== x.shape.length) {
    throw new ShapeError(
      "pad",
      `${padding.length} pairs for the ${x.shape.length} axes of ${formatShape(x.shape)}: ${formatPadding(padding)}`,
      "Give [before, after] for every axis; [0, 0] leaves it as it is",
    );
  }
  if (!padding.flat().every((count) => Number.isInteger(count) && count >= 0)) {
    throw new ArgumentError(
      "pad",
      `a number of elements is not a whole number >= 0: ${formatPadding(padding)}`,
      "Use slice to remove elements",
    );
  }
}

/** A mirror needs more elements than it adds, because the edge itself is not repeated; a copy of the edge needs one. */
function checkEdges(
  x: Tensor,
  padding: readonly AxisPadding[],
  mode: "reflect" | "replicate",
): void {
  const wrong = padding.findIndex(([before, after], axis) => {
    const most =
      mode === "reflect" ? (x.shape[axis] ?? 0) - 1 : (x.shape[axis] ?? 0) > 0 ? Infinity : 0;
    return Math.max(before, after) > Math.max(0, most);
  });
  if (wrong === -1) return;
  throw new ShapeError(
    "pad",
    `axis ${wrong} of ${formatShape(x.shape)} is too short to ${mode} ${formatShape(padding[wrong] ?? [])}`,
    mode === "reflect"
      ? "Add at most size - 1 elements, or use replicate"
      : 'Use mode "constant" for an empty axis',
  );
}
