/**
 * @file Reading and adding by indices along an axis. Indices are u32 or i32 and live on the device, where nothing can throw: an
 * index outside the axis reads NaN (0 as an integer) and adds nothing. Negative ones are outside; they do not count from the end.
 */
import gatherSource from "../../shaders/movement/gather.wgsl";
import scatterSource from "../../shaders/movement/scatter-add.wgsl";
import { isFloat } from "../dtype.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { defineKernel, linearGrid } from "../kernel.ts";
import { defineOp, zerosLike, type Op } from "../op.ts";
import {
  formatShape,
  normalizeAxis,
  shapesEqual,
  sizeOf,
  stridesOf,
  type Shape,
} from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { vectorGrid, vectorsOn, vectorStep } from "./vectors.ts";
import { walkAxes, walkParams } from "./walk.ts";

const gatherVectorsKernel = defineKernel({
  name: "gather-vectors",
  source: gatherSource,
  entryPoint: "vectors",
  bindings: ["x", "indices", "out", "params"],
  grid: vectorGrid,
});
const gatherElementsKernel = defineKernel({
  name: "gather",
  source: gatherSource,
  entryPoint: "elements",
  bindings: ["x_elements", "indices", "out", "params"],
  grid: vectorGrid,
});
const scatterKernel = defineKernel({
  name: "scatter-add",
  source: scatterSource,
  grid: ({ size }) => linearGrid(size as number, 64),
});

interface AxisAttributes {
  readonly axis: number;
}

interface GatherAttributes extends AxisAttributes {
  /** What an index outside the axis reads. */
  readonly missing: number;
}

/** Shapes as the kernels see them; the innermost sizes count units of `width` elements. */
interface View {
  readonly axis: number;
  /** The tensor that is read from or added to. */
  readonly whole: Shape;
  /** The result of reading, or what is added. */
  readonly part: Shape;
  /** In elements of the indices; 0 along axes that share one index. */
  readonly indexStrides: readonly number[];
  readonly width: 1 | 4;
}

type ViewOf = (whole: Shape, indices: Shape, axis: number) => View;

/** Each element has its own index: `indices` has the shape of the part. */
const ownIndices: ViewOf = (whole, indices, axis) => ({
  axis,
  whole,
  part: indices,
  indexStrides: stridesOf(indices),
  width: 1,
});

/** One list of indices for the axis; what lies behind one index is moved together. */
const sharedIndices: ViewOf = (whole, indices, axis) => {
  const outer = sizeOf(whole.slice(0, axis));
  const inner = sizeOf(whole.slice(axis + 1));
  const width = inner % 4 === 0 ? 4 : 1;
  return {
    axis: 1,
    whole: [outer, whole[axis] ?? 0, inner / width],
    part: [outer, indices[0] ?? 0, inner / width],
    indexStrides: [0, 1, 0],
    width,
  };
};

function typeOf(element: string, width: 1 | 4): string {
  return width === 4 ? `vec4<${element}>` : element;
}

function launchGather(
  label: string,
  x: Tensor,
  indices: Tensor,
  out: Tensor,
  view: View,
  missing: number,
): void {
  const { axis, whole, part, indexStrides, width } = view;
  const strides = stridesOf(whole);
  const axes = walkAxes(part, [strides.with(axis, 0), indexStrides]);
  const kernel = width === 4 ? gatherVectorsKernel : gatherElementsKernel;
  const params = {
    size: out.size,
    axis_size: whole[axis] ?? 0,
    axis_stride: strides[axis] ?? 0,
    missing,
    ...walkParams(axes, vectorStep / width),
  };
  kernel({ x, x_elements: x, indices, out }, params, {
    overrides: { RANK: axes.shape.length, VECTORS: vectorsOn(x.device) },
    types: { T: x.dtype },
    label,
  });
}

function launchScatter(
  label: string,
  x: Tensor,
  indices: Tensor,
  source: Tensor,
  out: Tensor,
  view: View,
): void {
  const { axis, whole, part, indexStrides, width } = view;
  const strides = stridesOf(part);
  const params = {
    size: sizeOf(whole),
    rank: whole.length,
    axis,
    count: part[axis] ?? 0,
    source_step: strides[axis] ?? 0,
    index_step: indexStrides[axis] ?? 0,
    shape: whole,
    source_shape: part,
    source_strides: strides.with(axis, 0),
    index_strides: [...indexStrides].with(axis, 0),
  };
  const sumType = x.dtype === "f16" ? "f32" : x.dtype;
  const types = { T: typeOf(x.dtype, width), A: typeOf(sumType, width) };
  scatterKernel({ x, indices, source, out }, params, { types, label });
}

/** The shape of what is read from `whole`, or added to it. */
function partShape(whole: Shape, indices: Shape, axis: number, viewOf: ViewOf): Shape {
  return viewOf === sharedIndices ? whole.with(axis, indices[0] ?? 0) : indices;
}

function defineGather(
  name: string,
  viewOf: ViewOf,
  adder: () => Op<readonly [Tensor, Tensor, Tensor], AxisAttributes, object>,
) {
  return defineOp<readonly [Tensor, Tensor], GatherAttributes>({
    name,
    output: ([x, indices], { axis }) => {
      checkIndices(name, x, indices, axis, viewOf);
      return { shape: partShape(x.shape, indices.shape, axis, viewOf) };
    },
    forward: ([x, indices], out, { axis, missing }) => {
      launchGather(name, x, indices, out, viewOf(x.shape, indices.shape, axis), missing);
      return {};
    },
    gradient: (dy, { inputs: [x, indices], attributes: { axis } }) => [
      adder()([zerosLike(x), indices, dy], { axis }),
      null,
    ],
  });
}

