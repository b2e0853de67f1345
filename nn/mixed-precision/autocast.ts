/**
 * @file The region in which layers compute with half floats. Layers that multiply by weights cast what they multiply to f16, there
 * and only there; everything behind them takes the type that it is given. Parameters stay f32, and so do sums, the statistics
 * of norms, and losses.
 *
 * Source of the method: Micikevicius et al., Mixed Precision Training, arXiv 1710.03740 (ICLR 2018); the form is torch.autocast.
 */
import { addCaptureContext, cast, DeviceError, isFloat, type Tensor } from "../../engine/index.ts";

export interface AutocastOptions {
  /** False switches a region off, also inside another one: for a part of a model that needs f32. Default: true. */
  readonly enabled?: boolean;
}

let active = false;
addCaptureContext(isAutocasting);

/** True inside an enabled `autocast`. */
export function isAutocasting(): boolean {
  return active;
}

/**
 * Runs synchronous `body` with half floats where they are safe and worth it. `Conv2d`, `ConvTranspose2d` and `Linear` cast their
 * input, weight and bias to f16; the casts are on the tape, so gradients arrive at the parameters in f32. Norms take f16 with f32
 * parameters and statistics. All sums are f32, whatever is stored.
 *
 * ```ts
 * const logits = autocast(() => model.forward(x));
 * const loss = crossEntropy(cast(logits, "f32"), y);
 * ```
 *
 * Run only the forward pass inside; `backward` follows the types of the tape. Gradients below 6e-8 would be lost in f16: scale the
 * loss, see `GradScaler`. A module of one's own casts with `autocastInputs` what it multiplies.
 *
 * @throws DeviceError from the first layer that would cast on a device without `shader-f16`.
 */
export function autocast<T>(body: () => T, { enabled = true }: AutocastOptions = {}): T {
  using _region = openAutocast(enabled);
  return body();
}

/** `autocast` from here until the result is disposed, for code that cannot pass a function. */
export function openAutocast(enabled = true): Disposable {
  const outer = active;
  active = enabled;
  return {
    [Symbol.dispose]() {
      active = outer;
    },
  };
}

/**
 * Inside `autocast`: the tensors with every f32 among them cast to f16, for what is then multiplied. Elsewhere, and for whole
 * numbers, the tensors as they are. Undefined, for example a missing bias, stays undefined.
 *
 * ```ts
 * override forward(x: Tensor): Tensor {
 *   const [input, weight] = autocastInputs(x, this.weight);
 *   return matmul(input, weight);
 * }
 * ```
 * @throws DeviceError on a device without `shader-f16`.
 */
export function autocastInputs<T extends readonly (Tensor | undefined)[]>(...tensors: T): T {
  if (!active) return tensors;
  return tensors.map((t) => (t === undefined ? t : toHalf("autocast", t))) as readonly (
    Tensor | undefined
  )[] as T;
}

function toHalf(op: string, t: Tensor): Tensor {
  if (!isFloat(t.dtype)) return t;
  requireHalf(op, t.device);
  return cast(t, "f16");
}

/** Throws `DeviceError` unless the device computes with half floats. */
export function requireHalf(op: string, device: Tensor["device"]): void {
  if (device.has("shader-f16")) return;
  const { description, vendor } = device.adapter;
  throw new DeviceError(
    op,
    `there are no half floats: the device lacks shader-f16: ${description === "" ? vendor : description}`,
    'Train in f32, or decide by device.has("shader-f16"): autocast(body, { enabled })',
  );
}
