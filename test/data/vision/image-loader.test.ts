/** @file ImageLoader: order, chance, what is loaded ahead, errors in the middle, and who frees what. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  augTransforms,
  ImageLoader,
  loadPixels,
  Normalize,
  RandomErasing,
  RandomResizedCrop,
  Resize,
  Xoshiro128,
  type Batch,
  type BatchTransform,
  type ImageLoaderOptions,
  type ImageSource,
  type LoadImage,
} from "../../../data/index.ts";
import { mul, UseAfterFreeError, type Tensor } from "../../../engine/index.ts";
import { useDevice } from "../../device.ts";
import { plain } from "./images.ts";

const device = useDevice();

/** Source `i` is called `i` and becomes a pixel of the colour (i, random byte, 0 or 1 for training). */
const fakeLoad: LoadImage = (source, _, { random, training }) =>
  Promise.resolve(plain(1, 1, [Number(source), random.below(256), training ? 1 : 0]));

function loaderOf(count: number, options: Partial<ImageLoaderOptions> = {}) {
  const { items = Array.from({ length: count }, (_, i) => String(i)) } = options;
  return new ImageLoader({
    items,
    labels: Int32Array.from(items, (_, i) => 100 + i),
    ...{ load: fakeLoad, itemTfms: [], batchTfms: () => [], training: true, batchSize: 4 },
    ...options,
  });
}

/** Pixels in bytes, and labels, batch by batch. */
async function epochOf(loader: ImageLoader, epoch: number) {
  const batches: { pixels: number[]; labels: number[] }[] = [];
  for await (const { x, y, size } of loader.epoch(epoch)) {
    expect(x.toString()).toBe(`Tensor(f32[${size}, 1, 1, 3])`);
    expect(y.toString()).toBe(`Tensor(i32[${size}])`);
    batches.push({
      pixels: Array.from(await x.data(), (value) => Math.round(255 * value)),
      labels: [...(await y.data())],
    });
  }
  return batches;
}

