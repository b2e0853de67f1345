/** @file Gradient clipping on the device, for many parameters at once. Formulas: `shaders/optim/clip-*.wgsl`. */
import readSource from "../../shaders/optim/clip-read.wgsl";
import writeSource from "../../shaders/optim/clip-write.wgsl";
import {
  ArgumentError,
  defineKernel,
  keep,
  linearGrid,
  openScope,
  zeros,
  type Device,
  type Tensor,
} from "../../engine/index.ts";
import { bindGradients, gradientNames, shareOut } from "./dispatch-list.ts";

/** Gradients that the shaders bind. */
const gradientCount = 7;
/** WORKGROUP * VECTORS of the shaders, in elements. */
const elementsPerSum = 64 * 16 * 4;
const elementsPerWorkgroup = 64 * 4 * 4;

const squareSumsKernel = defineKernel({
  name: "clip/square-sums",
  source: readSource,
  entryPoint: "square_sums",
  bindings: [...gradientNames(gradientCount), "sums", "params"],
  grid: ({ workgroups }) => linearGrid(workgroups as number, 1),
});

const finishKernel = defineKernel({
  name: "clip/finish",
  source: readSource,
  entryPoint: "finish",
  bindings: ["sums", "norm", "factor", "params"],
  grid: () => [1, 1, 1],
});

const scaleKernel = defineKernel({
  name: "clip/scale",
  source: writeSource,
  entryPoint: "scale",
  grid: ({ workgroups }) => linearGrid(workgroups as number, 1),
});

const limitKernel = defineKernel({
  name: "clip/limit",
  source: writeSource,
  entryPoint: "limit",
  bindings: [...gradientNames(gradientCount), "params"],
  grid: ({ workgroups }) => linearGrid(workgroups as number, 1),
});

/**
 * Scales all gradients in place by one factor, so that their Euclidean norm together is at most `maxNorm`. Call it between
 * `backward` and `optimizer.step()`. With `maxNorm` infinity it only measures.
 *
 * @returns the norm before clipping, a scalar on the device; reading it waits for the device. 0 when there is no gradient.
 * @throws ArgumentError when `maxNorm` is negative or NaN.
 * Source: torch.nn.utils.clip_grad_norm_.
 */
export function clipGradNorm(parameters: Iterable<Tensor>, maxNorm: number): Tensor {
  if (!(maxNorm >= 0)) {
    throw new ArgumentError(
      "clipGradNorm",
      `maxNorm is not a number >= 0: ${maxNorm}`,
      "Use a number such as 1",
    );
  }
  const gradients = gradientsOf(parameters);
  const [first] = gradients;
  if (first === undefined) return zeros([]);
  using scope = openScope();
  const { device } = first;
  const norm = zeros([], { device });
  const factor = zeros([], { device });
  measure(gradients, maxNorm, norm, factor);
  if (maxNorm !== Infinity) changeInPlace(scaleKernel, gradients, { factor }, { max_value: 0 });
  return scope.keep(norm);
}

/**
 * Limits every element of all gradients, in place, to `-maxValue .. maxValue`.
 *
 * @throws ArgumentError when `maxValue` is negative or not finite.
 * Source: torch.nn.utils.clip_grad_value_.
 */
export function clipGradValue(parameters: Iterable<Tensor>, maxValue: number): void {
  if (!(maxValue >= 0 && Number.isFinite(maxValue))) {
    throw new ArgumentError(
      "clipGradValue",
      `maxValue is not a finite number >= 0: ${maxValue}`,
      "Use a number such as 0.5",
    );
  }
  changeInPlace(limitKernel, gradientsOf(parameters), {}, { max_value: maxValue });
}

function gradientsOf(parameters: Iterable<Tensor>): Tensor[] {
  return [...parameters].flatMap(({ grad }) => (grad === undefined || grad.size === 0 ? [] : grad));
}

function measure(
  gradients: readonly Tensor[],
  maxNorm: number,
  norm: Tensor,
  factor: Tensor,
): void {
  const shares = shareOut(gradients, ({ size }) => size, gradientCount, elementsPerSum);
  const count = shares.reduce((total, { workgroups }) => total + workgroups, 0);
  const sums = zeros([count], { device: norm.device });
  const unused = { count: 0, first_sum: 0, max_norm: 0, places: [], workgroups: 0 };
  let first_sum = 0;
  for (const { items, firstWorkgroups, workgroups, overrides } of shares) {
    const bound = bindGradients(items, gradientCount, () => items[0] ?? norm);
    const places = items.flatMap(({ size }, i) => [firstWorkgroups[i] ?? 0, size, 0, 0]);
    const params = { ...unused, workgroups, count: items.length, first_sum, places };
    squareSumsKernel({ ...bound, sums }, params, { overrides });
    first_sum += workgroups;
  }
  finishKernel({ sums, norm, factor }, { ...unused, count, max_norm: clampToF32(maxNorm) });
}

function changeInPlace(
  kernel: typeof scaleKernel,
  gradients: readonly Tensor[],
  inputs: Readonly<Record<string, Tensor>>,
  numbers: { readonly max_value: number },
): void {
  const own = distinctMemory(gradients);
  for (const share of shareOut(own, ({ size }) => size, gradientCount, elementsPerWorkgroup)) {
    const { items, firstWorkgroups, workgroups, overrides } = share;
    const spare = (i: number) => spareTensor(items[0]?.device, i);
    const places = items.flatMap(({ size }, i) => [
      firstWorkgroups[i] ?? 0,
      Math.ceil(size / 4),
      0,
      0,
    ]);
    kernel(
      { ...bindGradients(items, gradientCount, spare), ...inputs },
      { ...numbers, workgroups, count: items.length, places },
      { overrides },
    );
  }
}

/** Two parameters may have one gradient, for example the terms of a sum; it must be changed once. */
function distinctMemory(gradients: readonly Tensor[]): Tensor[] {
  const seen = new Set<string>();
  return gradients.filter((gradient) => {
    const { buffer, byteOffset } = gradient.memory("clip");
    const place = `${buffer.id}+${byteOffset}`;
    if (seen.has(place)) return false;
    seen.add(place);
    return true;
  });
}

const spares = new WeakMap<Device, Tensor[]>();

/** Fills a binding that is written by nobody; WebGPU wants a buffer there, and each writable one only once. */
function spareTensor(device: Device | undefined, index: number): Tensor {
  if (device === undefined) return keep(zeros([1]));
  const known = spares.get(device) ?? [];
  spares.set(device, known);
  return (known[index] ??= keep(zeros([1], { device })));
}

/** The largest f32 for what is larger: a uniform has no infinity to rely on. */
function clampToF32(value: number): number {
  return Math.min(value, 3.4028234663852886e38);
}
