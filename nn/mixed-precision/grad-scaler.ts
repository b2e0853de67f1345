/**
 * @file GradScaler: multiplies the loss before `backward`, so that gradients too small for half floats survive, and takes steps that
 * overflowed back before they happen. All decisions are made on the device: no step waits for it.
 *
 * Source of the method: Micikevicius et al., Mixed Precision Training, arXiv 1710.03740 (ICLR 2018), section 3.2; names, defaults
 * and rules are those of torch.amp.GradScaler.
 */
import scaleSource from "../../shaders/mixed-precision/scale.wgsl";
import {
  ArgumentError,
  cast,
  defineKernel,
  keep,
  mul,
  zeros,
  type Device,
  type Tensor,
} from "../../engine/index.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { unscaleGradients } from "./unscale.ts";

const updateKernel = defineKernel({
  name: "scaler/update",
  source: scaleSource,
  entryPoint: "update",
  bindings: ["guard", "scale", "inverse", "growth", "params"],
  grid: () => [1, 1, 1],
});

const mergeKernel = defineKernel({
  name: "scaler/merge",
  source: scaleSource,
  entryPoint: "merge",
  bindings: ["guard", "into"],
  grid: () => [1, 1, 1],
});

export interface GradScalerOptions {
  /** What the loss is multiplied by at first, a finite number > 0. Default: 65536. */
  readonly initScale?: number;
  /** The scale is multiplied by this after `growthInterval` steps without an overflow; > 1. Default: 2. */
  readonly growthFactor?: number;
  /** The scale is multiplied by this after a step that overflowed; between 0 and 1. Default: 0.5. */
  readonly backoffFactor?: number;
  /** Steps, a whole number >= 1. Default: 2000. */
  readonly growthInterval?: number;
  /** False makes the scaler do nothing but step the optimizer, so that one program serves f32 too. Default: true. */
  readonly enabled?: boolean;
}

/** What `loadStateDict` needs to go on as if nothing had happened. */
export interface GradScalerState {
  readonly scale: number;
  readonly growthFactor: number;
  readonly backoffFactor: number;
  readonly growthInterval: number;
  /** Steps without an overflow since the scale last changed. */
  readonly growthTracker: number;
}

/** What the device knows. */
interface OnDevice {
  /** f32 []. */
  readonly scale: Tensor;
  /** f32 [], 1 / scale. */
  readonly inverse: Tensor;
  /** u32 []. */
  readonly growth: Tensor;
}

/** Where an optimizer is between two calls of `update`. */
type Stage = "unscaled" | "stepped";

/**
 * Dynamic loss scaling.
 *
 * ```ts
 * const scaler = new GradScaler();
 * for (const { x, y } of loader) {
 *   using _step = openScope();
 *   const logits = autocast(() => model.forward(x));
 *   backward(scaler.scale(crossEntropy(cast(logits, "f32"), y)));
 *   scaler.step(optimizer); // does nothing if a gradient is infinite or NaN
 *   scaler.update();
 *   optimizer.zeroGrad();
 * }
 * ```
 *
 * To clip gradients, call `scaler.unscale(optimizer)` before; `step` then does not unscale again. Several optimizers may share a
 * scaler: each steps unless its own gradients overflowed, and one `update` follows all of them.
 */
export class GradScaler {
  readonly enabled: boolean;
  #state: GradScalerState;
  /** From the first use on. */
  #onDevice: OnDevice | undefined;
  readonly #stages = new Map<Optimizer, Stage>();

