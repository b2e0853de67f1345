/**
 * @file Functions of one number, elementwise. Each is one row: which case of the shader, and from what its derivative is
 * computed. Formulas: `shaders/elementwise/unary.wgsl`.
 */
import source from "../../shaders/elementwise/unary.wgsl";
import integerSource from "../../shaders/elementwise/unary-integer.wgsl";
import { isFloat, type DType } from "../dtype.ts";
import { ArgumentError, DTypeError } from "../errors.ts";
import { defineKernel, type KernelOptions } from "../kernel.ts";
import { defineOp, zerosLike } from "../op.ts";
import { Tensor } from "../tensor.ts";
import { vectorGrid, vectorsOn } from "./vectors.ts";

const forwardKernel = defineKernel({
  name: "unary",
  source,
  entryPoint: "forward",
  bindings: ["x", "out", "params"],
  grid: vectorGrid,
});
const integerKernel = defineKernel({
  name: "unary-integer",
  source: integerSource,
  entryPoint: "forward",
  grid: vectorGrid,
});
const backwardKernel = defineKernel({
  name: "unary-gradient",
  source,
  entryPoint: "backward",
  bindings: ["saved", "dy", "out", "params"],
  grid: vectorGrid,
});

/** The shader's two free constants: slopes, alphas, bounds. */
interface Constants {
  readonly a: number;
  readonly b: number;
}

const noConstants: Constants = { a: 0, b: 0 };

interface UnaryRow {
  /** The name of the case in the shader. */
  readonly OP: string;
  /** What the derivative is computed from; "nothing" where it is zero or constant. */
  readonly derivativeFrom: "input" | "output" | "nothing";
  /** True where whole numbers are accepted too. */
  readonly integers?: boolean;
}

function defineUnary(name: string, { OP, derivativeFrom, integers = false }: UnaryRow) {
  const optionsFor = (x: Tensor, label: string): KernelOptions => ({
    overrides: { OP, VECTORS: vectorsOn(x.device) },
    types: { T: x.dtype },
    label,
  });
  return defineOp<readonly [Tensor], Constants>({
    name,
    output: ([x]) => {
      if (!isFloat(x.dtype) && !integers) {
        throw new DTypeError(
          name,
          `it takes real numbers, not ${x.dtype}: ${x.toString()}`,
          'Use cast(x, "f32") first',
        );
      }
      return { shape: x.shape };
    },
    forward: ([x], out, { a, b }) => {
      const kernel = isFloat(x.dtype) ? forwardKernel : integerKernel;
      kernel({ x, out }, { size: x.size, a, b }, optionsFor(x, name));
      return {};
    },
    gradient: (dy, { inputs: [x], out, attributes: { a, b } }) => {
      if (OP === "SIGN" || OP === "FLOOR" || OP === "ROUND") return [zerosLike(x)];
      const dx = Tensor.allocate(name, x.device, x.shape, x.dtype);
      const saved = derivativeFrom === "output" ? out : x;
      const options = optionsFor(x, `${name}-gradient`);
      backwardKernel({ saved, dy, out: dx }, { size: x.size, a, b }, options);
      return [dx];
    },
  });
}

/** A row without constants as a function of one tensor. */
function unary(name: string, row: UnaryRow): (x: Tensor) => Tensor {
  const op = defineUnary(name, row);
  return (x) => op([x], noConstants);
}

/** `-x`. */
export const neg = unary("neg", { OP: "NEG", derivativeFrom: "nothing", integers: true });

/** `|x|`; its gradient at 0 is 0. */
export const abs = unary("abs", { OP: "ABS", derivativeFrom: "input", integers: true });

/** `e^x`. */
export const exp = unary("exp", { OP: "EXP", derivativeFrom: "output" });

/** The natural logarithm; -infinity at 0, NaN below. */
export const log = unary("log", { OP: "LOG", derivativeFrom: "input" });

/** The square root; NaN below 0. */
export const sqrt = unary("sqrt", { OP: "SQRT", derivativeFrom: "output" });

/** `1 / sqrt(x)`. */
export const rsqrt = unary("rsqrt", { OP: "RSQRT", derivativeFrom: "output" });

/** `x * x`. */
export const square = unary("square", { OP: "SQUARE", derivativeFrom: "input", integers: true });

/** `1 / x`. */
export const reciprocal = unary("reciprocal", { OP: "RECIPROCAL", derivativeFrom: "output" });

/** The sine of an angle in radians. WGSL promises its accuracy (2^-11) only for |x| <= pi. */
export const sin = unary("sin", { OP: "SIN", derivativeFrom: "input" });

