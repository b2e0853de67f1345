/**
 * @file The tick of the device's clock. Browsers and Dawn round timestamps (to 65,536 ns or 100 us) against timing attacks, and a
 * kernel shorter than a tick seems to take no time. Source: WebGPU, "Timestamp query", on coarsening.
 */
import source from "../../shaders/timing/idle.wgsl";
import type { Device } from "../device/device.ts";
import { defineKernel } from "../kernel.ts";
import { Tensor } from "../tensor.ts";
import { openTimer, timeSpan } from "./span-timer.ts";

const idle = defineKernel({ name: "timing/idle", source, grid: () => [1, 1, 1] });
const ticks = new WeakMap<Device, Promise<number>>();

/** Nanoseconds of one tick: the greatest number that divides all timestamps seen. Without timestamps, of `performance.now`. */
export function clockTick(device: Device): Promise<number> {
  let tick = ticks.get(device);
  if (tick === undefined) ticks.set(device, (tick = findTick(device)));
  return tick;
}

/** By then random multiples of a tick share no other divisor, with almost certainty. */
const samples = 24;

/** Browsers round `performance.now` to this much where pages are not isolated from each other. */
const wallClockTick = 100_000;

async function findTick(device: Device): Promise<number> {
  const timer = openTimer(device);
  if (timer === undefined) return wallClockTick;
  const out = Tensor.allocate("clockTick", device, [64], "f32");
  let divisor = 0n;
  try {
    for (let i = 0; i < samples; i++) {
      const dispatches = 1 + (i % 5);
      const { begin, end } = await timeSpan(device, timer, dispatches, () => {
        for (let k = 0; k < dispatches; k++) idle({ out });
      });
      divisor = commonDivisor(commonDivisor(divisor, begin), end);
    }
  } finally {
    timer.destroy();
    out.release("clockTick");
  }
  return Number(divisor);
}

/** Euclid's algorithm; 0 divides nothing and is divided by all. */
function commonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : commonDivisor(b, a % b);
}
