/**
 * @file Moving elements between two places that are both walked by strides: what permute, slice, flip, expand, concat and pad
 * have in common. A plan is simplified first, because a copy of few axes and wide units is a fast one.
 */
import stridedSource from "../../shaders/movement/strided-copy.wgsl";
import transposeSource from "../../shaders/movement/transpose.wgsl";
import { bytesPerElement } from "../dtype.ts";
import { defineKernel, type ParamValues, type TypeAliases } from "../kernel.ts";
import { ceilDiv, mergeAxes, shapesEqual, sizeOf, stridesOf, type Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { stepGrid, stepSize, vectorGrid, vectorsOn, vectorStep } from "./vectors.ts";
import { walkParams, type WalkAxes } from "./walk.ts";

/** One axis of the region that is copied: its size, and how far one step goes in either tensor, in elements. */
export interface CopyAxis {
  readonly size: number;
  readonly xStride: number;
  readonly outStride: number;
}

/** Where the region begins, in elements. Default: 0. */
export interface CopyOffsets {
  readonly xOffset?: number;
  readonly outOffset?: number;
}

const unitsKernel = defineKernel({
  name: "strided-copy",
  source: stridedSource,
  entryPoint: "units",
  bindings: ["x", "out", "params"],
  grid: stepGrid,
});
const collectKernel = defineKernel({
  name: "strided-copy-collect",
  source: stridedSource,
  entryPoint: "collect",
  bindings: ["x_elements", "out_block", "params"],
  grid: vectorGrid,
});
const distributeKernel = defineKernel({
  name: "strided-copy-distribute",
  source: stridedSource,
  entryPoint: "distribute",
  bindings: ["x_block", "out_elements", "params"],
  grid: vectorGrid,
});
const alignedTransposeKernel = defineKernel({
  name: "transpose",
  source: transposeSource,
  entryPoint: "aligned",
  bindings: ["x", "out", "params"],
  grid: stepGrid,
});
const raggedTransposeKernel = defineKernel({
  name: "transpose-ragged",
  source: transposeSource,
  entryPoint: "ragged",
  bindings: ["x", "x_scalars", "out_scalars", "params"],
  grid: stepGrid,
});

/** The axes of a region of `shape` from the strides of either side; the strides default to row-major. */
export function copyAxes(
  shape: Shape,
  {
    xStrides,
    outStrides,
  }: { readonly xStrides?: readonly number[]; readonly outStrides?: readonly number[] },
): CopyAxis[] {
  const contiguous = stridesOf(shape);
  const from = xStrides ?? contiguous;
  const to = outStrides ?? contiguous;
  return shape.map((size, axis) => ({ size, xStride: from[axis] ?? 0, outStride: to[axis] ?? 0 }));
}

/** Records the copy of a region of `x` to a region of `out`, bit by bit; both have the same type. `label` names it in profiles. */
export function copyStrided(
  label: string,
  x: Tensor,
  out: Tensor,
  axes: readonly CopyAxis[],
  { xOffset = 0, outOffset = 0 }: CopyOffsets = {},
): void {
  if (axes.some(({ size }) => size === 0)) return;
  const plan: Plan = { label, x, out, axes: simplify(axes), xOffset, outOffset };
  if (!copyBlock(plan) && !copyTransposed(plan)) copyUnits(plan);
}

interface Plan extends Required<CopyOffsets> {
  readonly label: string;
  readonly x: Tensor;
  readonly out: Tensor;
  readonly axes: readonly CopyAxis[];
}

/** As few axes as the walk allows, at least one. */
function simplify(axes: readonly CopyAxis[]): CopyAxis[] {
  const lists = [
    axes.map(({ xStride }) => xStride),
    axes.map(({ outStride }) => outStride),
  ] as const;
  const { shape, strides } = mergeAxes(
    axes.map(({ size }) => size),
    lists,
  );
  const [xStrides, outStrides] = strides;
  if (shape.length === 0) return [{ size: 1, xStride: 1, outStride: 1 }];
  return copyAxes(shape, { xStrides, outStrides });
}

/** One unbroken block of whole words: the queue copies it without a kernel. */
function copyBlock({ x, out, axes, xOffset, outOffset, label }: Plan): boolean {
  const [block] = axes;
  if (axes.length !== 1 || block?.xStride !== 1 || block.outStride !== 1) return false;
  const elementBytes = bytesPerElement[x.dtype];
  const from = xOffset * elementBytes;
  const to = outOffset * elementBytes;
  const length = block.size * elementBytes;
  if ([from, to, length].some((bytes) => bytes % 4 !== 0)) return false;
  const source = x.memory(label);
  const target = out.memory(label);
  x.device.recorder.copy(
    source.buffer,
    source.byteOffset + from,
    target.buffer,
    target.byteOffset + to,
    length,
  );
  return true;
}

/** `[batches, rows, columns]` to `[batches, columns, rows]`: NHWC to NCHW and back, matrices. */
function copyTransposed({ x, out, axes, xOffset, outOffset, label }: Plan): boolean {
  const [batches, column, row] = axes.length === 2 ? [oneBatch, ...axes] : axes;
  if (axes.length > 3 || batches === undefined || column === undefined || row === undefined)
    return false;
  const [rows, columns] = [row.size, column.size];
  const isTransposition =
    xOffset === 0 &&
    outOffset === 0 &&
    column.xStride === 1 &&
    column.outStride === rows &&
    row.xStride === columns &&
    row.outStride === 1 &&
    (batches.size === 1 ||
      (batches.xStride === rows * columns && batches.outStride === rows * columns));
  if (!isTransposition || Math.min(rows, columns) < 4) return false;
  const isAligned = rows % 4 === 0 && columns % 4 === 0;
  const unit = isAligned ? 4 : 1;
  const blocks = {
    shape: [batches.size, ceilDiv(rows, 4), ceilDiv(columns, 4)],
    strides: [
      [(rows * columns) / unit, (4 * columns) / unit, 4 / unit],
      [(rows * columns) / unit, 4 / unit, (4 * rows) / unit],
    ],
  };
  const kernel = isAligned ? alignedTransposeKernel : raggedTransposeKernel;
  kernel(
    { x, out, x_scalars: x, out_scalars: out },
    { size: sizeOf(blocks.shape), rows, columns, ...walkParams(blocks, stepSize) },
    {
      // A block is four vec4s.
      overrides: {
        ...{ RANK: 3, VECTORS: vectorsOn(x.device) / 4 },
        WIDE: Number(columns % 4 === 0),
      },
      types: { T: wordType(x) },
      label,
    },
  );
  return true;
}

const oneBatch: CopyAxis = { size: 1, xStride: 0, outStride: 0 };

/** Bits are moved, not numbers: all types of 4 bytes are one. */
function wordType({ dtype }: Tensor): "f16" | "u32" {
  return dtype === "f16" ? "f16" : "u32";
}

const unitTypes = [
  { bytes: 16, T: "vec4<u32>" },
  { bytes: 8, T: "vec2<u32>" },
  { bytes: 4, T: "u32" },
  { bytes: 2, T: "f16" },
] as const;

/** The general copy, in the widest unit that divides everything; single elements by fours where one side is a block. */
function copyUnits(plan: Plan): void {
  const { x, axes } = plan;
  const elementBytes = bytesPerElement[x.dtype];
  const unit = widestUnit(plan, elementBytes);
  const last = axes.length - 1;
  const elements = unit.bytes / elementBytes;
  const inUnits = (strides: readonly number[]): number[] =>
    strides.map((stride, axis) => (axis === last ? stride : stride / elements));
  const sizes = axes.map(({ size }) => size);
  const walk = {
    shape: sizes.with(last, (sizes[last] ?? 1) / elements),
    strides: [
      inUnits(axes.map(({ xStride }) => xStride)),
      inUnits(axes.map(({ outStride }) => outStride)),
    ],
  };
  if (elements === 1 && copyBlockwise(plan, walk)) return;
  const start = [plan.xOffset / elements, plan.outOffset / elements];
  launch(unitsKernel, plan, {
    params: { size: sizeOf(walk.shape), block: 0, ...walkParams(walk, stepSize, start) },
    types: { T: unit.T },
  });
}

function widestUnit({ axes, xOffset, outOffset }: Plan, elementBytes: number) {
  const inner = axes.at(-1) ?? oneBatch;
  const lengths = [
    xOffset,
    outOffset,
    inner.size,
    ...axes.slice(0, -1).flatMap((axis) => [axis.xStride, axis.outStride]),
  ];
  const isRun = inner.xStride === 1 && inner.outStride === 1;
  const fits = (bytes: number): boolean =>
    lengths.every((length) => (length * elementBytes) % bytes === 0);
  const unit = unitTypes.find(
    ({ bytes }) => bytes === elementBytes || (isRun && bytes > elementBytes && fits(bytes)),
  );
  return unit ?? unitTypes[2];
}

/** Single elements into a block of whole vec4s, or out of one. */
function copyBlockwise(plan: Plan, walk: WalkAxes): boolean {
  const { x, out, xOffset, outOffset } = plan;
  const size = sizeOf(walk.shape);
  const contiguous = stridesOf(walk.shape);
  const [xStrides = [], outStrides = []] = walk.strides;
  // Behind the end of a tensor there is room for the rest of a vec4.
  const isIntoBlock =
    shapesEqual(outStrides, contiguous) &&
    outOffset % 4 === 0 &&
    (size % 4 === 0 || outOffset + size === out.size);
  const isFromBlock = shapesEqual(xStrides, contiguous) && xOffset % 4 === 0;
  if (!isIntoBlock && !isFromBlock) return false;
  const block = (isIntoBlock ? outOffset : xOffset) / 4;
  launch(isIntoBlock ? collectKernel : distributeKernel, plan, {
    params: { size, block, ...walkParams(walk, vectorStep, [xOffset, outOffset]) },
    types: { E: wordType(x) },
  });
  return true;
}

function launch(
  kernel: typeof unitsKernel,
  { x, out, axes, label }: Plan,
  { params, types }: { readonly params: ParamValues; readonly types: TypeAliases },
): void {
  const tensors = { x, out, x_elements: x, out_elements: out, x_block: x, out_block: out };
  const overrides = { RANK: axes.length, VECTORS: vectorsOn(x.device) };
  kernel(tensors, params, { overrides, types, label });
}
