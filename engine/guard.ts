/**
 * @file The guard against NaN and infinity: looks at every result and every gradient on the device, by bit pattern, and names
 * the first op that made one. Nothing is read back until `check()`.
 */
import source from "../shaders/guard/find-non-finite.wgsl";
import { defaultDevice, type Device } from "./device/device.ts";
import { NonFiniteError } from "./errors.ts";
import { defineKernel, linearGrid } from "./kernel.ts";
import { keep } from "./scope.ts";
import { formatShape } from "./shape.ts";
import { observeTensors } from "./tape.ts";
import { tensor } from "./from-host.ts";
import type { Tensor } from "./tensor.ts";

const kernel = defineKernel({
  name: "guard",
  source,
  grid: ({ size }) => linearGrid(size as number, 64 * 16),
});

const nothingFound = 0xffffffff;

export interface NonFiniteGuard extends Disposable {
  /** Tells the guard which training step begins, for the message. Default: counted by `check()`. */
  step(number: number): void;
  /**
   * Waits for the device and throws if a tensor since the last check held a NaN or an infinity.
   * @throws NonFiniteError naming the op, the step, and whether it was a result or a gradient.
   */
  check(): Promise<void>;
}

/** Switches the guard on until it is disposed; costs one small dispatch a tensor. Only f32 is looked at. */
export function guardNonFinite(device: Device = defaultDevice("guardNonFinite")): NonFiniteGuard {
  const first = keep(tensor([nothingFound], { dtype: "u32", device }));
  let seen: { text: string; step: number }[] = [];
  let step = 0;
  const stop = observeTensors((looked: Tensor, op, phase) => {
    if (looked.device !== device || looked.dtype !== "f32" || looked.size === 0) return;
    kernel({ x: looked, first }, { size: looked.size, ordinal: seen.length });
    const what = phase === "output" ? `the result of ${op}` : `a gradient made by ${op}`;
    seen.push({ text: `${what}, ${formatShape(looked.shape)}`, step });
  });
  return {
    step(number) {
      step = number;
    },
    async check() {
      first.memory("guardNonFinite");
      const described = seen;
      const reading = first.item();
      first.write([nothingFound]);
      seen = [];
      step++;
      const culprit = described[await reading];
      if (culprit === undefined) return;
      throw new NonFiniteError(
        "guardNonFinite",
        `a NaN or an infinity first appeared in step ${culprit.step}: ${culprit.text}`,
        "Lower the learning rate, clip gradients, or look at this op's inputs",
      );
    },
    [Symbol.dispose]() {
      stop();
      first.release("the end of the guard");
    },
  };
}
