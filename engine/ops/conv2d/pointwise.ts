/**
 * @file 1 x 1 convolutions as matrix products: pixels are the rows, channels the columns, and with channels last the images are
 * these matrices already. One variant for each of the three families; the kernels are those of matmul.
 */
import type { Geometry } from "../conv2d-geometry.ts";
import { matmulFamily, type MatmulProblem } from "../matmul-kernels.ts";
import type { ForwardVariant, InputGradientVariant, WeightGradientVariant } from "./launch.ts";

const name = "pointwise";

/** Every pixel of out is made from the pixel of x in the same place, and from nothing else. */
function isPointwise(geometry: Geometry): boolean {
  const { kernel, stride, pad, groups, height, width, outHeight, outWidth } = geometry;
  const isOneToOne = height === outHeight && width === outWidth && stride.every((s) => s === 1);
  return isOneToOne && kernel.every((k) => k === 1) && pad.every((p) => p === 0) && groups === 1;
}

type Sizes = Pick<MatmulProblem, "m" | "n" | "k">;
type Transposes = Partial<Pick<MatmulProblem, "transposeA" | "transposeB">>;

/** @param family as in the names of the other kernels; profiles show the product under it. */
function product(family: string, sizes: Sizes, transposes: Transposes = {}): MatmulProblem {
  const oneMatrix = { batch: 1, aBatch: 0, bBatch: 0, transposeA: false, transposeB: false };
  return { ...oneMatrix, ...sizes, ...transposes, label: `${family}/${name}` };
}

const pixels = ({ batch, height, width }: Geometry): number => batch * height * width;

/** out = x w; matmul has no place for a bias. */
export const pointwiseForward: ForwardVariant = {
  name,
  canRun: (_device, problem) => isPointwise(problem) && problem.bias !== true,
  run: ({ x, w, out }, g) => {
    const sizes = { m: pixels(g), n: g.outChannels, k: g.inChannels };
    matmulFamily.run(out.device, { a: x, b: w, out }, product("conv2d", sizes));
  },
};

/** dx = dy w^T */
export const pointwiseInputGradient: InputGradientVariant = {
  name,
  canRun: (_device, geometry) => isPointwise(geometry),
  run: ({ dy, w, dx }, g) => {
    const sizes = { m: pixels(g), n: g.inChannels, k: g.outChannels };
    const problem = product("conv2d-input-gradient", sizes, { transposeB: true });
    matmulFamily.run(dx.device, { a: dy, b: w, out: dx }, problem);
  },
};

/** dw = x^T dy */
export const pointwiseWeightGradient: WeightGradientVariant = {
  name,
  canRun: (_device, geometry) => isPointwise(geometry),
  run: ({ x, dy, dw }, g) => {
    const sizes = { m: g.inChannels, n: g.outChannels, k: pixels(g) };
    const problem = product("conv2d-weight-gradient", sizes, { transposeA: true });
    matmulFamily.run(dw.device, { a: x, b: dy, out: dw }, problem);
  },
};
