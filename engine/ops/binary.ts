/**
 * @file Functions of two numbers, elementwise with broadcasting. Gradients come in the broadcast shape; the tape sums them
 * back. Formulas: `shaders/elementwise/binary.wgsl`.
 */
import source from "../../shaders/elementwise/binary.wgsl";
import integerSource from "../../shaders/elementwise/binary-integer.wgsl";
import { isFloat } from "../dtype.ts";
import { DTypeError } from "../errors.ts";
import { defineKernel, linearGrid, type ParamValues } from "../kernel.ts";
import { defineOp } from "../op.ts";
import { broadcastShapes, broadcastStrides, mergeAxes, shapesEqual } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { equal, greater, less, where } from "./compare.ts";
import { cast } from "./cast.ts";
import { operands } from "./scalar.ts";
import { log, neg } from "./unary.ts";

const vectorGrid = ({ size }: ParamValues) => linearGrid(size as number, 64 * 4 * 4);

const sameKernel = defineKernel({
  name: "binary-same",
  source,
  entryPoint: "same",
  bindings: ["a", "b", "out", "params"],
  grid: vectorGrid,
});
const repeatKernel = defineKernel({
  name: "binary-repeat",
  source,
  entryPoint: "repeat",
  bindings: ["a", "b", "b_scalars", "out", "params"],
  grid: vectorGrid,
});
const broadcastKernel = defineKernel({
  name: "binary-broadcast",
  source,
  entryPoint: "broadcast",
  bindings: ["a_scalars", "b_scalars", "out", "params"],
  grid: ({ size }) => linearGrid(size as number, 64 * 4),
});
const integerKernel = defineKernel({
  name: "binary-integer",
  source: integerSource,
  entryPoint: "broadcast",
  grid: ({ size }) => linearGrid(size as number, 64),
});

type Pair = readonly [Tensor, Tensor];

/** The gradient of one operand; it may have the broadcast shape. */
type OperandGradient = (dy: Tensor, a: Tensor, b: Tensor, out: Tensor) => Tensor;

/** Defines the op and gives it the signature `(a, b)`, where either operand may be a plain number. */
function binary(
  name: string,
  OP: string,
  gradients: readonly [OperandGradient, OperandGradient],
  floatOnly = false,
) {
  const overrides = { OP };
  const op = defineOp<Pair, undefined>({
    name,
    output: ([a, b]) => {
      if (a.dtype !== b.dtype) {
        throw new DTypeError(
          name,
          `the element types differ: ${a.dtype} and ${b.dtype}`,
          "Use cast on one of them",
        );
      }
      if (floatOnly && !isFloat(a.dtype)) {
        throw new DTypeError(
          name,
          `it takes real numbers, not ${a.dtype}`,
          'Use cast(x, "f32") first',
        );
      }
      return { shape: broadcastShapes(name, a.shape, b.shape) };
    },
    forward: ([a, b], out) => {
      compute(name, a, b, out, overrides);
      return {};
    },
    gradient: (dy, { inputs: [a, b], out, needs }) =>
      gradients.map((gradient, i) => (needs[i] === true ? gradient(dy, a, b, out) : null)),
  });
  return (a: Tensor | number, b: Tensor | number): Tensor => op(operands(name, a, b), undefined);
}

/** Chooses the kernel by how the shapes meet; the general one finds every element by its strides and is the slowest. */
function compute(
  label: string,
  a: Tensor,
  b: Tensor,
  out: Tensor,
  overrides: { OP: string },
): void {
  const types = { T: a.dtype };
  const options = { overrides, types, label };
  if (!isFloat(a.dtype)) {
    integerKernel({ a, b, out }, stridesFor(a, b, out), options);
  } else if (shapesEqual(a.shape, b.shape)) {
    sameKernel({ a, b, out }, { ...noStrides, size: out.size, period: 0 }, options);
  } else if (shapesEqual(a.shape, out.shape) && repeatsAlongLeadingAxes(b, out)) {
    const params = { ...noStrides, size: out.size, period: b.size };
    repeatKernel({ a, b, b_scalars: b, out }, params, options);
  } else {
    const params = { ...stridesFor(a, b, out), period: 0 };
    broadcastKernel({ a_scalars: a, b_scalars: b, out }, params, options);
  }
}

const noStrides = { rank: 0, shape: [], a_strides: [], b_strides: [] };

function stridesFor(a: Tensor, b: Tensor, out: Tensor) {
  const { shape, strides } = mergeAxes(out.shape, [
    broadcastStrides(a.shape, out.shape),
    broadcastStrides(b.shape, out.shape),
  ] as const);
  const [a_strides, b_strides] = strides;
  return { size: out.size, rank: shape.length, shape, a_strides, b_strides };
}

/** True when `b`, without leading axes of size 1, is the tail of the shape of `out`: element i of out meets i mod size. */
function repeatsAlongLeadingAxes(b: Tensor, out: Tensor): boolean {
  const tail = b.shape.slice(b.shape.findIndex((size) => size !== 1));
  return b.size === 1 || shapesEqual(tail, out.shape.slice(out.shape.length - tail.length));
}

const whole: OperandGradient = (dy) => dy;

/** `a + b`. */
export const add = binary("add", "ADD", [whole, whole]);

/** `a - b`. */
export const sub = binary("sub", "SUB", [whole, (dy) => neg(dy)]);

/** `a * b`. */
export const mul = binary("mul", "MUL", [(dy, _a, b) => mul(dy, b), (dy, a) => mul(dy, a)]);

/** `a / b`; whole numbers are divided towards zero. */
export const div = binary("div", "DIV", [
  (dy, _a, b) => div(dy, b),
  (dy, _a, b, out) => neg(div(mul(dy, out), b)),
]);

/**
 * `a` to the power `b`. The gradient for `a` is 0 where `b` is 0, the one for `b` is taken as 0 where `a` is 0, and is NaN where
 * `a` is negative.
 */
export const pow = binary(
  "pow",
  "POW",
  [
    (dy, a, b) => mul(dy, where(equal(b, 0), 0, mul(b, pow(a, sub(b, 1))))),
    (dy, a, _b, out) => mul(dy, where(equal(a, 0), 0, mul(out, log(a)))),
  ],
  true,
);

const ofLarger: OperandGradient = (dy, a, b) => share(dy, greater(a, b), a, b);
const ofSmaller: OperandGradient = (dy, a, b) => share(dy, less(a, b), a, b);

/** The larger of the two; NaN if either is NaN. Equal operands share the gradient, as in PyTorch. */
export const maximum = binary("maximum", "MAXIMUM", [ofLarger, ofSmaller]);

/** The smaller of the two; NaN if either is NaN. Equal operands share the gradient, as in PyTorch. */
export const minimum = binary("minimum", "MINIMUM", [ofSmaller, ofLarger]);

/** `dy` where this operand won, half of it where the two are equal. */
function share(dy: Tensor, won: Tensor, a: Tensor, b: Tensor): Tensor {
  return mul(dy, add(cast(won, dy.dtype), mul(cast(equal(a, b), dy.dtype), 0.5)));
}
