/**
 * @file Functions of two numbers, elementwise with broadcasting. Gradients come in the broadcast shape; the tape sums them
 * back. Formulas: `shaders/elementwise/binary.wgsl`.
 */
import source from "../../shaders/elementwise/binary.wgsl";
import integerSource from "../../shaders/elementwise/binary-integer.wgsl";
import { isFloat } from "../dtype.ts";
import { DTypeError } from "../errors.ts";
import { defineKernel } from "../kernel.ts";
import { defineOp } from "../op.ts";
import { broadcastShapes } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { planBroadcast } from "./broadcast.ts";
import { equal, greater, less, where } from "./compare.ts";
import { cast } from "./cast.ts";
import { operands } from "./scalar.ts";
import { log, neg } from "./unary.ts";
import { vectorGrid } from "./vectors.ts";

const realKernel = defineKernel({ name: "binary", source, grid: vectorGrid });
const integerKernel = defineKernel({
  name: "binary-integer",
  source: integerSource,
  grid: vectorGrid,
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
      const { params, overrides } = planBroadcast([a, b], out);
      const kernel = isFloat(a.dtype) ? realKernel : integerKernel;
      kernel({ a, b, a_scalars: a, b_scalars: b, out }, params, {
        overrides: { ...overrides, OP },
        types: { T: a.dtype },
        label: name,
      });
      return {};
    },
    gradient: (dy, { inputs: [a, b], out, needs }) =>
      gradients.map((gradient, i) => (needs[i] === true ? gradient(dy, a, b, out) : null)),
  });
  return (a: Tensor | number, b: Tensor | number): Tensor => op(operands(name, a, b), undefined);
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