describe("ImageLoader", () => {
  it("gives images as fractions of 255, with their labels", async () => {
    const loader = loaderOf(3, { batchSize: 2, training: false });
    const first = await loader.oneBatch();
    const pixels = await first.x.data();
    expect([pixels[0], pixels[2]]).toEqual([0, 0]);
    expect(pixels[3]).toBeCloseTo(1 / 255, 7);
    expect([...(await first.y.data())]).toEqual([100, 101]);
    first.x.release();
    first.y.release();
  });

  it("unpacks every byte", async () => {
    const data = Uint8Array.from({ length: 17 * 15 * 3 }, (_, i) => i % 256);
    const items = [
      { width: 17, height: 15, data },
      { width: 17, height: 15, data: data.toReversed() },
    ];
    const { x, y } = await loaderOf(0, { items, load: loadPixels }).oneBatch();
    const expected = [...data, ...data.toReversed()];
    const found = await x.data();
    expect(found.length).toBe(expected.length);
    expected.forEach((byte, i) => {
      expect(Math.abs((found[i] ?? NaN) - byte / 255)).toBeLessThan(1e-7);
    });
    expect([...(await y.data())]).toEqual([100, 101]);
  });

  it("shuffles by seed and epoch, drops what is asked, and keeps labels with their images", async () => {
    const loader = loaderOf(10, { shuffle: true, seed: 3, dropLast: true });
    expect([loader.length, loader.datasetSize]).toEqual([2, 10]);
    const [one, again, other] = [
      await epochOf(loader, 1),
      await epochOf(loader, 1),
      await epochOf(loader, 2),
    ];
    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
    for (const { pixels, labels } of one) {
      expect(labels).toEqual(pixels.filter((_, i) => i % 3 === 0).map((i) => i + 100));
    }
    expect((await epochOf(loaderOf(10), 0)).map(({ labels }) => labels.length)).toEqual([4, 4, 2]);
  });

  it("gives the same epoch however long each image takes and however many are loaded at a time", async () => {
    const slow: LoadImage = async (source, ...rest) => {
      await sleep((Number(source) * 7919) % 13);
      return fakeLoad(source, ...rest);
    };
    const options = { shuffle: true, seed: 5 };
    const expected = await epochOf(loaderOf(11, options), 4);
    expect(await epochOf(loaderOf(11, { ...options, load: slow }), 4)).toEqual(expected);
    const alone = { ...options, load: slow, numWorkers: 1, prefetch: 0 };
    expect(await epochOf(loaderOf(11, alone), 4)).toEqual(expected);
  });

  it("gives each image other random numbers in each epoch", async () => {
    const loader = loaderOf(4);
    const bytes = async (epoch: number) =>
      (await epochOf(loader, epoch)).flatMap(({ pixels }) => pixels.filter((_, i) => i % 3 === 1));
    const all = [...(await bytes(0)), ...(await bytes(1)), ...(await bytes(2))];
    expect(new Set(all).size).toBeGreaterThan(8);
  });

  it("counts epochs by itself in a plain loop", async () => {
    const loader = loaderOf(8, { shuffle: true, batchSize: 8 });
    const seen: number[][] = [];
    for (let i = 0; i < 2; i++) for await (const { y } of loader) seen.push([...(await y.data())]);
    expect(loader.nextEpoch).toBe(2);
    expect(seen[0]?.map((label) => label - 100)).toEqual([...loader.order(0)]);
    expect(seen[1]?.map((label) => label - 100)).toEqual([...loader.order(1)]);
  });

  it("has a fingerprint of its images and their order, wherever the folder lies", () => {
    const items = ["here/a.jpg", "here/b.jpg"];
    const { fingerprint } = loaderOf(0, { items });
    expect(fingerprint).toMatchInlineSnapshot(
      `"2 samples, batches of 4, in order, seed 0, contents 19a06493"`,
    );
    expect(loaderOf(0, { items: ["there\\x\\a.jpg", "b.jpg"] }).fingerprint).toBe(fingerprint);
    const others: Partial<ImageLoaderOptions>[] = [
      { items: items.toReversed() },
      { items, labels: Int32Array.of(101, 100) },
      { items, seed: 2 },
      { items: [plain(2, 2, [1, 2, 3]), plain(2, 2, [1, 2, 3])] },
      { items: [plain(2, 2, [1, 2, 3]), plain(2, 2, [1, 2, 4])] },
      { items: [Uint8Array.of(1, 2), Uint8Array.of(2)] },
    ];
    const found = others.map((other) => loaderOf(0, other).fingerprint);
    expect(new Set([fingerprint, ...found]).size).toBe(7);
  });

  it("refuses numbers that make no sense", () => {
    expect(() => loaderOf(1, { batchSize: 0 })).toThrow(
      "the batch size is not a whole number >= 1: 0",
    );
    expect(() => loaderOf(1, { numWorkers: 0.5 })).toThrow("the numWorkers is not");
    expect(() => loaderOf(1, { prefetch: -1 })).toThrow(
      "the prefetch is not a whole number >= 0: -1",
    );
    expect(() => loaderOf(1, { seed: -1 })).toThrow("the seed");
    expect(() => loaderOf(1, { labels: new Int32Array(2) })).toThrow(
      "items and labels differ in number: 1 and 2",
    );
  });
});

/** A loader of images that end when they are told to. */
function countingLoad() {
  const counts = { begun: 0, running: 0, most: 0 };
  const load: LoadImage = async (...args) => {
    counts.begun++;
    counts.most = Math.max(counts.most, ++counts.running);
    await sleep(1);
    counts.running--;
    return fakeLoad(...args);
  };
  return { counts, load };
}

