/** @file What the benchmark says about a whole net. */
import { expect, test } from "vitest";
import { convolutionShare, hostTime } from "../../bench/models/measure-net.ts";
import {
  add,
  conv2d,
  conv2dInputGradient,
  conv2dWeightGradient,
  tensor,
  zeros,
  type Tensor,
} from "../../engine/index.ts";
import { withVariant } from "../../engine/ops/variants.ts";
import { useDevice } from "../device.ts";

const device = useDevice();

/** A convolution and its two gradients by one variant. */
function convolve(variant: string, kernelSize: number, padding: number): Tensor {
  const x = zeros([1, 8, 8, 8]);
  const w = zeros([kernelSize, kernelSize, 8, 8]);
  const forward = (): Tensor => conv2d(x, w, { padding });
  const input = (): Tensor => conv2dInputGradient(x, w, x.shape, { padding });
  const weight = (): Tensor => conv2dWeightGradient(x, x, w.shape, { padding });
  withVariant("conv2d", variant, forward);
  withVariant("conv2dInputGradient", variant, input);
  return withVariant("conv2dWeightGradient", variant, weight);
}

test.for([
  ["pointwise", 1, 0],
  ["winograd-2x2", 3, 1],
  ["winograd-4x4", 3, 1],
] as const)(
  "products of %s count as convolutions",
  async ([variant, kernelSize, padding], { skip }) => {
    skip(!device().has("timestamp-query"), "the adapter has no timestamp-query");
    const step = (): Tensor => convolve(variant, kernelSize, padding);
    expect(await convolutionShare(device(), { step })).toBeCloseTo(1);
  },
);

test("what is no convolution does not count", async ({ skip }) => {
  skip(!device().has("timestamp-query"), "the adapter has no timestamp-query");
  const step = (): Tensor => add(tensor([1]), 1);
  expect(await convolutionShare(device(), { step })).toBe(0);
});

test("host time is that of whole steps, each of which goes out in one submit", async () => {
  const { recorder } = device();
  const { commandsPerSubmit } = recorder;
  const { submits } = recorder.counts;
  let steps = 0;
  const step = (): Tensor => {
    steps++;
    let x = tensor([0]);
    for (let i = 0; i < 300; i++) x = add(x, 1);
    return x;
  };
  expect(await hostTime(device(), { step }, 5)).toBeGreaterThan(0);
  // Two come before those that count.
  expect(steps).toBe(7);
  expect(recorder.counts.submits - submits).toBe(7);
  expect(recorder.commandsPerSubmit).toBe(commandsPerSubmit);
});
