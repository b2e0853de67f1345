/** @file What the op table cannot say of reductions: gradients where there is no derivative, indices that outlive a graph, labels. */
import { describe, expect, test } from "vitest";
import {
  add,
  argMax,
  backward,
  checkLabels,
  crossEntropy,
  defineKernel,
  max,
  min,
  mul,
  sum,
  tensor,
  topK,
  variance,
  type Tensor,
} from "../../engine/index.ts";
import { useDevice } from "../device.ts";

useDevice();

async function gradientOf(x: Tensor, f: (x: Tensor) => Tensor): Promise<number[]> {
  backward(sum(f(x)));
  return [...((await x.grad?.data()) ?? [])];
}

describe("max and min", () => {
  test("equal elements share the gradient, as torch.amax and torch.amin", async () => {
    const values = [4, 4, 1, 4, 0, 0, 0, 0];
    const leaf = () => tensor(values, { shape: [2, 4], requiresGrad: true });
    const third = Math.fround(1 / 3);
    expect(await gradientOf(leaf(), (x) => max(x, 1))).toEqual([
      third,
      third,
      0,
      third,
      0.25,
      0.25,
      0.25,
      0.25,
    ]);
    expect(await gradientOf(leaf(), (x) => min(x, 1))).toEqual([
      0, 0, 1, 0, 0.25, 0.25, 0.25, 0.25,
    ]);
  });

  test("a NaN result has a NaN gradient, as in PyTorch, and leaves other rows alone", async () => {
    const x = tensor([1, NaN, 2, 3], { shape: [2, 2], requiresGrad: true });
    expect(await gradientOf(x, (leaf) => max(leaf, 1))).toEqual([NaN, NaN, 0, 1]);
  });
});

test("the variance of one element is NaN, as torch.var, and so is its gradient", async () => {
  const x = tensor([3], { requiresGrad: true });
  const v = variance(x);
  backward(v);
  expect(await v.item()).toBeNaN();
  expect(await x.grad?.item()).toBeNaN();
});

describe("topK", () => {
  test("indices outlive the graph", async () => {
    const x = tensor([[3, 9, 5, 7]], { requiresGrad: true });
    const { values, indices } = topK(x, 2);
    backward(sum(mul(values, tensor([10, 20]))));
    expect([...(await indices.data())]).toEqual([1, 3]);
    expect([...((await x.grad?.data()) ?? [])]).toEqual([0, 10, 0, 20]);
  });

  test("of equal elements the first ones win", async () => {
    const x = tensor([5, 5, 5, 5], { requiresGrad: true });
    const { values, indices } = topK(x, 2, { largest: false });
    backward(sum(values));
    expect([...(await indices.data())]).toEqual([0, 1]);
    expect([...((await x.grad?.data()) ?? [])]).toEqual([1, 1, 0, 0]);
  });
});

test("argMax cuts the tape", () => {
  const x = tensor([1, 2], { requiresGrad: true });
  expect(argMax(x, 0).requiresGrad).toBe(false);
});

describe("crossEntropy", () => {
  const labels = (...values: number[]): Tensor => tensor(values, { dtype: "i32" });

  test("labels that a kernel has overwritten are no longer those of the host", () => {
    const x = tensor([1, 2, 3, 4], { shape: [2, 2] });
    const target = labels(0, 5);
    expect(() => crossEntropy(x, target)).toThrow("label out of range: 5 at 1");
    target.write([0, 1]);
    crossEntropy(x, target);
    expect(target.hostIntegers).toEqual(Float64Array.of(0, 1));
    defineKernel({
      name: "overwrite",
      source: {
        file: "overwrite.wgsl",
        code: "@group(0) @binding(0) var<storage, read_write> out: array<i32>;\n@compute @workgroup_size(1) fn main() { out[1] = 0; }",
        parts: [],
      },
      grid: () => [1, 1, 1],
    })({ out: target });
    expect(target.hostIntegers).toBeUndefined();
  });

  test("a label out of range makes its row NaN, and no other", async () => {
    const x = tensor([1, 2, 3, 4, 5, 6], { shape: [3, 2], requiresGrad: true });
    const losses = crossEntropy(x, add(labels(0, 2, 1), 0), { reduction: "none" });
    backward(losses, { gradient: tensor([1, 1, 1]) });
    expect([...(await losses.data())].map(Number.isNaN)).toEqual([false, true, false]);
    expect([...((await x.grad?.data()) ?? [])].map(Number.isNaN)).toEqual([
      false,
      false,
      true,
      true,
      false,
      false,
    ]);
  });

  test("where all labels are ignored, the mean is NaN and the gradient 0", async () => {
    const x = tensor([1, 2, 3, 4], { shape: [2, 2], requiresGrad: true });
    const loss = crossEntropy(x, labels(-100, -100));
    backward(loss);
    expect(await loss.item()).toBeNaN();
    expect([...((await x.grad?.data()) ?? [])]).toEqual([0, 0, 0, 0]);
  });

  test("gradients of logits that are used twice add up", async () => {
    const x = tensor([0, 0], { shape: [1, 2], requiresGrad: true });
    const loss = add(crossEntropy(x, labels(0)), crossEntropy(x, labels(1)));
    backward(loss);
    expect(await loss.item()).toBeCloseTo(2 * Math.LN2, 6);
    expect([...((await x.grad?.data()) ?? [])]).toEqual([0, 0]);
  });
});

describe("checkLabels", () => {
  test("accepts labels in range and ignored ones", async () => {
    await checkLabels(tensor([0, 2, -100, 1], { dtype: "i32" }), 3);
    await checkLabels(tensor([0, 255], { dtype: "u32" }), 3, 255);
  });

  test("names the first wrong label", async () => {
    await expect(checkLabels(tensor([0, 3, -1], { dtype: "i32" }), 3)).rejects.toThrow(
      "checkLabels: label out of range: 3 at 1 of Tensor(i32[3]), for 3 classes. Labels count from 0 to 2",
    );
    await expect(checkLabels(tensor([0, -1], { dtype: "i32" }), 3)).rejects.toThrow("-1 at 1");
  });

  test("refuses real numbers", async () => {
    await expect(checkLabels(tensor([0]), 3)).rejects.toThrow(
      "checkLabels: labels are whole numbers",
    );
  });
});
