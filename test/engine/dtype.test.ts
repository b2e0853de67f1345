/** @file Half floats, which JavaScript lacks: every one of the 65,536 there and back, and rounding between them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeHostData,
  encodeHostData,
  float32ToHalfBits,
  halfBitsToFloat32,
} from "../../engine/dtype.ts";
import { tensor } from "../../engine/index.ts";
import { useDevice } from "../device.ts";

const allHalves = Array.from({ length: 65536 }, (_, bits) => bits);

function isNaNPattern(bits: number): boolean {
  return (bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0;
}

describe("half floats on the host", () => {
  test("every half survives the way to f32 and back", () => {
    const changed = allHalves.filter((bits) => {
      const back = float32ToHalfBits(halfBitsToFloat32(bits));
      return isNaNPattern(bits) ? !isNaNPattern(back) : back !== bits;
    });
    expect(changed).toEqual([]);
  });

  test("known values", () => {
    const values = [0, -0, 1, -2, 65504, 2 ** -14, 2 ** -24, 1 / 3, Infinity, -Infinity];
    const bits = [0x0000, 0x8000, 0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x3555, 0x7c00, 0xfc00];
    expect(values.map(float32ToHalfBits)).toEqual(bits);
    expect(float32ToHalfBits(NaN) & 0x7fff).toBeGreaterThan(0x7c00);
  });

  test("a number between two halves goes to the nearer one, a tie to the even one", () => {
    const finite = allHalves.filter((bits) => bits < 0x7bff);
    const wrong = finite.filter((bits) => {
      const low = halfBitsToFloat32(bits);
      const high = halfBitsToFloat32(bits + 1);
      const middle = (low + high) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      return (
        float32ToHalfBits(middle) !== even ||
        float32ToHalfBits(low + (high - low) / 4) !== bits ||
        float32ToHalfBits(low + ((high - low) * 3) / 4) !== bits + 1
      );
    });
    expect(wrong).toEqual([]);
  });

  test("too large is infinity, from the middle between 65504 and 65536 on", () => {
    expect(float32ToHalfBits(65519.99609375)).toBe(0x7bff);
    expect(float32ToHalfBits(65520)).toBe(0x7c00);
    expect(float32ToHalfBits(-1e30)).toBe(0xfc00);
  });

  test("too small is zero with its sign, up to the middle between 0 and the smallest", () => {
    expect(float32ToHalfBits(2 ** -25)).toBe(0x0000);
    expect(float32ToHalfBits(-(2 ** -25))).toBe(0x8000);
    expect(float32ToHalfBits(2 ** -25 * 1.001)).toBe(0x0001);
  });

  test("rounding keeps the order of any two numbers", () => {
    const number = fc.float({ noNaN: true });
    fc.assert(
      fc.property(number, number, (a, b) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        expect(halfBitsToFloat32(float32ToHalfBits(low))).toBeLessThanOrEqual(
          halfBitsToFloat32(float32ToHalfBits(high)),
        );
      }),
      { seed: 1, numRuns: 2000 },
    );
  });
});

describe("host data", () => {
  test.each(["f32", "i32", "u32", "f16"] as const)(
    "%s numbers survive encoding and decoding",
    (dtype) => {
      const values =
        dtype === "u32"
          ? [0, 1, 4294967295]
          : dtype === "i32"
            ? [0, -1, -2147483648]
            : [0, -1.5, NaN, -Infinity];
      expect([
        ...decodeHostData(encodeHostData(values, dtype).buffer, values.length, dtype),
      ]).toEqual(values);
    },
  );
});

describe("half floats on the device", () => {
  const device = useDevice();

  test("every half survives the way to the device and back", async ({ skip }) => {
    skip(!device().has("shader-f16"), "the adapter has no shader-f16");
    const values = Float32Array.from(allHalves, halfBitsToFloat32);
    const read = await tensor(values, { dtype: "f16" }).data();
    const changed = allHalves.filter((bits) => !Object.is(read[bits], values[bits]));
    expect(changed).toEqual([]);
  });

  test("an odd number of halves", async ({ skip }) => {
    skip(!device().has("shader-f16"), "the adapter has no shader-f16");
    expect([...(await tensor([1, 2, 3], { dtype: "f16" }).data())]).toEqual([1, 2, 3]);
  });
});

describe("a device without half floats", () => {
  const device = useDevice({ minimal: true });

  test("refuses them", () => {
    expect(device().has("shader-f16")).toBe(false);
    expect(() =>
      tensor([1], { dtype: "f16", device: device() }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: tensor: this adapter has no f16: the feature shader-f16 is missing. Use f32]`,
    );
  });
});
