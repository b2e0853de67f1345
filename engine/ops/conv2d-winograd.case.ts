/**
 * @file Cases of Winograd's convolution where it differs from the other variants: channels by the hundred, where rounding shows;
 * images that do not fit into one workspace; f16. Its geometries are in `conv2d.case.ts`, with those of all variants.
 */
import type { HostTensor } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpSample } from "../op-case.ts";
import type { Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import {
  convolutionGeometry,
  outputShape,
  type ConvolutionOptions,
  type Geometry,
} from "./conv2d-geometry.ts";
import {
  forwardReference,
  inputGradientReference,
  weightGradientReference,
} from "./conv2d-reference.ts";
import { conv2d, conv2dInputGradient, conv2dWeightGradient } from "./conv2d.ts";
import { withVariant } from "./variants.ts";

interface Trial {
  readonly note: string;
  readonly x: Shape;
  readonly w: Shape;
  readonly options: ConvolutionOptions;
  /** The gradients are checked: not where central differences would take minutes. */
  readonly isSmall: boolean;
}

const trials: readonly Trial[] = [
  {
    note: "128 channels",
    ...{ x: [1, 9, 7, 128], w: [3, 3, 128, 64], options: { padding: 1 }, isSmall: false },
  },
  {
    note: "more tiles than a workspace of 4 MiB holds",
    ...{ x: [3, 50, 53, 4], w: [3, 3, 4, 60], options: { padding: [1, 2] }, isSmall: false },
  },
  {
    note: "no images",
    ...{ x: [0, 5, 6, 4], w: [3, 3, 4, 8], options: { padding: 1 }, isSmall: false },
  },
  {
    note: "same",
    ...{ x: [2, 6, 5, 4], w: [3, 3, 4, 8], options: { padding: "same" }, isSmall: true },
  },
];

/**
 * Rounding, relative to results of about 1: twice the worst that was seen on llvmpipe and SwiftShader. F(2 x 2, 3 x 3) is a little more
 * exact than the direct kernels, F(4 x 4, 3 x 3) two to three times as coarse.
 */
const variants: Readonly<Record<string, number>> = { "winograd-2x2": 5e-6, "winograd-4x4": 2e-5 };

interface Args extends ConvolutionOptions {
  readonly variant: string;
  /** Shapes of x and w. */
  readonly shapes: readonly [Shape, Shape];
}

function geometryOf({ shapes: [x, w], ...options }: Args): Geometry {
  return convolutionGeometry("case", x, w, options);
}

/** What each of the three takes. */
interface Roles {
  readonly x: InputSpec;
  readonly w: InputSpec;
  readonly dy: InputSpec;
}

function samplesOf(inputs: (roles: Roles) => InputSpec[]): OpSample<Args>[] {
  return Object.entries(variants).flatMap(([variant, tolerance]) => [
    ...trials.map(({ note, x, w, options, isSmall }): OpSample<Args> => {
      const args = { ...options, variant, shapes: [x, w] as const };
      const roles = rolesOf(args);
      return {
        note: `${variant}, ${note}`,
        inputs: inputs(roles),
        ...{ args, tolerance, gradient: isSmall },
      };
    }),
    halfSample(variant, inputs),
  ]);
}

/** Numbers of such a size that results are about 1. */
function rolesOf(args: Args): Roles {
  const [x, w] = args.shapes;
  const dy = outputShape(geometryOf(args));
  const limit = (terms: number): readonly [number, number] => {
    const most = Math.sqrt(3 / terms);
    return [-most, most];
  };
  return {
    x: { shape: x },
    w: { shape: w, range: limit(9 * Math.max(...w.slice(2))) },
    dy: { shape: dy, range: limit((dy[0] ?? 1) * (dy[1] ?? 1) * (dy[2] ?? 1)) },
  };
}

/** The transforms and products of f16 images are f32, so only what is stored is rounded. */
function halfSample(variant: string, inputs: (roles: Roles) => InputSpec[]): OpSample<Args> {
  const args = {
    padding: 1,
    variant,
    shapes: [
      [2, 7, 5, 8],
      [3, 3, 8, 12],
    ] as const,
  };
  return {
    note: `${variant}, f16`,
    inputs: inputs(rolesOf(args)).map((spec) => ({ ...spec, dtype: "f16" })),
    ...{ args, tolerance: 1e-3, feature: "shader-f16" },
  };
}

export const conv2dWinogradCase = opCase<Args>({
  ops: ["conv2d"],
  title: "conv2d, Winograd",
  run: ([x, w, bias], { variant, shapes: _shapes, ...options }) =>
    withVariant("conv2d", variant, () =>
      conv2d(x as Tensor, w as Tensor, bias === undefined ? options : { ...options, bias }),
    ),
  reference: ([x, w, bias], args) =>
    forwardReference(geometryOf(args), x as HostTensor, w as HostTensor, bias),
  samples: samplesOf(({ x, w }) => [x, w, { shape: w.shape.slice(3) }]),
});

export const conv2dInputGradientWinogradCase = opCase<Args>({
  ops: ["conv2dInputGradient"],
  title: "conv2dInputGradient, Winograd",
  run: ([dy, w], { variant, shapes: [xShape], ...options }) =>
    withVariant("conv2dInputGradient", variant, () =>
      conv2dInputGradient(dy as Tensor, w as Tensor, xShape, options),
    ),
  reference: ([dy, w], args) =>
    inputGradientReference(geometryOf(args), dy as HostTensor, w as HostTensor),
  samples: samplesOf(({ dy, w }) => [{ shape: dy.shape }, w]),
});

export const conv2dWeightGradientWinogradCase = opCase<Args>({
  ops: ["conv2dWeightGradient"],
  title: "conv2dWeightGradient, Winograd",
  run: ([x, dy], { variant, shapes: [, wShape], ...options }) =>
    withVariant("conv2dWeightGradient", variant, () =>
      conv2dWeightGradient(x as Tensor, dy as Tensor, wShape, options),
    ),
  reference: ([x, dy], args) =>
    weightGradientReference(geometryOf(args), x as HostTensor, dy as HostTensor),
  samples: samplesOf(({ x, dy }) => [x, dy]),
});
