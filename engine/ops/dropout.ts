/** @file Dropout. Formula: `shaders/random/dropout.wgsl`. */
import source from "../../shaders/random/dropout.wgsl";
import { isFloat } from "../dtype.ts";
import { ArgumentError, DTypeError } from "../errors.ts";
import { defineKernel, linearGrid } from "../kernel.ts";
import { defineOp } from "../op.ts";
import { defaultGenerator, type Generator } from "../philox.ts";
import { Tensor } from "../tensor.ts";
import { takeBlocks } from "./random.ts";

const kernel = defineKernel({
  name: "dropout",
  source,
  grid: ({ blocks }) => linearGrid(blocks as number, 64),
});

interface DropoutAttributes {
  readonly p: number;
  readonly start: ReturnType<typeof takeBlocks>;
}

const dropoutOp = defineOp<readonly [Tensor], DropoutAttributes>({
  name: "dropout",
  output: ([x]) => ({ shape: x.shape }),
  forward: ([x], out, attributes) => {
    drop(x, out, attributes);
    return {};
  },
  gradient: (dy, { inputs: [x], attributes }) => {
    const dx = Tensor.allocate("dropout", x.device, x.shape, x.dtype);
    drop(dy, dx, attributes);
    return [dx];
  },
});

function drop(x: Tensor, out: Tensor, { p, start }: DropoutAttributes): void {
  const odds = { threshold: Math.round(p * 2 ** 24), scale: p === 1 ? 0 : 1 / (1 - p) };
  kernel({ x, out }, () => ({ ...start, ...odds }), { types: { T: x.dtype } });
}

export interface DropoutOptions {
  /** Where the mask comes from. Default: `defaultGenerator()`. */
  readonly generator?: Generator;
  /** False: return x as it is. Default: true. */
  readonly training?: boolean;
}

/**
 * Sets each element to 0 with probability `p` and multiplies the others by `1 / (1 - p)`, so that the expectation stays. The mask
 * is not stored: the gradient draws it again. Returns `x` itself when `p` is 0 or `training` is false; p = 1 gives zeros.
 *
 * @throws ArgumentError unless 0 <= p <= 1; DTypeError for integers.
 */
export function dropout(x: Tensor, p = 0.5, options: DropoutOptions = {}): Tensor {
  const { generator = defaultGenerator(), training = true } = options;
  if (!(p >= 0 && p <= 1)) {
    throw new ArgumentError("dropout", `p is not a probability: ${p}`, "Use a number from 0 to 1");
  }
  if (!isFloat(x.dtype)) {
    throw new DTypeError(
      "dropout",
      `it takes real numbers, not ${x.dtype}: ${x.toString()}`,
      'Use cast(x, "f32") first',
    );
  }
  if (p === 0 || !training) return x;
  return dropoutOp([x], { p, start: takeBlocks(generator, x.size) });
}
