import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeIdx, encodeIdx, type IdxArray } from "../../data/index.ts";
import { ArgumentError } from "../../engine/index.ts";

const typedArrays = [
  Uint8Array,
  Int8Array,
  Int16Array,
  Int32Array,
  Float32Array,
  Float64Array,
] as const;

/** Any IDX array of up to 4 axes. */
const idxArrays: fc.Arbitrary<IdxArray> = fc
  .tuple(
    fc.constantFrom(...typedArrays),
    fc.array(fc.nat({ max: 5 }), { maxLength: 4 }),
    fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
  )
  .map(([ArrayType, shape, bytes]) => {
    const size = shape.reduce((product, axis) => product * axis, 1);
    const data = Uint8Array.from([...bytes.take(size * ArrayType.BYTES_PER_ELEMENT)]);
    return { shape, data: new ArrayType(data.buffer) };
  });

describe("IDX", () => {
  it("reads bytes as the format's description lays them out", () => {
    const file = Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255);
    expect(decodeIdx(file)).toEqual({ shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 255) });
  });

  it("reads big-endian elements of every type", () => {
    const read = (code: number, ...bytes: number[]) =>
      decodeIdx(Uint8Array.of(0, 0, code, 1, 0, 0, 0, 1, ...bytes)).data;
    expect(read(0x08, 0xff)).toEqual(Uint8Array.of(255));
    expect(read(0x09, 0xff)).toEqual(Int8Array.of(-1));
    expect(read(0x0b, 0xff, 0xfe)).toEqual(Int16Array.of(-2));
    expect(read(0x0c, 0, 1, 0, 0)).toEqual(Int32Array.of(65536));
    expect(read(0x0d, 0x3f, 0xc0, 0, 0)).toEqual(Float32Array.of(1.5));
    expect(read(0x0e, 0xc0, 0x04, 0, 0, 0, 0, 0, 0)).toEqual(Float64Array.of(-2.5));
  });

  it("writes the bytes that it reads", () => {
    expect(encodeIdx({ shape: [2], data: Int16Array.of(1, -2) })).toEqual(
      Uint8Array.of(0, 0, 0x0b, 1, 0, 0, 0, 2, 0, 1, 0xff, 0xfe),
    );
  });

  it("gives back every array, bit by bit", () => {
    fc.assert(
      fc.property(idxArrays, (array) => {
        const back = decodeIdx(encodeIdx(array));
        expect(back.shape).toEqual(array.shape);
        expect(back.data.constructor).toBe(array.data.constructor);
        expect(new Uint8Array(back.data.buffer)).toEqual(new Uint8Array(array.data.buffer));
      }),
    );
  });

  it("reads from the middle of a larger buffer, without sharing it", () => {
    const file = encodeIdx({ shape: [2], data: Float64Array.of(1.5, -2.5) });
    const larger = new Uint8Array(file.length + 8);
    larger.set(file, 3);
    const { data } = decodeIdx(larger.subarray(3, 3 + file.length));
    larger.fill(0);
    expect(data).toEqual(Float64Array.of(1.5, -2.5));
  });

  it("refuses every file that is cut short or too long", () => {
    fc.assert(
      fc.property(idxArrays, fc.nat(), (array, cut) => {
        const file = encodeIdx(array);
        expect(() => decodeIdx(file.subarray(0, cut % file.length))).toThrow(ArgumentError);
        expect(() => decodeIdx(Uint8Array.of(...file, 0))).toThrow(ArgumentError);
      }),
    );
  });

  it("reads arbitrary bytes as an array or refuses them, nothing else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const file = Uint8Array.of(0, 0, ...bytes);
        try {
          const { shape, data } = decodeIdx(file);
          expect(encodeIdx({ shape, data })).toEqual(file);
        } catch (error) {
          expect(error).toBeInstanceOf(ArgumentError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("says what is wrong", () => {
    const message = (...bytes: number[]) => {
      try {
        return decodeIdx(Uint8Array.from(bytes)).shape;
      } catch (error) {
        return error instanceof Error ? error.message : error;
      }
    };
    expect(message()).toMatchInlineSnapshot(
      `"decodeIdx: the IDX file does not begin with two zero bytes, a type and a rank: it is empty. Pass the bytes of an IDX file, for example train-images-idx3-ubyte"`,
    );
    expect(message(0x1f, 0x8b, 8, 8)).toMatchInlineSnapshot(
      `"decodeIdx: the IDX file does not begin with two zero bytes, a type and a rank: it begins with 1f 8b 08 08. It is compressed: gunzip it first"`,
    );
    expect(message(0x50, 0x4b, 3, 4)).toMatchInlineSnapshot(
      `"decodeIdx: the IDX file does not begin with two zero bytes, a type and a rank: it begins with 50 4b 03 04. Pass the bytes of an IDX file, for example train-images-idx3-ubyte"`,
    );
    expect(message(0, 0, 10, 1, 0, 0, 0, 0)).toMatchInlineSnapshot(
      `"decodeIdx: the IDX file has an unknown element type: 0x0a. Known are 0x08 (u8), 0x09 (i8), 0x0b (i16), 0x0c (i32), 0x0d (f32), 0x0e (f64)"`,
    );
    expect(message(0, 0, 8, 3, 0, 0, 0, 1)).toMatchInlineSnapshot(
      `"decodeIdx: the IDX file is cut short: 8 bytes, the sizes of 3 axes end at byte 16. Copy or download it again"`,
    );
    expect(message(0, 0, 8, 1, 0, 0, 0, 3, 1, 2)).toMatchInlineSnapshot(
      `"decodeIdx: the IDX file is cut short: 10 bytes, but [3] elements of 1 bytes need 11. Copy or download it again"`,
    );
    expect(message(0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3, 4)).toMatchInlineSnapshot(
      `"decodeIdx: the IDX file is too long: 12 bytes, but [3] elements of 1 bytes need 11. Copy or download it again"`,
    );
    expect(message(0, 0, 14, 2, 255, 255, 255, 255, 255, 255, 255, 255)).toMatchInlineSnapshot(
      `"decodeIdx: the IDX file is cut short: 12 bytes, but [4294967295, 4294967295] elements of 8 bytes need 147573952520956940000. Copy or download it again"`,
    );
  });

  it("refuses to write what the format cannot hold", () => {
    const data = new Uint8Array(3);
    expect(() => encodeIdx({ shape: [2], data })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: encodeIdx: 3 values do not fill the shape [2]. Pass 2 values or correct the shape]`,
    );
    expect(() => encodeIdx({ shape: [-1], data })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: encodeIdx: the shape does not fit the format: [-1]. Use at most 255 axes with sizes from 0 to 4294967295]`,
    );
    const clamped = { shape: [3], data: new Uint8ClampedArray(3) };
    // @ts-expect-error clamped bytes are no element type of IDX
    expect(() => encodeIdx(clamped)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: encodeIdx: IDX has no element type for Uint8ClampedArray. Convert to Uint8Array, Int8Array, Int16Array, Int32Array, Float32Array or Float64Array]`,
    );
  });
});
