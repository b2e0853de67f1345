/** @file Repetition along axes, times a number: what expand and the gradients of sums have in common. */
import source from "../../shaders/movement/spread.wgsl";
import { defineKernel } from "../kernel.ts";
import type { Tensor } from "../tensor.ts";
import { planBroadcast } from "./broadcast.ts";
import { vectorGrid } from "./vectors.ts";

const kernel = defineKernel({ name: "spread", source, grid: vectorGrid });

/**
 * Fills `out` with `x`, which broadcasts to its shape, times `scale`, of real numbers; without it bits are copied. `label` names it
 * in profiles.
 */
export function spreadInto(label: string, x: Tensor, out: Tensor, scale?: number): void {
  const { params, overrides } = planBroadcast([x], out);
  // All types of 4 bytes are one where bits are copied.
  const T = scale === undefined && x.dtype !== "f16" ? "u32" : x.dtype;
  kernel(
    { a: x, a_scalars: x, out },
    { ...params, scale: scale ?? 1 },
    { overrides: { ...overrides, SCALED: Number(scale !== undefined) }, types: { T }, label },
  );
}
