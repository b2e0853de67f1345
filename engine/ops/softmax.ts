/** @file Softmax and its logarithm along one axis. Formulas: `shaders/softmax/softmax.wgsl`. */
import source from "../../shaders/softmax/softmax.wgsl";
import { isFloat } from "../dtype.ts";
import { DTypeError } from "../errors.ts";
import { defineKernel, linearGrid } from "../kernel.ts";
import { defineOp } from "../op.ts";
import { normalizeAxis } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { blockAround, type Block } from "./reduce-kernels.ts";
import { planRows } from "./softmax-rows.ts";
import { spreadGrid } from "./vectors.ts";

/** The entry points for short and long rows. */
function rowKernels(direction: "forward" | "backward", bindings: readonly string[]) {
  const name = `softmax-${direction}`;
  const short = defineKernel({
    name,
    source,
    entryPoint: `${direction}_short`,
    bindings,
    grid: ({ rows }, overrides) => spreadGrid(rows as number, overrides),
  });
  const long = defineKernel({
    name: `${name}-long`,
    source,
    entryPoint: `${direction}_long`,
    bindings,
    grid: ({ rows }) => linearGrid(rows as number, 1),
  });
  return (
    label: string,
    LOG: 0 | 1,
    block: Block,
    tensors: Readonly<Record<string, Tensor>> & { readonly out: Tensor },
  ): void => {
    const { isLong, params, overrides, types } = planRows(tensors.out, block);
    const kernel = isLong ? long : short;
    kernel(tensors, params, { overrides: { LOG, ...overrides }, types, label });
  };
}

const forwardKernel = rowKernels("forward", ["x", "out", "params"]);
const backwardKernel = rowKernels("backward", ["y", "dy", "out", "params"]);

function defineSoftmax(name: string, LOG: 0 | 1) {
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
      forwardKernel(name, LOG, blockAround(x.shape, axis), { x, out });
      return {};
    },
    gradient: (dy, { inputs: [x], out: y, attributes: { axis } }) => {
      const dx = Tensor.allocate(name, x.device, x.shape, x.dtype);
      const tensors = { y, dy, out: dx };
      backwardKernel(`${name}-gradient`, LOG, blockAround(x.shape, axis), tensors);
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
