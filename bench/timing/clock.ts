/**
 * @file The tick of the device's clock. Browsers and Dawn round timestamps (to 65,536 ns or 100 us) against timing attacks, and a
 * kernel shorter than a tick seems to take no time. Source: WebGPU, "Timestamp query", on coarsening.
 */
import { defineKernel, zeros, type Device } from "../../engine/index.ts";
import source from "./idle.wgsl";
import { SpanTimer, timeSpan } from "./span-timer.ts";

const idle = defineKernel({ name: "bench/idle", source, grid: () => [1, 1, 1] });
const ticks = new WeakMap<Device, Promise<number>>();

/** Nanoseconds of one tick: the greatest number that divides all timestamps seen. */
export function clockTick(device: Device): Promise<number> {
  let tick = ticks.get(device);
  if (tick === undefined) ticks.set(device, (tick = findTick(device)));
  return tick;
}

/** By then two random multiples of a tick share no other divisor with almost certainty. */
const samples = 24;

async function findTick(device: Device): Promise<number> {
  const out = zeros([64], { device });
  const timer = new SpanTimer(device);
  let divisor = 0n;
  try {
    for (let i = 0; i < samples; i++) {
      timer.expect(1 + (i % 5));
      const { begin, end } = await timeSpan(device, timer, () => {
        for (let k = 0; k < 1 + (i % 5); k++) idle({ out });
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
