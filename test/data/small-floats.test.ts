import { describe, expect, it } from "vitest";
import { decodeSmallFloats, encodeSmallFloats } from "../../data/formats/small-floats.ts";
import { float32ToHalfBits, halfBitsToFloat32 } from "../../engine/dtype.ts";
import { Xoshiro128 } from "../../data/index.ts";

const random = new Xoshiro128(1);
const allPatterns = Uint16Array.from({ length: 65_536 }, (_, pattern) => pattern);

/** Float32 values spread over all exponents, with many halfway cases. */
const floats = new Float32Array(
  Uint32Array.from({ length: 100_000 }, (_, i) => {
    const bits = random.nextUint32();
    return i % 3 === 0 ? bits : i % 3 === 1 ? bits & 0xfffff000 : bits & 0xffff8000;
  }).buffer,
);

describe("small floats", () => {
  it("decodes binary16 as the engine does, all patterns", () => {
    expect(decodeSmallFloats("F16", allPatterns)).toEqual(
      Float32Array.from(allPatterns, halfBitsToFloat32),
    );
  });

  it("decodes bfloat16 as the upper half of a float32, all patterns", () => {
    const upper = new Float32Array(Uint32Array.from(allPatterns, (bits) => bits << 16).buffer);
    expect(decodeSmallFloats("BF16", allPatterns)).toEqual(upper);
  });

  it("encodes binary16 as the engine does", () => {
    expect(encodeSmallFloats("F16", floats)).toEqual(Uint16Array.from(floats, float32ToHalfBits));
  });

  it.each(["F16", "BF16"] as const)("encodes what it decoded, all patterns of %s", (type) => {
    const values = decodeSmallFloats(type, allPatterns);
    const back = encodeSmallFloats(type, values);
    allPatterns.forEach((pattern, i) => {
      if (!Number.isNaN(values[i])) expect(back[i]).toBe(pattern);
    });
    expect(decodeSmallFloats(type, back)).toEqual(values);
  });

  it("rounds to the nearest bfloat16, ties to even", () => {
    const encoded = encodeSmallFloats("BF16", [
      1 + 2 ** -8,
      1 + 3 * 2 ** -8,
      3.4e38,
      2 ** -134,
      0.1,
    ]);
    expect([...encoded]).toEqual([0x3f80, 0x3f82, 0x7f80, 0, 0x3dcd]);
  });
});