describe("loading ahead", () => {
  it("has a bounded number of images in flight and of batches ahead", async () => {
    const { counts, load } = countingLoad();
    const loader = loaderOf(40, { load, numWorkers: 3, prefetch: 2 });
    const epoch = loader.epoch(0);
    await epoch.next();
    await sleep(100);
    expect(counts).toEqual({ begun: 12, running: 0, most: 3 });
    await epoch.next();
    await sleep(100);
    expect(counts.begun).toBe(16);
    await epoch.return();
  });

  it("goes on while the loop waits for something else", async () => {
    const { counts, load } = countingLoad();
    for await (const batch of loaderOf(12, { load, prefetch: 1 }).epoch(0)) {
      expect(batch.size).toBe(4);
      await sleep(60);
      expect(counts.running).toBe(0);
    }
    expect(counts.begun).toBe(12);
  });

  it("stops when the loop is left early, and leaves nothing running and no memory taken", async () => {
    const { counts, load } = countingLoad();
    const before = device().memory().liveBytes;
    for await (const batch of loaderOf(400, { load, numWorkers: 2, prefetch: 50 }).epoch(0)) {
      expect(batch.size).toBe(4);
      break;
    }
    expect(counts.running).toBe(0);
    const { begun } = counts;
    await sleep(50);
    expect(counts.begun).toBe(begun);
    expect(begun).toBeLessThan(40);
    expect(device().memory().liveBytes).toBe(before);
  });
});

describe("an epoch from a batch on", () => {
  it("has the batches of the whole epoch, augmentation included, and decodes no others", async () => {
    const random = new Xoshiro128(1);
    const items = Array.from({ length: 10 }, () => ({
      ...{ width: 9, height: 8 },
      data: Uint8Array.from({ length: 9 * 8 * 3 }, () => random.below(256)),
    }));
    const loaded: ImageSource[] = [];
    const load: LoadImage = (source, ...rest) => {
      loaded.push(source);
      return loadPixels(source, ...rest);
    };
    const loader = loaderOf(0, {
      ...{ items, load, shuffle: true, seed: 6, itemTfms: [new RandomResizedCrop(8)] },
      batchTfms: () => [...augTransforms({ size: 6 }), new RandomErasing({ p: 1 })],
    });
    const contents = async (batches: AsyncIterable<Batch>) => {
      const found: number[][] = [];
      for await (const { x, y } of batches) found.push([...(await x.data()), ...(await y.data())]);
      return found;
    };
    const whole = await contents(loader.epoch(2));
    expect(whole).toHaveLength(3);
    for (const start of [0, 1, 2, 3]) {
      loaded.length = 0;
      expect(await contents(loader.epochFrom(2, start))).toEqual(whole.slice(start));
      const left = [...loader.order(2)].slice(4 * start);
      expect(loaded.map((source) => items.findIndex((item) => item === source))).toEqual(left);
    }
  });
});

describe("errors in the middle", () => {
  const failing =
    (bad: readonly string[]): LoadImage =>
    async (source, ...rest) => {
      // The later of two bad images is found first.
      await sleep(source === bad[0] ? 30 : 1);
      if (typeof source === "string" && bad.includes(source)) throw new Error("no image");
      return fakeLoad(source, ...rest);
    };

  it("name the first bad image, after the batches before it", async () => {
    const before = device().memory().liveBytes;
    const loader = loaderOf(20, { load: failing(["5", "6"]) });
    const labels: number[] = [];
    const run = async () => {
      for await (const { y } of loader.epoch(0)) labels.push(...(await y.data()));
    };
    await expect(run()).rejects.toThrow("ImageLoader: 5 cannot be loaded: no image");
    expect(labels).toEqual([100, 101, 102, 103]);
    expect(device().memory().liveBytes).toBe(before);
    await expect(loaderOf(4, { load: failing(["2"]) }).oneBatch()).rejects.toThrow("2 cannot be");
  });

  it("do not matter when nobody asks for the image", async () => {
    const loader = loaderOf(20, { load: failing(["5"]) });
    for await (const batch of loader.epoch(0)) {
      await sleep(60);
      expect(batch.size).toBe(4);
      break;
    }
  });

  it("say which images differ in size", async () => {
    const items = [plain(4, 4, [0, 0, 0]), plain(4, 3, [0, 0, 0])];
    await expect(loaderOf(0, { items, load: loadPixels }).oneBatch()).rejects.toThrow(
      "the images of a batch differ in size: image 0 (4 x 4 pixels) has 4 x 4 pixels, image 1 (4 x 3 pixels) 4 x 3. Bring them to one size, for example by itemTfms: [new Resize(224)]",
    );
    const { x } = await loaderOf(0, {
      items,
      load: loadPixels,
      itemTfms: [new Resize(2)],
    }).oneBatch();
    expect(x.shape).toEqual([2, 2, 2, 3]);
    await expect(loaderOf(0).oneBatch()).rejects.toThrow("the loader has 0 images");
    const wrong = [{ width: 2, height: 2, data: new Uint8Array(4) }];
    await expect(loaderOf(0, { items: wrong, load: loadPixels }).oneBatch()).rejects.toThrow(
      "4 bytes are no picture of 2 x 2 pixels",
    );
    await expect(loaderOf(1, { load: loadPixels }).oneBatch()).rejects.toThrow(
      "only pixels can be loaded here, not 0",
    );
  });
});

