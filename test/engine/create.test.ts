/** @file Tensors made of nothing. */
import { describe, expect, test } from "vitest";
import {
  arange,
  eye,
  full,
  fullLike,
  LimitError,
  ones,
  onesLike,
  tensor,
  zeros,
  zerosLike,
} from "../../engine/index.ts";
import { useDevice } from "../device.ts";

const device = useDevice();

describe("constants", () => {
  test.each([[[]], [[1]], [[0, 3]], [[5]], [[1025]], [[2, 3, 5]]])(
    "fill the shape %j",
    async (shape) => {
      const size = shape.reduce((product, length) => product * length, 1);
      expect(zeros(shape).shape).toEqual(shape);
      expect([...(await zeros(shape).data())]).toEqual(Array<number>(size).fill(0));
      expect([...(await ones(shape).data())]).toEqual(Array<number>(size).fill(1));
      expect([...(await full(shape, -2.5).data())]).toEqual(Array<number>(size).fill(-2.5));
    },
  );

  test("are exact in every type", async ({ skip }) => {
    expect([...(await full([3], -2147483648, { dtype: "i32" }).data())]).toEqual([
      -2147483648, -2147483648, -2147483648,
    ]);
    expect([...(await full([2], 4294967295, { dtype: "u32" }).data())]).toEqual([
      4294967295, 4294967295,
    ]);
    expect([...(await full([2], NaN).data())]).toEqual([NaN, NaN]);
    expect([...(await full([1], -0).data())]).toEqual([-0]);
    skip(!device().has("shader-f16"), "the adapter has no shader-f16");
    expect([...(await full([3], 0.1, { dtype: "f16" }).data())]).toEqual([
      0.0999755859375, 0.0999755859375, 0.0999755859375,
    ]);
  });

  test("overwrite memory that was used before", async () => {
    for (let i = 0; i < 3; i++) {
      const used = ones([1000]);
      used.release();
      expect((await zeros([1000]).data()).every((value) => value === 0)).toBe(true);
    }
  });

  test("like another tensor", async () => {
    const like = tensor([[1], [2]], { dtype: "i32" });
    for (const [made, value] of [
      [zerosLike(like), 0],
      [onesLike(like), 1],
      [fullLike(like, 7), 7],
    ] as const) {
      expect([made.shape, made.dtype]).toEqual([[2, 1], "i32"]);
      expect([...(await made.data())]).toEqual([value, value]);
    }
  });

  test("are leaves that may want gradients", () => {
    expect(ones([2], { requiresGrad: true }).requiresGrad).toBe(true);
    expect(ones([2]).requiresGrad).toBe(false);
  });

  test("refuse what cannot be", () => {
    expect(() => zeros([-1])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: zeros: a size is not a whole number >= 0: [-1]. Pass non-negative integers]`,
    );
    expect(() => full([2], -1, { dtype: "u32" })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: full: u32 cannot hold the value: -1. Use whole numbers from 0 to 4294967295, or f32]`,
    );
    expect(() =>
      ones([2], { dtype: "i32", requiresGrad: true }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: requiresGrad: integers have no gradient: Tensor(i32[2]). Use f32]`,
    );
    expect(() => zeros([2 ** 20, 2 ** 20])).toThrow(LimitError);
  });
});

describe("arange", () => {
  test.each([
    [() => arange(5), [0, 1, 2, 3, 4]],
    [() => arange(2, 5), [2, 3, 4]],
    [() => arange(5, 0, -2), [5, 3, 1]],
    [() => arange(0, 1, 0.25), [0, 0.25, 0.5, 0.75]],
    [() => arange(0), []],
    [() => arange(3, 1), []],
    [() => arange(3, { dtype: "u32" }), [0, 1, 2]],
    [() => arange(2, -2, -1, { dtype: "i32" }), [2, 1, 0, -1]],
  ])("%s", async (make, values) => {
    const made = make();
    expect(made.shape).toEqual([values.length]);
    expect([...(await made.data())]).toEqual(values);
  });

  test("rounds each element once", async () => {
    const values = await arange(0, 1, 0.1).data();
    expect([...values]).toEqual(Array.from({ length: 10 }, (_, i) => Math.fround(i * 0.1)));
  });

  test("refuses what is no sequence", () => {
    expect(() => arange(0, 3, 0)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: arange: the numbers do not make a sequence: start 0, end 3, step 0. Use finite numbers and a step that is not 0]`,
    );
    expect(() => arange(0, Infinity)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: arange: the numbers do not make a sequence: start 0, end Infinity, step 1. Use finite numbers and a step that is not 0]`,
    );
    expect(() => arange(0, 1, 0.5, { dtype: "i32" })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: arange: i32 cannot hold the value: 0.5. Use whole numbers from -2147483648 to 2147483647, or f32]`,
    );
    expect(() => arange(2, -2, -1, { dtype: "u32" })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: arange: u32 cannot hold the value: -1. Use whole numbers from 0 to 4294967295, or f32]`,
    );
    expect(() => arange(0, 1e12)).toThrowErrorMatchingInlineSnapshot(
      `[LimitError: arange: the sequence has too many elements: 1000000000000. The most is 1073741824]`,
    );
  });
});

test("eye", async () => {
  expect([...(await eye(2).data())]).toEqual([1, 0, 0, 1]);
  expect([...(await eye(2, 3, { dtype: "u32" }).data())]).toEqual([1, 0, 0, 0, 1, 0]);
  expect(eye(3, 0).shape).toEqual([3, 0]);
});
