/** @file Layer normalisation over trailing axes. Formulas: `shaders/norm/layer-norm.wgsl`. */
import source from "../../shaders/norm/layer-norm.wgsl";
import { isFloat } from "../dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import { defineKernel, linearGrid, type KernelDefinition, type KernelOptions } from "../kernel.ts";
import { defineOp, type GradientContext } from "../op.ts";
import { formatShape, shapesEqual, sizeOf, type Shape } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { channelVectors } from "./channel-vectors.ts";
import { busyInvocations, sliceColumns, workgroupSize } from "./column-slices.ts";
import { sum } from "./reduce.ts";
import { spreadGrid, spreadOf } from "./vectors.ts";

/** Some rows an invocation, or one a workgroup. */
const rowGrid: KernelDefinition["grid"] = ({ rows }, { SHARED, ...spread }) =>
  SHARED === 1 ? linearGrid(rows as number, 1) : spreadGrid(rows as number, spread);

const forwardKernel = defineKernel({
  name: "layerNorm",
  source,
  entryPoint: "forward",
  bindings: ["x", "weight", "bias", "y", "moments_out", "params"],
  grid: rowGrid,
});
const inputKernel = defineKernel({
  name: "layerNorm-gradient-input",
  source,
  entryPoint: "input",
  bindings: ["x", "dy", "weight", "moments", "dx", "params"],
  grid: rowGrid,
});
const weightsKernel = defineKernel({
  name: "layerNorm-gradient-weights",
  source,
  entryPoint: "weights",
  bindings: ["x", "dy", "moments", "dweight", "dbias", "params"],
  grid: ({ columns, slices }) =>
    linearGrid((columns as number) * (slices as number), workgroupSize),
});

/** x stands in for a weight or bias that is missing. */
type Inputs = readonly [x: Tensor, weight: Tensor, bias: Tensor];

interface Attributes {
  readonly hasWeight: boolean;
  readonly hasBias: boolean;
  /** The trailing axes that make a row. */
  readonly shape: Shape;
  readonly eps: number;
}

interface Saved extends Readonly<Record<string, Tensor>> {
  readonly moments: Tensor;
}

const op = "layerNorm";

const layerNormOp = defineOp<Inputs, Attributes, Saved>({
  name: op,
  output: ([x, weight, bias], { hasWeight, hasBias, shape }) => {
    requireRows(x, shape);
    if (hasWeight) requireLike("weight", weight, shape);
    if (hasBias) requireLike("bias", bias, shape);
    return { shape: x.shape };
  },
  forward: ([x, weight, bias], y, attributes) => {
    const { params, options } = rowsOf(x, attributes);
    const moments = Tensor.allocate(op, x.device, [params.rows, 4], "f32");
    forwardKernel({ x, weight, bias, y, moments_out: moments }, params, options);
    return { moments };
  },
  gradient: (dy, context) => {
    const [dweight, dbias] = weightGradients(dy, context);
    return [context.needs[0] === true ? inputGradient(dy, context) : null, dweight, dbias];
  },
});

type Context = GradientContext<Inputs, Attributes, Saved>;

function inputGradient(dy: Tensor, { inputs: [x, weight], attributes, saved }: Context): Tensor {
  const { params, options } = rowsOf(x, attributes);
  const dx = Tensor.allocate(op, x.device, x.shape, x.dtype);
  inputKernel({ x, dy, weight, moments: saved.moments, dx }, params, options);
  return dx;
}

function weightGradients(
  dy: Tensor,
  { inputs: [x], attributes, saved, needs }: Context,
): readonly [Tensor | null, Tensor | null] {
  const { hasWeight, hasBias, shape } = attributes;
  const wantsWeight = hasWeight && needs[1] === true;
  const wantsBias = hasBias && needs[2] === true;
  if (!wantsWeight && !wantsBias) return [null, null];
  const { params, vectors } = rowsOf(x, attributes);
  const partial = (): Tensor => Tensor.allocate(op, x.device, [params.slices, ...shape], "f32");
  const [dweight, dbias] = [partial(), partial()];
  const overrides = { LANES: vectors.lanes };
  const options = { overrides, types: vectors.types("S", "V") };
  weightsKernel({ x, dy, moments: saved.moments, dweight, dbias }, params, options);
  return [wantsWeight ? sum(dweight, 0) : null, wantsBias ? sum(dbias, 0) : null];
}