/** Writes down when it ran, and doubles. */
function doubling(
  name: string,
  order: number,
  trainingOnly: boolean,
  log: string[],
): BatchTransform {
  return {
    ...{ name, order, trainingOnly, settings: {} },
    apply: (x, random) => {
      log.push(`${name} ${random.nextUint32()}`);
      return mul(x, 2);
    },
  };
}

describe("transforms of batches", () => {
  it("run in their order, in validation only those that are for it, with repeatable chance", async () => {
    const log: string[] = [];
    const batchTfms = () => [doubling("b", 40, true, log), doubling("a", 30, false, log)];
    const train = loaderOf(8, { batchTfms });
    const valid = loaderOf(8, { batchTfms, training: false });
    expect(train.batchTfms.map(({ name }) => name)).toEqual(["a", "b"]);
    const once = await epochOf(train, 1);
    expect(once[0]?.pixels[3]).toBe(4);
    const first = [...log];
    await epochOf(train, 1);
    expect(log.slice(first.length)).toEqual(first);
    expect(new Set(first.map((line) => line.slice(2))).size).toBe(4);
    log.length = 0;
    expect((await epochOf(valid, 0))[0]?.pixels[3]).toBe(2);
    expect(log.map((line) => line[0])).toEqual(["a", "a"]);
  });

  it("normalise each channel", async () => {
    const stats = { mean: [0.25, 0.5, 0.75], std: [0.5, 0.25, 2] };
    const items = [plain(2, 1, [255, 0, 51])];
    const batchTfms = () => [new Normalize(stats)];
    const { x } = await loaderOf(0, { items, load: loadPixels, batchTfms }).oneBatch();
    const found = await x.data();
    [1.5, -2, -0.275, 1.5, -2, -0.275].forEach((value, i) => {
      expect(found[i]).toBeCloseTo(value, 6);
    });
    expect(() => new Normalize({ mean: [0], std: [0] })).toThrow("mean and std do not fit");
    const grey = () => [new Normalize({ mean: [0], std: [1] })];
    await expect(loaderOf(1, { batchTfms: grey }).oneBatch()).rejects.toThrow(
      "statistics of 1 channels for images of shape [1, 1, 1, 3]",
    );
  });

  it("leave nothing behind when they throw", async () => {
    const failing = { ...doubling("a", 50, false, []), name: "failing" };
    const apply = () => {
      throw new Error("no transform");
    };
    const batchTfms = () => [doubling("a", 1, false, []), { ...failing, apply }];
    const before = device().memory().liveBytes;
    await expect(loaderOf(4, { batchTfms }).epoch(0).next()).rejects.toThrow("no transform");
    expect(device().memory().liveBytes).toBe(before);
  });

  it("leave nothing behind, and batches end when the next one is asked for", async () => {
    const batchTfms = () => [
      doubling("a", 1, false, []),
      new Normalize({ mean: [0, 0, 0], std: [1, 1, 1] }),
    ];
    const before = device().memory().liveBytes;
    let last: Tensor | undefined;
    for await (const { x } of loaderOf(12, { batchTfms }).epoch(0)) {
      if (last !== undefined) expect(() => last?.memory("test")).toThrow(UseAfterFreeError);
      last = x;
    }
    expect(last?.isFreed).toBe(true);
    expect(device().memory().liveBytes).toBe(before);
  });
});
