/** @file Gradients divided by the loss scale, many at once. Formulas: `shaders/mixed-precision/unscale.wgsl`. */
import source from "../../shaders/mixed-precision/unscale.wgsl";
import {
  defineKernel,
  keep,
  linearGrid,
  zeros,
  type Device,
  type Tensor,
} from "../../engine/index.ts";
import { bindGradients, shareOut } from "../optim/dispatch-list.ts";

/** Gradients that the shader binds. */
const gradientCount = 6;
/** WORKGROUP * VECTORS of the shader, in elements. */
const elementsPerWorkgroup = 64 * 4 * 4;

const kernel = defineKernel({
  name: "scaler/unscale",
  source,
  grid: ({ workgroups }) => linearGrid(workgroups as number, 1),
});

/**
 * Multiplies all gradients in place by `inverse` [], and sets the first element of `guard` to 1 if an element of a gradient was or
 * becomes infinite or NaN.
 */
export function unscaleGradients(
  gradients: readonly Tensor[],
  inverse: Tensor,
  guard: Tensor,
): void {
  const filled = gradients.filter(({ size }) => size > 0);
  const shares = shareOut(filled, ({ size }) => size, gradientCount, elementsPerWorkgroup);
  for (const { items, firstWorkgroups, workgroups, overrides } of shares) {
    const bound = bindGradients(items, gradientCount, (i) => spareTensor(guard.device, i));
    const places = items.flatMap(({ size }, i) => [firstWorkgroups[i] ?? 0, size, 0, 0]);
    const params = { workgroups, count: items.length, places };
    kernel({ ...bound, inverse, guard }, params, { overrides });
  }
}

const spares = new WeakMap<Device, Tensor[]>();

/** Fills a binding that is written by nobody; WebGPU wants a buffer there, and each writable one only once. */
function spareTensor(device: Device, index: number): Tensor {
  const known = spares.get(device) ?? [];
  spares.set(device, known);
  return (known[index] ??= keep(zeros([1], { device })));
}