/**
 * A long row is a workgroup's work on a GPU; on a software adapter only where there are too few
 * rows to do side by side.
 */
function isShared({ device }: Tensor, rows: number, width: number): boolean {
  return width >= 128 && (!device.adapter.software || rows < 8);
}

function rowsOf(x: Tensor, { hasWeight, hasBias, shape, eps }: Attributes) {
  const width = sizeOf(shape);
  const vectors = channelVectors(x.dtype, width);
  const rows = x.size / width;
  const limits = { invocations: busyInvocations(x.device), fewestRows: 16, mostRows: 1024 };
  const slices = sliceColumns(x.device, rows, vectors.columns, limits);
  const SHARED = Number(isShared(x, rows, width));
  const spread = spreadOf(x.device, rows);
  const options: KernelOptions = {
    overrides: {
      ...{ LANES: vectors.lanes, SHARED },
      ...{ ...spread, VECTORS: SHARED ? 1 : spread.VECTORS, TREE_SIZE: spread.WORKGROUP },
      WEIGHT: Number(hasWeight),
      BIAS: Number(hasBias),
    },
    types: vectors.types("S", "V"),
  };
  return { params: { ...slices, width, eps }, options, vectors };
}

function requireRows(x: Tensor, shape: Shape): void {
  if (!isFloat(x.dtype)) {
    throw new DTypeError(
      op,
      `it takes real numbers, not ${x.dtype}: ${x.toString()}`,
      'Use cast(x, "f32") first',
    );
  }
  const trailing = x.shape.slice(x.shape.length - shape.length);
  if (shape.length === 0 || shape.length > x.shape.length || !shapesEqual(trailing, shape)) {
    throw new ShapeError(
      op,
      `normalizedShape is not the end of the shape of x: ${formatShape(shape)} and ${formatShape(x.shape)}`,
      "Name the sizes of the last axes, at least one",
    );
  }
}

function requireLike(name: string, vector: Tensor, shape: Shape): void {
  if (!shapesEqual(vector.shape, shape)) {
    throw new ShapeError(
      op,
      `${name} does not have the normalised shape: ${formatShape(vector.shape)} instead of ${formatShape(shape)}`,
      "One number for each element of a row",
    );
  }
  if (vector.dtype !== "f32") {
    throw new DTypeError(
      op,
      `${name} is not f32: ${vector.dtype}`,
      "Keep it in f32, whatever x is",
    );
  }
}

export interface LayerNormOptions {
  /**
   * The sizes of the trailing axes to normalise over, one number for the last one. Default: the
   * last axis.
   */
  readonly normalizedShape?: number | Shape;
  /** The normalised shape, f32. Default: ones. */
  readonly weight?: Tensor;
  /** The normalised shape, f32. Default: zeros. */
  readonly bias?: Tensor;
  /** Added to the variance. Default: 1e-5. */
  readonly eps?: number;
}

/**
 * Normalises over the trailing axes to mean 0 and (biased) variance 1, then multiplies by `weight`
 * and adds `bias`, element by element. As PyTorch's `layer_norm`.
 *
 * Source: Ba, Kiros and Hinton, arXiv 1607.06450.
 * @throws ShapeError when the normalised shape is not the end of the shape of x, or weight or bias
 * differ from it.
 * @throws ArgumentError for a negative eps, DTypeError for whole numbers.
 */
export function layerNorm(x: Tensor, options: LayerNormOptions = {}): Tensor {
  const { normalizedShape = x.shape.slice(-1), weight, bias, eps = 1e-5 } = options;
  if (!(eps >= 0 && Number.isFinite(eps))) {
    throw new ArgumentError(op, `eps is not a number >= 0: ${eps}`, "Use 1e-5");
  }
  return layerNormOp([x, weight ?? x, bias ?? x], {
    hasWeight: weight !== undefined,
    hasBias: bias !== undefined,
    shape: typeof normalizedShape === "number" ? [normalizedShape] : normalizedShape,
    eps,
  });
}
