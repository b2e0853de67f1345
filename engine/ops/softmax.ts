/** @file Softmax and its logarithm along one axis. Formulas: `shaders/softmax/softmax.wgsl`. */
import source from "../../shaders/softmax/softmax.wgsl";
import { isFloat } from "../dtype.ts";
import { DTypeError } from "../errors.ts";
import { defineKernel, linearGrid, type KernelOptions } from "../kernel.ts";
import { defineOp } from "../op.ts";
import { normalizeAxis } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { blockAround, type Block } from "./reduce-kernels.ts";

/** Rows up to this long are one invocation's work. */
const longestShortRow = 128;
/** On a software adapter barriers cost more than they save, unless there are fewer rows than lanes. */
const fewRows = 32;

/** True when a workgroup rather than one invocation should make a row. */
export function needsWorkgroups({ device }: Tensor, rows: number, length: number): boolean {
  return length > longestShortRow && (!device.adapter.software || rows < fewRows);
}

/** The entry points for short and long rows. */
function rowKernels(direction: "forward" | "backward", bindings: readonly string[]) {
  const name = `softmax-${direction}`;
  const short = defineKernel({
    name,
    source,
    entryPoint: `${direction}_short`,
    bindings,
    grid: ({ rows }) => linearGrid(rows as number, 64),
  });
  const long = defineKernel({
    name: `${name}-long`,
    source,
    entryPoint: `${direction}_long`,
    bindings,
    grid: ({ rows }) => linearGrid(rows as number, 1),
  });
  return (
    out: Tensor,
    block: Block,
    tensors: Readonly<Record<string, Tensor>>,
    options: KernelOptions,
  ): void => {
    const { outer, length, inner } = block;
    const rows = outer * inner;
    const kernel = needsWorkgroups(out, rows, length) ? long : short;
    kernel({ ...tensors, out }, { rows, length, inner }, options);
  };
}

const forwardKernel = rowKernels("forward", ["x", "out", "params"]);
const backwardKernel = rowKernels("backward", ["y", "dy", "out", "params"]);

function defineSoftmax(name: string, LOG: 0 | 1) {
  const overrides = { LOG };
  const op = defineOp<readonly [Tensor], { readonly axis: number }>({
    name,
    output: ([x]) => {
      if (!isFloat(x.dtype)) {
        throw new DTypeError(
          name,
          `it takes real numbers, not ${x.dtype}: ${x.toString()}`,
          'Use cast(x, "f32") first',
        );
      }
      return { shape: x.shape };
    },
    forward: ([x], out, { axis }) => {
      const options = { overrides, types: { T: x.dtype }, label: name };
      forwardKernel(out, blockAround(x.shape, axis), { x }, options);
      return {};
    },
    gradient: (dy, { inputs: [x], out: y, attributes: { axis } }) => {
      const dx = Tensor.allocate(name, x.device, x.shape, x.dtype);
      const options = { overrides, types: { T: x.dtype }, label: `${name}-gradient` };
      backwardKernel(dx, blockAround(x.shape, axis), { y, dy }, options);
      return [dx];
    },
  });
  return (x: Tensor, axis: number): Tensor =>
    op([x], { axis: normalizeAxis(name, axis, x.shape.length) });
}

const softmaxAlong = defineSoftmax("softmax", 0);
const logSoftmaxAlong = defineSoftmax("logSoftmax", 1);

/**
 * `e^x` along an axis, scaled to sum 1. Large values do not overflow; a row with NaN or +infinity, or of -infinity
 * alone, becomes NaN. Default axis: the last.
 *
 * @throws ArgumentError for an axis that does not exist, DTypeError for whole numbers.
 */
export function softmax(x: Tensor, axis = -1): Tensor {
  return softmaxAlong(x, axis);
}

/** The logarithm of `softmax(x, axis)`, without its loss of digits for improbable classes. Throws as `softmax` does. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return logSoftmaxAlong(x, axis);
}