  /** @throws ArgumentError for numbers outside their domain. */
  constructor(options: GradScalerOptions = {}) {
    const { initScale = 65536, growthFactor = 2, backoffFactor = 0.5 } = options;
    const { growthInterval = 2000, enabled = true } = options;
    this.enabled = enabled;
    this.#state = checked("GradScaler", {
      ...{ scale: initScale, growthFactor, backoffFactor, growthInterval, growthTracker: 0 },
    });
  }

  get growthFactor(): number {
    return this.#state.growthFactor;
  }

  get backoffFactor(): number {
    return this.#state.backoffFactor;
  }

  get growthInterval(): number {
    return this.#state.growthInterval;
  }

  /** The loss in f32 times the scale, to call `backward` on. */
  scale(loss: Tensor): Tensor {
    return this.enabled ? mul(cast(loss, "f32"), this.#on(loss.device).scale) : loss;
  }

  /**
   * Divides the gradients of an optimizer's parameters by the scale, in place, and looks for overflows. `step` does it where it was
   * not done; call it to see or clip the true gradients. PyTorch's `unscale_`.
   *
   * @throws ArgumentError when it was done already since the last `update`.
   */
  unscale(optimizer: Optimizer): void {
    if (this.enabled) this.#unscale("GradScaler.unscale", optimizer);
  }

  /**
   * Steps the optimizer, unscaling its gradients before if that was not done. On the device, the step leaves everything as it is,
   * momentum included, when a gradient is infinite or NaN: `unscale` sets the optimizer's guard. So after `unscale`,
   * `optimizer.step()` does the same.
   *
   * @throws ArgumentError when the optimizer was stepped already since the last `update`.
   */
  step(optimizer: Optimizer): void {
    if (this.enabled) {
      const stage = this.#stages.get(optimizer);
      if (stage === "stepped") throw calledTwice("GradScaler.step", stage, optimizer);
      if (stage === undefined) this.#unscale("GradScaler.step", optimizer);
      this.#stages.set(optimizer, "stepped");
    }
    optimizer.step();
  }

  /**
   * Lowers the scale if an overflow was found since the last call, and raises it after `growthInterval` calls without one. Call it
   * once, after all optimizers were stepped.
   *
   * @throws ArgumentError when no optimizer was unscaled or stepped since the last call.
   */
  update(): void {
    if (!this.enabled) return;
    const [first, ...others] = [...this.#stages.keys()].map(({ guard }) => guard);
    if (first === undefined) {
      throw new ArgumentError(
        "GradScaler.update",
        "no optimizer was stepped since the last update: []",
        "Call scaler.step(optimizer) before",
      );
    }
    this.#stages.clear();
    const { growthFactor, backoffFactor, growthInterval } = this.#state;
    const params = {
      ...{ backoff: backoffFactor, backoff_inverse: 1 / backoffFactor },
      ...{ factor: growthFactor, factor_inverse: 1 / growthFactor, interval: growthInterval },
    };
    for (const guard of others) mergeKernel({ guard, into: first }, params);
    updateKernel({ guard: first, ...this.#on(first.device) }, params);
  }

  /** The scale after everything recorded so far; waits for the device. 1 for a scaler that is not enabled. */
  async getScale(): Promise<number> {
    if (!this.enabled) return 1;
    return (await this.#onDevice?.scale.item()) ?? this.#state.scale;
  }

  /** Scale, growth tracker and settings, copied to the host. */
  async stateDict(): Promise<GradScalerState> {
    if (this.#onDevice === undefined) return { ...this.#state };
    const { scale, growth } = this.#onDevice;
    const [now, growthTracker] = await Promise.all([scale.item(), growth.item()]);
    return { ...this.#state, scale: now, growthTracker };
  }

  /**
   * Takes over a state. Whether the scaler is enabled stays as it is.
   * @throws ArgumentError for numbers outside their domain.
   */
  loadStateDict(state: GradScalerState): void {
    this.#state = checked("GradScaler.loadStateDict", state);
    if (this.#onDevice !== undefined) fill(this.#onDevice, this.#state);
  }

  #unscale(op: string, optimizer: Optimizer): void {
    const stage = this.#stages.get(optimizer);
    if (stage !== undefined) throw calledTwice(op, stage, optimizer);
    const { guard, parameters } = optimizer;
    const gradients = parameters.flatMap(({ grad }) => grad ?? []);
    unscaleGradients(gradients, this.#on(guard.device).inverse, guard);
    this.#stages.set(optimizer, "unscaled");
  }

  #on(device: Device): OnDevice {
    if (this.#onDevice !== undefined) return this.#onDevice;
    const fresh = {
      scale: keep(zeros([], { device })),
      inverse: keep(zeros([], { device })),
      growth: keep(zeros([], { dtype: "u32", device })),
    };
    fill(fresh, this.#state);
    this.#onDevice = fresh;
    return fresh;
  }
}

function fill({ scale, inverse, growth }: OnDevice, state: GradScalerState): void {
  scale.write([state.scale]);
  inverse.write([1 / state.scale]);
  growth.write([state.growthTracker]);
}

function checked(op: string, state: GradScalerState): GradScalerState {
  const { scale, growthFactor, backoffFactor, growthInterval, growthTracker } = state;
  const rules: readonly [name: string, value: number, inside: boolean, domain: string][] = [
    ["scale", scale, scale > 0 && scale < Infinity, "a finite number > 0"],
    ["growthFactor", growthFactor, growthFactor > 1 && growthFactor < Infinity, "> 1"],
    ["backoffFactor", backoffFactor, backoffFactor > 0 && backoffFactor < 1, "between 0 and 1"],
    ["growthInterval", growthInterval, isCount(growthInterval, 1), "a whole number >= 1"],
    ["growthTracker", growthTracker, isCount(growthTracker, 0), "a whole number >= 0"],
  ];
  const bad = rules.find(([, , inside]) => !inside);
  if (bad === undefined)
    return { scale, growthFactor, backoffFactor, growthInterval, growthTracker };
  const [name, value, , domain] = bad;
  throw new ArgumentError(
    op,
    `${name} is not ${domain}: ${value}`,
    "Usual are scale 65536, growthFactor 2, backoffFactor 0.5, growthInterval 2000",
  );
}

function isCount(value: number, least: number): boolean {
  return Number.isInteger(value) && value >= least && value < 2 ** 32;
}

function calledTwice(op: string, stage: Stage, { name }: Optimizer): ArgumentError {
  return new ArgumentError(
    op,
    `the optimizer was ${stage} already since the last update: ${name}`,
    "Call unscale at most once, then step, then update, in each step",
  );
}