/** The cosine of an angle in radians; accuracy as `sin`. */
export const cos = unary("cos", { OP: "COS", derivativeFrom: "input" });

/** The hyperbolic tangent. */
export const tanh = unary("tanh", { OP: "TANH", derivativeFrom: "output" });

/** `1 / (1 + e^-x)`. */
export const sigmoid = unary("sigmoid", { OP: "SIGMOID", derivativeFrom: "output" });

/** `max(x, 0)`; NaN stays NaN; the gradient at 0 is 0, as in PyTorch. */
export const relu = unary("relu", { OP: "RELU", derivativeFrom: "output" });

/** `x * P(N <= x)` for a standard normal N, exact form. Source: Hendrycks and Gimpel, arXiv 1606.08415. */
export const gelu = unary("gelu", { OP: "GELU", derivativeFrom: "input" });

/** `x * sigmoid(x)`, also called swish. Source: Elfwing, Uchibe and Doya, arXiv 1702.03118. */
export const silu = unary("silu", { OP: "SILU", derivativeFrom: "input" });

/** -1, 0 or 1; NaN stays NaN; the gradient is 0. */
export const sign = unary("sign", { OP: "SIGN", derivativeFrom: "nothing", integers: true });

/** The largest whole number not above x; the gradient is 0. */
export const floor = unary("floor", { OP: "FLOOR", derivativeFrom: "nothing" });

/** The nearest whole number, halves to even; the gradient is 0. */
export const round = unary("round", { OP: "ROUND", derivativeFrom: "nothing" });

const leakyReluOp = defineUnary("leakyRelu", { OP: "LEAKY_RELU", derivativeFrom: "input" });

/** `x` above 0, `negativeSlope * x` below. Default slope 0.01. Source: Maas et al., ICML 2013. */
export function leakyRelu(x: Tensor, negativeSlope = 0.01): Tensor {
  checkNumber("leakyRelu", "negativeSlope", negativeSlope);
  return leakyReluOp([x], { a: negativeSlope, b: 0 });
}

const eluOp = defineUnary("elu", { OP: "ELU", derivativeFrom: "output" });

/** `x` above 0, `alpha * (e^x - 1)` below. Default alpha 1; it must be positive. Source: Clevert et al., arXiv 1511.07289. */
export function elu(x: Tensor, alpha = 1): Tensor {
  checkPositive("elu", "alpha", alpha);
  return eluOp([x], { a: alpha, b: 0 });
}

const softplusOp = defineUnary("softplus", { OP: "SOFTPLUS", derivativeFrom: "input" });

/** `log(1 + e^(beta x)) / beta`, without overflow. Default beta 1; it must be positive. */
export function softplus(x: Tensor, beta = 1): Tensor {
  checkPositive("softplus", "beta", beta);
  return softplusOp([x], { a: beta, b: 0 });
}

const clampOp = defineUnary("clamp", { OP: "CLAMP", derivativeFrom: "input", integers: true });

/**
 * `x` limited to `min..max`; NaN stays NaN; the gradient is 0 outside the range.
 * @throws ArgumentError if min > max, or an integer type has no value between them.
 */
export function clamp(x: Tensor, min: number, max: number): Tensor {
  if (!(min <= max)) {
    throw new ArgumentError("clamp", `min is not at most max: ${min} and ${max}`, "Swap them");
  }
  return clampOp([x], isFloat(x.dtype) ? { a: min, b: max } : wholeBounds(x.dtype, min, max));
}

/** The whole numbers of the type within the bounds; -1 and 0.5 mean 0 and 1 to u32. */
function wholeBounds(dtype: DType, min: number, max: number): Constants {
  const [low, high] = dtype === "u32" ? [0, 2 ** 32 - 1] : [-(2 ** 31), 2 ** 31 - 1];
  const bounds = { a: Math.max(low, Math.ceil(min)), b: Math.min(high, Math.floor(max)) };
  if (bounds.a > bounds.b) {
    throw new ArgumentError(
      "clamp",
      `${dtype} has no value within the bounds: ${min} and ${max}`,
      'Use other bounds, or cast(x, "f32")',
    );
  }
  return bounds;
}

function checkNumber(op: string, name: string, value: number): void {
  if (!Number.isFinite(value))
    throw new ArgumentError(op, `${name} is not finite: ${value}`, "Pass a number");
}

function checkPositive(op: string, name: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value))) {
    throw new ArgumentError(
      op,
      `${name} is not a positive number: ${value}`,
      "Pass a number above 0",
    );
  }
}
