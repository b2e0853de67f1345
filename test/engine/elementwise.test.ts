/** @file What central differences cannot see: gradients at kinks, where PyTorch's choice is ours, and bounds of integers. */
import { describe, expect, test } from "vitest";
import {
  abs,
  backward,
  cast,
  clamp,
  elu,
  leakyRelu,
  mul,
  pow,
  relu,
  sign,
  sum,
  tensor,
  type Tensor,
} from "../../engine/index.ts";
import { useDevice } from "../device.ts";

const device = useDevice();

async function gradientAt(f: (x: Tensor) => Tensor, values: number[]): Promise<number[]> {
  const x = tensor(values, { requiresGrad: true });
  backward(sum(f(x)));
  return [...((await x.grad?.data()) ?? [])];
}

describe("gradients at kinks", () => {
  test.each([
    ["relu", relu, [0, -0, 1e-30], [0, 0, 1]],
    ["abs", abs, [0, -1e-30, 1e-30], [0, -1, 1]],
    ["leakyRelu", (x: Tensor) => leakyRelu(x, 0.5), [0, -1], [1, 0.5]],
    ["elu", (x: Tensor) => elu(x, 2), [0, 1], [1, 1]],
    ["clamp", (x: Tensor) => clamp(x, -1, 1), [-1, 1, -1.5, 1.5, 0], [1, 1, 0, 0, 1]],
    ["sign", sign, [0, 3], [0, 0]],
    ["pow to 2", (x: Tensor) => pow(x, 2), [0, -3], [0, -6]],
    ["pow to 0", (x: Tensor) => pow(x, 0), [0, -3], [0, 0]],
    ["pow to 1", (x: Tensor) => pow(x, 1), [0, -3], [1, 1]],
  ] as const)("%s", async (_name, f, at, expected) => {
    expect(await gradientAt(f, [...at])).toEqual(
      expected.map((value) => expect.closeTo(value, 5) as number),
    );
  });

  test("NaN passes through the gradient", async () => {
    expect(await gradientAt(relu, [NaN, 1])).toEqual([1, 1]);
    expect(await gradientAt((x) => mul(relu(x), x), [NaN])).toEqual([NaN]);
  });
});

test("clamp of integers takes fractional and infinite bounds", async () => {
  const x = tensor([-5, 0, 1, 2, 3, 2147483647], { dtype: "i32" });
  expect([...(await clamp(x, 0.5, 2.5).data())]).toEqual([1, 1, 1, 2, 2, 2]);
  expect([...(await clamp(x, -Infinity, 2147483646).data())]).toEqual([-5, 0, 1, 2, 3, 2147483646]);
});

test("a gradient through half precision comes back in f32", async ({ skip }) => {
  skip(!device().has("shader-f16"), "the adapter has no shader-f16");
  const x = tensor([1, -2, 0.5], { requiresGrad: true });
  backward(sum(cast(relu(cast(x, "f16")), "f32")));
  expect(x.grad?.dtype).toBe("f32");
  expect([...((await x.grad?.data()) ?? [])]).toEqual([1, 0, 1]);
});
