/**
 * @file How a reduction over any axes is carried out: block by block of neighbouring axes, each block in as few passes as
 * keep the device busy and the rounding small. Formulas: `shaders/reduce/reduce.wgsl`.
 */
import reduceSource from "../../shaders/reduce/reduce.wgsl";
import { isFloat, type DType } from "../dtype.ts";
import { defineKernel, type KernelDefinition } from "../kernel.ts";
import { ceilDiv, sizeOf, type Shape } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { spreadGrid, spreadOf } from "./vectors.ts";

const foldGrid: KernelDefinition["grid"] = ({ slabs, width, slices, vectors }, overrides) =>
  spreadGrid((slabs as number) * ceilDiv(width as number, 4) * (slices as number), {
    ...overrides,
    VECTORS: vectors as number,
  });

const foldKernel = defineKernel({
  name: "reduce-fold",
  source: reduceSource,
  entryPoint: "fold",
  bindings: ["x", "x_scalars", "out", "params"],
  grid: foldGrid,
});
const foldRaggedKernel = defineKernel({
  name: "reduce-fold-ragged",
  source: reduceSource,
  entryPoint: "fold_ragged",
  bindings: ["x", "x_scalars", "out_scalars", "params"],
  grid: foldGrid,
});
const rowsKernel = defineKernel({
  name: "reduce-rows",
  source: reduceSource,
  entryPoint: "rows",
  bindings: ["x", "x_scalars", "out_scalars", "params"],
  grid: ({ slabs, vectors }, overrides) =>
    spreadGrid(slabs as number, { ...overrides, VECTORS: vectors as number }),
});

