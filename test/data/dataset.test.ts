import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ArrayDataset, normalize, toFloat, Xoshiro128 } from "../../data/index.ts";

const dataset = new ArrayDataset({
  x: { shape: [4, 2, 1], data: Uint8Array.of(0, 1, 10, 11, 20, 21, 30, 31) },
  y: { shape: [4], data: Uint8Array.of(9, 8, 7, 6) },
});

describe("ArrayDataset", () => {
  it("gathers samples in the order asked for, also twice", () => {
    const { x, y } = dataset.gather(Uint32Array.of(3, 0, 3));
    expect(x).toEqual({ shape: [3, 2, 1], data: Uint8Array.of(30, 31, 0, 1, 30, 31) });
    expect(y).toEqual({ shape: [3], data: Int32Array.of(6, 9, 6) });
  });

  it("keeps floats floats", () => {
    const floats = new ArrayDataset({
      x: { shape: [2, 1], data: Float32Array.of(0.5, -0.5) },
      y: { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
    });
    const { x, y } = floats.gather(Uint32Array.of(1));
    expect(x).toEqual({ shape: [1, 1], data: Float32Array.of(-0.5) });
    expect(y).toEqual({ shape: [1, 2], data: Float32Array.of(3, 4) });
  });

  it("slices as Array.slice does, sharing memory", () => {
    const labels = [...dataset.y.data];
    const ends = fc.integer({ min: -6, max: 6 });
    fc.assert(
      fc.property(ends, fc.option(ends, { nil: undefined }), (begin, end) => {
        const part = dataset.slice(begin, end);
        expect([...part.y.data]).toEqual(labels.slice(begin, end));
        expect(part.x.shape).toEqual([part.length, 2, 1]);
        expect(part.x.data.buffer).toBe(dataset.x.data.buffer);
      }),
    );
  });

  it("takes no samples at all", () => {
    const none = dataset.slice(4);
    expect(none.length).toBe(0);
    expect(none.gather(new Uint32Array(0)).x.shape).toEqual([0, 2, 1]);
  });

  it("says what is wrong", () => {
    const { x, y } = dataset;
    expect(
      () => new ArrayDataset({ x, y: { shape: [3], data: Uint8Array.of(1, 2, 3) } }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: ArrayDataset: x and y have different numbers of samples: [4, 2, 1] and [3]. Make their first axes equal]`,
    );
    expect(
      () => new ArrayDataset({ x: { ...x, shape: [4, 3, 1] }, y }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: ArrayDataset: 8 values of x do not fill the shape [4, 3, 1]. The first axis counts the samples; correct the shape or the data]`,
    );
    expect(
      () => new ArrayDataset({ x, y: { shape: [], data: Uint8Array.of(1) } }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: ArrayDataset: 1 values of y do not fill the shape []. The first axis counts the samples; correct the shape or the data]`,
    );
    expect(() => dataset.gather(Uint32Array.of(0, 4))).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: ArrayDataset.gather: sample 4 of a dataset of 4. Use indices from 0 to 3]`,
    );
    expect(() => dataset.slice(0.5)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: ArrayDataset.slice: an end is not a whole number: 0.5. Use integers]`,
    );
  });
});

describe("normalize", () => {
  const random = new Xoshiro128(0);

  it("computes (x / 255 - mean) / std of bytes, channel by channel", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.uint8Array({ maxLength: 30 }),
        (channels, bytes) => {
          const pixels = Math.floor(bytes.length / channels);
          const data = bytes.slice(0, pixels * channels);
          const mean = [0.1, 0.5, 0.9].slice(0, channels);
          const std = [0.5, 0.25, 2].slice(0, channels);
          const result = normalize({ mean, std })({ shape: [pixels, channels], data }, random);
          const expected = Float32Array.from(
            data,
            (byte, i) => (byte / 255 - (mean[i % channels] ?? NaN)) / (std[i % channels] ?? NaN),
          );
          expect(result).toEqual({ shape: [pixels, channels], data: expected });
        },
      ),
    );
  });

  it("computes (x - mean) / std of floats", () => {
    const x = { shape: [1, 2], data: Float32Array.of(1, 2) };
    expect(normalize({ mean: [1, 1], std: [1, 0.5] })(x, random).data).toEqual(
      Float32Array.of(0, 2),
    );
  });

  it("carries its statistics, so that a model can be stored with them", () => {
    expect(normalize({ mean: [0.5], std: [0.25] }).stats).toEqual({ mean: [0.5], std: [0.25] });
  });

  it("says what is wrong", () => {
    expect(() => normalize({ mean: [0], std: [1, 1] })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: normalize: mean and std do not fit: [0] and [1, 1]. Give one finite mean and one positive std for each channel]`,
    );
    expect(() => normalize({ mean: [0], std: [0] })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: normalize: mean and std do not fit: [0] and [0]. Give one finite mean and one positive std for each channel]`,
    );
    expect(() => normalize({ mean: [NaN], std: [1] })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: normalize: mean and std do not fit: [NaN] and [1]. Give one finite mean and one positive std for each channel]`,
    );
    expect(() => normalize({ mean: [], std: [] })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: normalize: mean and std do not fit: [] and []. Give one finite mean and one positive std for each channel]`,
    );
    const rgb = { shape: [1, 2, 2, 3], data: new Uint8Array(12) };
    expect(() =>
      normalize({ mean: [0], std: [1] })(rgb, random),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: normalize: statistics of 1 channels for inputs of shape [1, 2, 2, 3]. Give one mean and std for each channel of the last axis]`,
    );
  });
});

describe("toFloat", () => {
  it("divides bytes by 255 and leaves floats alone", () => {
    const floats = { shape: [1], data: Float32Array.of(7) };
    expect(toFloat({ shape: [3], data: Uint8Array.of(0, 51, 255) }).data).toEqual(
      Float32Array.of(0, 0.2, 1),
    );
    expect(toFloat(floats).data).toBe(floats.data);
  });
});
