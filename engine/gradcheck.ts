/**
 * @file Checks the gradients of any function of tensors against central differences, with a report to read:
 *
 *     dL/dx_i  ~  (L(x_i + h) - L(x_i - h)) / 2h,   L = sum of out * w for fixed random weights w
 *
 * Everything runs on the device in f32, so a step of 1e-2 and a tolerance of 1 % are about what can be asked of it. The ops of
 * wgrad are held to more by their cases, whose references are in float64.
 */
import { grad } from "./backward.ts";
import { ArgumentError } from "./errors.ts";
import { isFloat } from "./dtype.ts";
import { openScope } from "./scope.ts";
import { noGrad } from "./tape.ts";
import { tensor } from "./from-host.ts";
import type { Tensor } from "./tensor.ts";

export interface GradcheckOptions {
  /** Half the distance of the two evaluations. Default: 1e-2. */
  readonly step?: number;
  /** Largest allowed |analytic - numeric| / (1 + |numeric|). Default: 1e-2. */
  readonly tolerance?: number;
  /** At most this many elements of each input are probed, spread evenly. Default: 64. */
  readonly probes?: number;
}

/** One element whose gradient was probed. */
export interface GradcheckProbe {
  readonly input: string;
  readonly element: number;
  readonly analytic: number;
  readonly numeric: number;
  readonly error: number;
}

export interface GradcheckReport {
  readonly passed: boolean;
  readonly worst: GradcheckProbe | undefined;
  readonly probes: readonly GradcheckProbe[];
  /** The report as a table, the worst elements first. */
  toString(): string;
}

/**
 * Compares the gradients of `fn` with central differences.
 *
 * @param fn computes one tensor of any shape from the inputs, the same each time: no dropout, no running statistics.
 * @param inputs f32 tensors and what else `fn` takes; copies of them are the leaves, they themselves stay as they are.
 * @throws ArgumentError when there is no f32 input.
 */
export async function gradcheck(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  { step = 1e-2, tolerance = 1e-2, probes: probeLimit = 64 }: GradcheckOptions = {},
): Promise<GradcheckReport> {
  const floats = inputs.filter((input) => isFloat(input.dtype));
  if (floats.length === 0) {
    throw new ArgumentError(
      "gradcheck",
      `no input can carry a gradient: ${inputs.join(", ")}`,
      "Pass f32 tensors",
    );
  }
  const values: readonly ArrayLike<number>[] = await Promise.all(
    inputs.map((input) => input.data()),
  );
  const { reading, weights } = analyticGradients(fn, inputs, values);
  const analytic = await reading;
  const objective = async (changed: number, replacement: Float32Array): Promise<number> => {
    const out = await evaluate(fn, inputs, values.with(changed, replacement));
    return Array.from(out).reduce((sum, value, i) => sum + value * (weights[i] ?? 0), 0);
  };
  const probes: GradcheckProbe[] = [];
  for (const [i, input] of inputs.entries()) {
    if (!isFloat(input.dtype)) continue;
    const stride = Math.max(1, Math.ceil(input.size / probeLimit));
    for (let element = 0; element < input.size; element += stride) {
      const original = values[i]?.[element] ?? 0;
      const at = (value: number): Float32Array =>
        Float32Array.from(values[i] ?? [], (v, j) => (j === element ? value : v));
      const high = at(original + step);
      const low = at(original - step);
      // f32 rounds the step; the quotient must use the distance that was really taken.
      const distance = (high[element] ?? 0) - (low[element] ?? 0);
      const numeric = ((await objective(i, high)) - (await objective(i, low))) / distance;
      const exact = analytic[i]?.[element] ?? 0;
      const error = Math.abs(exact - numeric) / (1 + Math.abs(numeric));
      probes.push({ input: input.name ?? `input ${i}`, element, analytic: exact, numeric, error });
    }
  }
  return report(probes, tolerance);
}

/** Elements of `fn(values)`. The scope closes when the readback is recorded, before anybody waits. */
function evaluate(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  values: readonly ArrayLike<number>[],
): Promise<ArrayLike<number>> {
  using _scope = openScope();
  return noGrad(() => fn(...copies(inputs, values, false))).data();
}

function copies(
  inputs: readonly Tensor[],
  values: readonly ArrayLike<number>[],
  requiresGrad: boolean,
): Tensor[] {
  return inputs.map((input, i) =>
    tensor(Float64Array.from(values[i] ?? []), {
      shape: input.shape,
      dtype: input.dtype,
      device: input.device,
      requiresGrad: requiresGrad && isFloat(input.dtype),
    }),
  );
}

function analyticGradients(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  values: readonly ArrayLike<number>[],
): { reading: Promise<(ArrayLike<number> | undefined)[]>; weights: Float32Array } {
  using _scope = openScope();
  const leaves = copies(inputs, values, true);
  const out = fn(...leaves);
  // Weights of both signs and no symmetry, so that errors cannot cancel.
  const weights = Float32Array.from({ length: out.size }, (_, i) => Math.sin(1 + 1.7 * i) + 0.3);
  const gradient = tensor(weights, { shape: out.shape, dtype: out.dtype, device: out.device });
  const gradients = grad(out, Object.fromEntries(leaves.map((leaf, i) => [String(i), leaf])), {
    gradient,
  });
  const reading = inputs.map(async (_, i) => gradients[String(i)]?.data());
  for (const name in gradients) gradients[name]?.release("gradcheck");
  return { reading: Promise.all(reading), weights };
}

function report(probes: GradcheckProbe[], tolerance: number): GradcheckReport {
  const badness = ({ error }: GradcheckProbe): number => (Number.isNaN(error) ? Infinity : error);
  const ordered = probes.toSorted((a, b) => badness(b) - badness(a));
  const worst = ordered[0];
  const passed = ordered.every(({ error }) => error <= tolerance);
  const toString = (): string => {
    const rows = ordered
      .slice(0, 10)
      .map(({ input, element, analytic, numeric, error }) =>
        [
          input.padEnd(12),
          String(element).padStart(8),
          ...[analytic, numeric, error].map((v) => v.toExponential(3).padStart(12)),
        ].join(" "),
      );
    const head = [
      "input".padEnd(12),
      "element".padStart(8),
      ..."analytic numeric error".split(" ").map((v) => v.padStart(12)),
    ].join(" ");
    return [
      `gradcheck ${passed ? "passed" : "FAILED"}: ${probes.length} probes, tolerance ${tolerance}`,
      head,
      ...rows,
    ].join("\n");
  };
  return { passed, worst, probes: ordered, toString };
}