function defineAdder(
  name: string,
  viewOf: ViewOf,
  reader: () => Op<readonly [Tensor, Tensor], GatherAttributes, object>,
) {
  return defineOp<readonly [Tensor, Tensor, Tensor], AxisAttributes>({
    name,
    output: ([x, indices, source], { axis }) => {
      checkIndices(name, x, indices, axis, viewOf);
      checkSource(name, x, source, partShape(x.shape, indices.shape, axis, viewOf));
      return { shape: x.shape };
    },
    forward: ([x, indices, source], out, { axis }) => {
      launchScatter(name, x, indices, source, out, viewOf(x.shape, indices.shape, axis));
      return {};
    },
    // What was added nowhere has the gradient 0.
    gradient: (dy, { inputs: [, indices], attributes: { axis }, needs }) => [
      dy,
      null,
      needs[2] === true ? reader()([dy, indices], { axis, missing: 0 }) : null,
    ],
  });
}

function checkIndices(op: string, x: Tensor, indices: Tensor, axis: number, viewOf: ViewOf): void {
  if (isFloat(indices.dtype)) {
    throw new DTypeError(
      op,
      `indices are whole numbers, not ${indices.dtype}`,
      'Use cast(indices, "u32") first',
    );
  }
  if (viewOf === sharedIndices) {
    if (indices.shape.length === 1) return;
    throw new ShapeError(
      op,
      `the indices have the shape ${formatShape(indices.shape)}, not one axis`,
      "Flatten them, or use gather or scatterAdd, which take an index for each element",
    );
  }
  const fits =
    indices.shape.length === x.shape.length &&
    indices.shape.every((size, k) => k === axis || size <= (x.shape[k] ?? 0));
  if (!fits) {
    throw new ShapeError(
      op,
      `indices of shape ${formatShape(indices.shape)} do not lie within ${formatShape(x.shape)} beside axis ${axis}`,
      "Indices need as many axes as x, none longer except the axis itself",
    );
  }
}

function checkSource(op: string, x: Tensor, source: Tensor, shape: Shape): void {
  if (source.dtype !== x.dtype) {
    throw new DTypeError(
      op,
      `the element types differ: ${x.dtype} and ${source.dtype}`,
      "Use cast on one of them",
    );
  }
  if (!shapesEqual(source.shape, shape)) {
    throw new ShapeError(
      op,
      `the source has the shape ${formatShape(source.shape)}, the indices ask for ${formatShape(shape)}`,
      "Give one element of source for each index",
    );
  }
}

const gatherOp = defineGather("gather", ownIndices, () => scatterAddOp);
const indexSelectOp = defineGather("indexSelect", sharedIndices, () => indexAddOp);
const scatterAddOp = defineAdder("scatterAdd", ownIndices, () => gatherOp);
const indexAddOp = defineAdder("indexAdd", sharedIndices, () => indexSelectOp);

function missingOf({ dtype }: Tensor): number {
  return isFloat(dtype) ? NaN : 0;
}

/**
 * One element for each index: `out[i, j, k] = x[i, indices[i, j, k], k]` for axis 1. The result has the shape of the indices. An
 * index outside the axis gives NaN, or 0 in an integer tensor.
 *
 * @param indices u32 or i32, as many axes as x; beside `axis`, none longer than that of x
 * @throws ShapeError, DTypeError when they do not fit; ArgumentError when there is no such axis.
 */
export function gather(x: Tensor, axis: number, indices: Tensor): Tensor {
  return gatherOp([x, indices], {
    axis: normalizeAxis("gather", axis, x.shape.length),
    missing: missingOf(x),
  });
}

/**
 * Whole rows by one list of indices: `out[i, j, k] = x[i, indices[j], k]` for axis 1. An index outside the axis gives NaN, or 0
 * in an integer tensor.
 *
 * @param indices u32 or i32, of one axis
 * @throws ShapeError, DTypeError when they do not fit; ArgumentError when there is no such axis.
 */
export function indexSelect(x: Tensor, axis: number, indices: Tensor): Tensor {
  const along = normalizeAxis("indexSelect", axis, x.shape.length);
  return indexSelectOp([x, indices], { axis: along, missing: missingOf(x) });
}

/**
 * x, with each element of source added at the place of its index: `out[i, indices[i, j, k], k] += source[i, j, k]` for axis 1.
 * Elements whose index is outside the axis are left out. The same input gives the same bits on every run: each place adds up its
 * elements in order, without atomics. The price is that it looks at all indices along the axis.
 *
 * @param indices u32 or i32, as many axes as x; beside `axis`, none longer than that of x
 * @param source the shape of the indices, the type of x
 * @throws ShapeError, DTypeError when they do not fit; ArgumentError when there is no such axis.
 */
export function scatterAdd(x: Tensor, axis: number, indices: Tensor, source: Tensor): Tensor {
  return scatterAddOp([x, indices, source], {
    axis: normalizeAxis("scatterAdd", axis, x.shape.length),
  });
}

/**
 * x, with whole rows of source added at the places of one list of indices: `out[i, indices[j], k] += source[i, j, k]` for axis 1.
 * Otherwise as `scatterAdd`.
 *
 * @param indices u32 or i32, of one axis
 * @param source the shape of x, but along `axis` as long as the indices
 * @throws ShapeError, DTypeError when they do not fit; ArgumentError when there is no such axis.
 */
export function indexAdd(x: Tensor, axis: number, indices: Tensor, source: Tensor): Tensor {
  return indexAddOp([x, indices, source], {
    axis: normalizeAxis("indexAdd", axis, x.shape.length),
  });
}