/** A tensor seen as [outer, length, inner], where `length` is reduced. */
export interface Block {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

/** A tensor of `shape` seen around one axis. */
export function blockAround(shape: Shape, axis: number): Block {
  return {
    outer: sizeOf(shape.slice(0, axis)),
    length: shape[axis] ?? 1,
    inner: sizeOf(shape.slice(axis + 1)),
  };
}

/**
 * The blocks of neighbouring axes to reduce one after another, innermost first. Axes of size 1 stand in no one's way: over
 * `[4, 1, 5, 6]` the axes 0 and 2 are one block of 20.
 */
export function blocksOf(shape: Shape, axes: readonly number[]): Block[] {
  const runs: { size: number; reduced: boolean }[] = [];
  shape.forEach((size, axis) => {
    const reduced = axes.includes(axis);
    const last = runs.at(-1);
    if (size === 1) return;
    if (last?.reduced === reduced) last.size *= size;
    else runs.push({ size, reduced });
  });
  const blocks: Block[] = [];
  let inner = 1;
  for (let i = runs.length - 1; i >= 0; i--) {
    const { size = 1, reduced = false } = runs[i] ?? {};
    if (reduced)
      blocks.push({ outer: sizeOf(runs.slice(0, i).map((run) => run.size)), length: size, inner });
    else inner *= size;
  }
  return blocks.length > 0 ? blocks : [{ outer: sizeOf(shape), length: 1, inner: 1 }];
}

/** Names of the cases in the shader. */
export type ReductionKind = "SUM" | "PRODUCT" | "MAXIMUM" | "MINIMUM";

export interface Reduction {
  readonly kind: ReductionKind;
  /** Reduce the squares. Default: false. */
  readonly square?: boolean;
  /** Divide the result by this. */
  readonly divisor?: number;
  /** Name in profiles. */
  readonly label: string;
}

/** The value that changes nothing, as the device stores it in the type that is computed with. */
const identityBits: Readonly<
  Record<ReductionKind, Readonly<Record<"f32" | "i32" | "u32", number>>>
> = {
  SUM: { f32: 0, i32: 0, u32: 0 },
  PRODUCT: { f32: 0x3f800000, i32: 1, u32: 1 },
  MAXIMUM: { f32: 0xff800000, i32: 0x80000000, u32: 0 },
  MINIMUM: { f32: 0x7f800000, i32: 0x7fffffff, u32: 0xffffffff },
};

/** Reduces `x` over the blocks into `out`, which has as many elements as are left. `x` must not be empty. */
export function reduceInto(
  x: Tensor,
  blocks: readonly Block[],
  out: Tensor,
  reduction: Reduction,
): void {
  blocks.reduce((current, block, i) => {
    const last = i === blocks.length - 1;
    const pass: Pass = {
      ...reduction,
      square: i === 0 && reduction.square === true,
      last: last ? out : undefined,
    };
    return reduceBlock(current, block, pass);
  }, x);
}

interface Pass extends Reduction {
  /** Where the result goes, if nothing is left to reduce after this block. */
  readonly last: Tensor | undefined;
}

/** A row up to this long is one invocation's work. On a software adapter a second pass would cost more than the whole row. */
function longestRow({ device }: Tensor): number {
  return device.adapter.software ? 4 * mostRows : 256;
}
/** Longer rows are folded to this width: 8 neighbouring invocations load 128 neighbouring bytes. */
const foldedWidth = 32;
/** A slice has at least this many rows, or a second pass costs more than it saves ... */
const fewestRows = 16;
/** ... and at most this many, so that rounding errors do not pile up: a sum of sums is more exact than one long sum. */
const mostRows = 1024;

function reduceBlock(x: Tensor, block: Block, pass: Pass): Tensor {
  const { outer, length, inner } = block;
  if (inner === 1 && length <= longestRow(x)) return rowsPass(x, block, pass);
  const width = foldWidth(block);
  const rows = ceilDiv(length * inner, width);
  const { slices, group } = sliceRows(x, rows, ceilDiv(width, 4), manyInvocations(x) / outer);
  const fold = {
    outer,
    slab: length * inner,
    width,
    slices,
    group,
    rowsPerGroup: ceilDiv(rows, slices / group),
  };
  if (slices === 1 && width === inner) return foldPass(x, fold, pass);
  const partial = foldPass(x, fold, { ...pass, last: undefined });
  return reduceBlock(
    partial,
    { outer, length: (slices * width) / inner, inner },
    { ...pass, square: false },
  );
}

/**
 * How wide to fold a slab. Neighbouring rows of a width that is no multiple of 4 are taken together until they are, where the
 * slab is the only one: the second pass sums the 2 or 4 of them.
 */
function foldWidth({ outer, length, inner }: Block): number {
  if (inner === 1) return foldedWidth;
  if (outer > 1 || length <= fewestRows || inner % 4 === 0) return inner;
  return inner % 2 === 0 ? 2 * inner : 4 * inner;
}

/** Invocations that keep the device busy: a software adapter has few lanes, a GPU hides latency by many. */
export function manyInvocations({ device }: Tensor): number {
  return device.adapter.software ? 256 : 32768;
}

/** On a GPU the rows of neighbouring slices alternate; on a software adapter each slice goes through memory in order. */
function sliceRows(
  { device }: Tensor,
  rows: number,
  columns: number,
  wanted: number,
): { slices: number; group: number } {
  const useful = Math.min(ceilDiv(wanted, columns), Math.floor(rows / fewestRows));
  const slices = Math.max(useful, ceilDiv(rows, mostRows), 1);
  const widest = device.adapter.software ? 1 : Math.max(1, Math.floor(64 / columns));
  const group = Math.min(slices, widest);
  return { slices: ceilDiv(slices, group) * group, group };
}

interface Fold {
  readonly outer: number;
  readonly slab: number;
  readonly width: number;
  readonly slices: number;
  readonly group: number;
  readonly rowsPerGroup: number;
}

function foldPass(x: Tensor, fold: Fold, pass: Pass): Tensor {
  const { outer, slab, width, slices, group, rowsPerGroup } = fold;
  const aligned = width % 4 === 0 && (outer === 1 || slab % 4 === 0);
  const out = pass.last ?? partialTensor(x, outer * slices * width);
  const params = {
    slabs: outer,
    slab,
    width,
    slices,
    group,
    rows_per_group: rowsPerGroup,
    ...constants(x, out, pass, outer * slices * ceilDiv(width, 4)),
  };
  const options = optionsFor(x, out, pass, aligned);
  if (width % 4 === 0) foldKernel({ x, x_scalars: x, out }, params, options);
  else foldRaggedKernel({ x, x_scalars: x, out_scalars: out }, params, options);
  return out;
}

function rowsPass(x: Tensor, { outer, length }: Block, pass: Pass): Tensor {
  const out = pass.last ?? partialTensor(x, outer);
  const layout = { slabs: outer, slab: length, width: 1, slices: 1, group: 1, rows_per_group: 0 };
  const params = { ...layout, ...constants(x, out, pass, outer) };
  const options = optionsFor(x, out, pass, outer === 1 || length % 4 === 0);
  rowsKernel({ x, x_scalars: x, out_scalars: out }, params, options);
  return out;
}

/** Sums of f16 are kept in f32 between passes. */
function partialTensor(x: Tensor, size: number): Tensor {
  return Tensor.allocate("reduce", x.device, [size], accumulatorOf(x.dtype));
}

export function accumulatorOf(dtype: DType): "f32" | "i32" | "u32" {
  return dtype === "f16" ? "f32" : dtype;
}

/** Members of `struct Params` for so many slices or slabs; only the last pass divides. */
function constants(x: Tensor, out: Tensor, { kind, divisor = 1, last }: Pass, items: number) {
  return {
    identity: identityBits[kind][accumulatorOf(x.dtype)],
    divisor: out === last ? divisor : 1,
    vectors: spreadOf(x.device, items).VECTORS,
  };
}

function optionsFor(x: Tensor, out: Tensor, pass: Pass, aligned: boolean) {
  const { kind, square = false, label } = pass;
  return {
    overrides: {
      OP: kind,
      WORKGROUP: spreadOf(x.device, 1).WORKGROUP,
      ALIGNED: Number(aligned),
      IS_FLOAT: Number(isFloat(x.dtype)),
      SQUARE: Number(square),
    },
    types: { T: x.dtype, A: accumulatorOf(x.dtype), O: out.dtype },
    label,
  };
}
