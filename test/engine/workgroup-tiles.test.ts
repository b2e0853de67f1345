/** @file Products by tiles in workgroup memory: how sums are cut into parts, and that the kernels keep to WebGPU's default limits. */
import { describe, expect, test } from "vitest";
import { matmul, openScope, tensor, type Tensor } from "../../engine/index.ts";
import { conv2d, conv2dInputGradient } from "../../engine/ops/conv2d.ts";
import { withVariant, type Abilities } from "../../engine/ops/variants.ts";
import { partsOf, tilings } from "../../engine/ops/workgroup-tiles.ts";
import { sizeOf, type Shape } from "../../engine/shape.ts";
import { useDevice } from "../device.ts";
import { seededRandom } from "../inputs.ts";
import { expectClose } from "../numeric.ts";

describe("parts of a sum", () => {
  const gpu: Abilities = { adapter: { software: false }, hasSubgroupsOf: () => false };
  const parts = (rows: number, columns: number, k: number, batch = 1): number =>
    partsOf(gpu, { batch, rows, columns, k });

  test("fill a GPU", () => {
    expect(parts(64, 64, 2 ** 20)).toBe(512);
    expect(parts(392, 512, 9 * 512)).toBe(9);
    expect(parts(64, 64, 2 ** 20, 32)).toBe(16);
  });

  test("are one where there are enough tiles", () => {
    expect(parts(1024, 1024, 2 ** 20)).toBe(2);
    expect(parts(1024, 1025, 2 ** 20)).toBe(1);
  });

  test("have 8 steps of 16 or more, and more of them where there are more tiles", () => {
    expect(parts(64, 64, 240)).toBe(1);
    expect(parts(64, 64, 241)).toBe(2);
    expect(parts(64, 64, 25088)).toBe(196);
    expect(parts(1024, 512, 2048)).toBe(2);
    expect(parts(1024, 512, 2032)).toBe(1);
  });

  test("all have something to do", () => {
    for (let steps = 1; steps < 2000; steps++) {
      const count = parts(192, 64, 16 * steps);
      expect((count - 1) * Math.ceil(steps / count)).toBeLessThan(steps);
    }
  });
});

type MakeTensor = (shape: Shape) => Tensor;

/** A family, its plainest variant, and what both are to make. */
const products: readonly (readonly [string, string, (of: MakeTensor) => Tensor])[] = [
  ["matmul", "naive", (of) => matmul(of([67, 270]), of([270, 68]))],
  ["conv2d", "direct", (of) => conv2d(of([2, 5, 6, 32]), of([3, 3, 32, 36]))],
  [
    "conv2dInputGradient",
    "direct",
    (of) => conv2dInputGradient(of([2, 3, 4, 36]), of([3, 3, 32, 36]), [2, 5, 6, 32]),
  ],
];

/** Tensors of random numbers, each time the same. */
function randomTensors(): MakeTensor {
  const random = seededRandom(1);
  return (shape) =>
    tensor(
      Float32Array.from({ length: sizeOf(shape) }, () => random() - 0.5),
      { shape },
    );
}

describe("under WebGPU's default limits", () => {
  useDevice({ minimal: true });
  const all = products.flatMap((of) => tilings.map(({ name }) => [name, ...of] as const));

  test.each(all)("%s of %s", async (name, family, plainest, make) => {
    using scope = openScope();
    const made = (variant: string) =>
      withVariant(family, variant, () => make(randomTensors())).data();
    const [data, expected] = [made(name), made(plainest)];
    scope[Symbol.dispose]();
    expectClose(await data, [...(await expected)], 1e-5, name);
  });
});
