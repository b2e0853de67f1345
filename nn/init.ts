/**
 * @file Initial values. Each function overwrites a tensor that exists, with numbers of the given generator, or of the default one:
 * after `manualSeed(42)` the same program builds the same model.
 *
 * "Fan" is how many numbers meet in one output (in), or how many outputs one input reaches (out):
 *
 *     weight of a Linear  [out, in]              fanIn = in                fanOut = out
 *     weight of a Conv2d  [height, width, in, out]   fanIn = height * width * in   fanOut = height * width * out
 */
import {
  ArgumentError,
  formatShape,
  full,
  openScope,
  randomNormal,
  randomUniform,
  defaultGenerator,
  ShapeError,
  type Generator,
  type Shape,
  type Tensor,
} from "../engine/index.ts";

export interface InitOptions {
  /** Default: `defaultGenerator()`. */
  readonly generator?: Generator | undefined;
}

/** Functions between layers for which a gain is known. */
export type Nonlinearity = "linear" | "sigmoid" | "tanh" | "relu" | "leakyRelu" | "selu";

export interface KaimingOptions extends InitOptions {
  /** Which fan sets the scale: "fanIn" keeps the variance of activations, "fanOut" that of gradients. Default: "fanIn". */
  readonly mode?: "fanIn" | "fanOut";
  /** What follows the layer. Default: "leakyRelu". */
  readonly nonlinearity?: Nonlinearity;
  /** The negative slope of a leakyRelu. Default: 0, which is relu. */
  readonly a?: number;
}

export interface XavierOptions extends InitOptions {
  /** Default: 1. */
  readonly gain?: number;
}

/** What an initializer does to a weight: `(weight) => kaimingNormal(weight, { mode: "fanOut" })`. */
export type Initializer = (weight: Tensor) => void;

/**
 * How much a nonlinearity shrinks the standard deviation of what goes through, inverted. `a` is the negative slope of a
 * leakyRelu. Source: `torch.nn.init.calculate_gain`, https://pytorch.org/docs/stable/nn.init.html
 */
export function calculateGain(nonlinearity: Nonlinearity, a = 0.01): number {
  switch (nonlinearity) {
    case "linear":
    case "sigmoid":
      return 1;
    case "tanh":
      return 5 / 3;
    case "relu":
      return Math.SQRT2;
    case "leakyRelu":
      return Math.sqrt(2 / (1 + a * a));
    case "selu":
      return 3 / 4;
  }
}

/**
 * The two fans of a weight `[out, in]` or `[height, width, in, out]`; a grouped convolution's `in` is that of one group.
 * @throws ShapeError for other ranks, as biases have.
 */
export function calculateFans(shape: Shape): { fanIn: number; fanOut: number } {
  const [first = 0, second = 0, third = 0, fourth = 0] = shape;
  if (shape.length === 2) return { fanIn: second, fanOut: first };
  if (shape.length === 4) {
    return { fanIn: first * second * third, fanOut: first * second * fourth };
  }
  throw new ShapeError(
    "calculateFans",
    `the weight is neither of a Linear nor of a Conv2d: ${formatShape(shape)}`,
    "Pass [out, in] or [height, width, in, out]; set biases by constant or uniform",
  );
}

/** Every element becomes `value`. */
export function constant(target: Tensor, value: number): void {
  using _scope = openScope();
  target.assign(
    full(target.shape, value, { dtype: target.dtype, device: target.device }),
    "constant",
  );
}

/** Evenly spread over `min..max`. Default: 0 to 1. Throws `ArgumentError` unless min < max. */
export function uniform(target: Tensor, min = 0, max = 1, options: InitOptions = {}): void {
  using _scope = openScope();
  const where = placeOf(target, options);
  target.assign(randomUniform(target.shape, { min, max, ...where }), "uniform");
}

/** Normally distributed. Default: mean 0, standard deviation 1. */
export function normal(target: Tensor, mean = 0, std = 1, options: InitOptions = {}): void {
  using _scope = openScope();
  target.assign(randomNormal(target.shape, { mean, std, ...placeOf(target, options) }), "normal");
}

export interface TruncatedNormalOptions extends InitOptions {
  /** Default: 0. */
  readonly mean?: number;
  /** Of the distribution before it is cut off. Default: 1. */
  readonly std?: number;
  /** No value is below this. Default: -2. */
  readonly min?: number;
  /** No value is above this. Default: 2. */
  readonly max?: number;
}

/** Beyond this many standard deviations a normal distribution is nothing. */
const farTail = 8;

/**
 * Normally distributed within `min..max`: values outside are drawn again. As `torch.nn.init.trunc_normal_`, whose bounds are
 * absolute, too, not in standard deviations. Computed on the host.
 *
 * Rejection with evenly spread proposals: x is accepted with probability `exp((m^2 - x^2) / 2)`, m the point of the interval
 * that is nearest to the mean, in standard deviations. Source: Robert, Simulation of truncated normal variables (1995).
 *
 * @throws ArgumentError unless std > 0 and min < max.
 */
export function truncatedNormal(target: Tensor, options: TruncatedNormalOptions = {}): void {
  const { mean = 0, std = 1, min = -2, max = 2, generator = defaultGenerator() } = options;
  if (!(Number.isFinite(mean) && std > 0 && Number.isFinite(std) && min < max)) {
    throw new ArgumentError(
      "truncatedNormal",
      `no truncated normal distribution: mean ${mean}, std ${std}, from ${min} to ${max}`,
      "Use finite numbers, std above 0 and min below max",
    );
  }
  const nearest = Math.min(Math.max(0, (min - mean) / std), (max - mean) / std);
  const low = Math.max((min - mean) / std, nearest - farTail);
  const high = Math.min((max - mean) / std, nearest + farTail);
  const values = new Float32Array(target.size);
  for (let i = 0; i < values.length;) {
    const words = generator.words(2 * (values.length - i));
    for (let w = 0; w < words.length; w += 2) {
      const x = low + (high - low) * fraction(words[w]);
      if (fraction(words[w + 1]) < Math.exp((nearest * nearest - x * x) / 2)) {
        values[i++] = mean + std * x;
      }
    }
  }
  target.write(values);
}

/** A 32-bit word as a number in the open interval 0..1. */
function fraction(word = 0): number {
  return (word + 0.5) / 2 ** 32;
}

/**
 * `N(0, std^2)`, `std = gain / sqrt(fan)`. Source: He, Zhang, Ren and Sun, Delving deep into rectifiers, arXiv 1502.01852.
 * @throws ShapeError for a tensor that has no fans.
 */
export function kaimingNormal(weight: Tensor, options: KaimingOptions = {}): void {
  normal(weight, 0, kaimingStd(weight.shape, options), options);
}

/**
 * `U(-bound, bound)`, `bound = gain * sqrt(3 / fan)`, which has the variance of `kaimingNormal`.
 * @throws ShapeError for a tensor that has no fans.
 */
export function kaimingUniform(weight: Tensor, options: KaimingOptions = {}): void {
  symmetricUniform(weight, Math.sqrt(3) * kaimingStd(weight.shape, options), options);
}

function kaimingStd(shape: Shape, options: KaimingOptions): number {
  const { mode = "fanIn", nonlinearity = "leakyRelu", a = 0 } = options;
  // A weight without inputs has no elements, either; any scale will do.
  return calculateGain(nonlinearity, a) / Math.sqrt(Math.max(1, calculateFans(shape)[mode]));
}

/**
 * `N(0, std^2)`, `std = gain * sqrt(2 / (fanIn + fanOut))`. Source: Glorot and Bengio, Understanding the difficulty of training deep
 * feedforward neural networks (AISTATS 2010).
 * @throws ShapeError for a tensor that has no fans.
 */
export function xavierNormal(weight: Tensor, options: XavierOptions = {}): void {
  normal(weight, 0, xavierStd(weight.shape, options), options);
}

/**
 * `U(-bound, bound)`, `bound = gain * sqrt(6 / (fanIn + fanOut))`, which has the variance of `xavierNormal`.
 * @throws ShapeError for a tensor that has no fans.
 */
export function xavierUniform(weight: Tensor, options: XavierOptions = {}): void {
  symmetricUniform(weight, Math.sqrt(3) * xavierStd(weight.shape, options), options);
}

function xavierStd(shape: Shape, { gain = 1 }: XavierOptions): number {
  const { fanIn, fanOut } = calculateFans(shape);
  return gain * Math.sqrt(2 / Math.max(1, fanIn + fanOut));
}

/**
 * What PyTorch does to Linear and Conv2d when nothing is said: weight `kaimingUniform` with a = sqrt(5) and bias uniform, both within
 * `1 / sqrt(fanIn)`. Source: `reset_parameters` in torch/nn/modules/linear.py and conv.py.
 */
export function torchDefaultInit(
  weight: Tensor,
  bias: Tensor | undefined,
  options: InitOptions = {},
): void {
  kaimingUniform(weight, { a: Math.sqrt(5), generator: options.generator });
  if (bias !== undefined) defaultBiasInit(bias, calculateFans(weight.shape).fanIn, options);
}

/** Uniform within `1 / sqrt(fanIn)`. */
export function defaultBiasInit(bias: Tensor, fanIn: number, options: InitOptions = {}): void {
  if (fanIn > 0) symmetricUniform(bias, 1 / Math.sqrt(fanIn), options);
}

function symmetricUniform(target: Tensor, bound: number, options: InitOptions): void {
  if (bound === 0) constant(target, 0);
  else uniform(target, -bound, bound, options);
}

function placeOf(target: Tensor, { generator = defaultGenerator() }: InitOptions) {
  return { device: target.device, generator };
}
