import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ArrayDataset,
  DataLoader,
  normalize,
  type Batch,
  type Dataset,
  type Transform,
} from "../../data/index.ts";
import { UseAfterFreeError } from "../../engine/index.ts";
import { useDevice } from "../device.ts";

/** Sample `i` has the pixels `i` and `i + 1` and the label `i`. */
function counting(length: number) {
  const numbers = Uint8Array.from({ length }, (_, i) => i);
  return new ArrayDataset({
    x: { shape: [length, 1, 2, 1], data: Uint8Array.from([...numbers].flatMap((i) => [i, i + 1])) },
    y: { shape: [length], data: numbers },
  });
}

const device = useDevice();

/** Labels of an epoch, batch by batch. */
async function labelsOf(loader: DataLoader, epoch: number): Promise<number[][]> {
  const labels: number[][] = [];
  for (const { y, size } of loader.epoch(epoch)) {
    const batch = [...(await y.data())];
    expect(batch.length).toBe(size);
    labels.push(batch);
  }
  return labels;
}

describe("DataLoader", () => {
  it("gives one batch that outlives the iteration", async () => {
    const loader = new DataLoader({ dataset: counting(8), batchSize: 3, shuffle: true, seed: 1 });
    const batch = loader.oneBatch();
    const [firstLabels] = await labelsOf(loader, 0);
    expect([...(await batch.y.data())]).toEqual(firstLabels);
    expect(batch.size).toBe(3);
    expect(() => new DataLoader({ dataset: counting(0) }).oneBatch()).toThrow(/there is no batch/);
  });

  it("gives images as f32 and labels as i32", async () => {
    const transform = normalize({ mean: [0.5], std: [0.5] });
    const loader = new DataLoader({ dataset: counting(3), batchSize: 2, transform });
    for (const { x, y } of loader) {
      expect(x.toString()).toBe(`Tensor(f32[${y.size}, 1, 2, 1])`);
      expect(y.toString()).toBe(`Tensor(i32[${y.size}])`);
      const labels = [...(await y.data())];
      const expected = labels.flatMap((i) => [i, i + 1]).map((byte) => byte / 127.5 - 1);
      expect(await x.data()).toEqual(Float32Array.from(expected));
    }
  });

  it("counts batches, with and without the last one that is not full", async () => {
    const dataset = counting(10);
    const all = new DataLoader({ dataset, batchSize: 4 });
    expect([all.length, all.datasetSize]).toEqual([3, 10]);
    expect(await labelsOf(all, 0)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    const full = new DataLoader({ dataset, batchSize: 4, dropLast: true });
    expect([full.length, full.datasetSize]).toEqual([2, 10]);
    expect(await labelsOf(full, 0)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
  });

  it("divides bytes by 255 when nothing else makes them floats", async () => {
    for (const { x } of new DataLoader({ dataset: counting(1) })) {
      expect(await x.data()).toEqual(Float32Array.of(0, 1 / 255));
    }
  });

  it("gives an epoch's order by seed and epoch alone", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat({ max: 1000 }), (seed, epoch) => {
        const order = (s: number, e: number) => [
          ...new DataLoader({ dataset: counting(40), shuffle: true, seed: s }).order(e),
        ];
        expect(order(seed, epoch)).toEqual(order(seed, epoch));
        expect(order(seed, epoch)).not.toEqual(order(seed, epoch + 1));
        expect([...order(seed, epoch)].sort((a, b) => a - b)).toEqual(
          order(0, 0).sort((a, b) => a - b),
        );
      }),
      { numRuns: 30 },
    );
  });

  it("pins the order of seed 42, epoch 0, on every machine", () => {
    const loader = new DataLoader({ dataset: counting(12), shuffle: true, seed: 42 });
    expect([...loader.order(0)].join(" ")).toMatchInlineSnapshot(`"10 1 8 5 6 9 11 0 2 7 4 3"`);
    expect([...loader.order(1)].join(" ")).toMatchInlineSnapshot(`"3 2 10 6 7 5 1 8 11 4 0 9"`);
  });

  it("loads the order that it states, and goes to the next epoch by itself", async () => {
    const options = { dataset: counting(9), batchSize: 4, shuffle: true, seed: 5 };
    const loader = new DataLoader(options);
    const resumed = new DataLoader(options);
    resumed.nextEpoch = 1;
    for (let epoch = 0; epoch < 2; epoch++) {
      const labels: number[] = [];
      for (const { y } of epoch === 0 ? loader : resumed) labels.push(...(await y.data()));
      expect(labels).toEqual([...loader.order(epoch)]);
    }
    expect([loader.nextEpoch, resumed.nextEpoch]).toEqual([1, 2]);
  });

  it("gives transforms chance that an epoch's repetition repeats", async () => {
    const noise: Transform = ({ shape, data }, random) => ({
      shape,
      data: Float32Array.from(data, () => random.uniform()),
    });
    const options = { dataset: counting(4), batchSize: 2, seed: 3, transform: [noise] };
    const pixels = async (epoch: number) => {
      const values: number[] = [];
      for (const { x } of new DataLoader(options).epoch(epoch)) values.push(...(await x.data()));
      return values;
    };
    expect(await pixels(0)).toEqual(await pixels(0));
    expect(await pixels(0)).not.toEqual(await pixels(1));
  });

  it("begins within an epoch with the batches that the whole epoch has there", async () => {
    const noise: Transform = ({ shape, data }, random) => ({
      shape,
      data: Float32Array.from(data, (value) => value + random.uniform()),
    });
    const gathered: number[] = [];
    const dataset = counting(9);
    const watched: Dataset = {
      length: dataset.length,
      gather: (indices) => {
        gathered.push(...indices);
        return dataset.gather(indices);
      },
    };
    const loader = new DataLoader({
      ...{ dataset: watched, batchSize: 2, shuffle: true, seed: 8, transform: noise },
    });
    const contents = async (batches: Iterable<Batch>) => {
      const found: number[][] = [];
      for (const { x, y } of batches) found.push([...(await x.data()), ...(await y.data())]);
      return found;
    };
    const whole = await contents(loader.epoch(3));
    expect(whole).toHaveLength(5);
    for (const start of [0, 1, 4, 5]) {
      gathered.length = 0;
      expect(await contents(loader.epochFrom(3, start))).toEqual(whole.slice(start));
      expect(gathered).toEqual([...loader.order(3)].slice(2 * start));
    }
  });

  it("frees a batch when the next is asked for, at the end, and when the loop is left", async () => {
    const loader = new DataLoader({ dataset: counting(6), batchSize: 2 });
    const before = device().memory().liveBuffers;
    const batches = loader.epoch(0);
    const first = batches.next().value;
    const second = batches.next().value;
    if (first === undefined || second === undefined) throw new Error("two batches expected");
    expect([first.x.isFreed, first.y.isFreed, second.x.isFreed]).toEqual([true, true, false]);
    await expect(first.x.data()).rejects.toThrow(UseAfterFreeError);
    batches.return();
    expect(second.x.isFreed).toBe(true);
    for (const { x } of loader) expect(x.isFreed).toBe(false);
    for (const { x } of loader) if (x.size > 0) break;
    expect(device().memory().liveBuffers).toBe(before);
  });

  it("has a fingerprint of its samples and their order", () => {
    const options = { dataset: counting(10), batchSize: 4, shuffle: true, seed: 5 };
    const { fingerprint } = new DataLoader(options);
    expect(fingerprint).toMatchInlineSnapshot(
      `"10 samples, batches of 4, shuffled by seed 5, contents 5578d0b0"`,
    );
    expect(new DataLoader({ ...options, dataset: counting(10) }).fingerprint).toBe(fingerprint);
    const others = [
      { dataset: counting(11).slice(1) },
      { dataset: counting(11) },
      { seed: 6 },
      { shuffle: false },
      { batchSize: 5 },
      { dropLast: true },
    ];
    const found = others.map((other) => new DataLoader({ ...options, ...other }).fingerprint);
    expect(new Set([fingerprint, ...found]).size).toBe(7);
    expect(new DataLoader({ dataset: counting(0) }).fingerprint).toContain("0 samples");
  });

  it("takes an empty dataset", async () => {
    const loader = new DataLoader({ dataset: counting(0) });
    expect(loader.length).toBe(0);
    expect(await labelsOf(loader, 0)).toEqual([]);
  });

  it("says what is wrong", () => {
    const dataset = counting(3);
    expect(() => new DataLoader({ dataset, batchSize: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: DataLoader: the batch size is not a whole number >= 1: 0. Use 64, for example]`,
    );
    expect(() => new DataLoader({ dataset, batchSize: 1.5 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: DataLoader: the batch size is not a whole number >= 1: 1.5. Use 64, for example]`,
    );
    expect(
      () => new DataLoader({ dataset, batchSize: 4, dropLast: true }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: DataLoader: dropLast leaves no batch: 3 samples do not fill one of 4. Use a smaller batch size, or dropLast: false]`,
    );
    expect(() => new DataLoader({ dataset, seed: -1 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Xoshiro128: the seed is not a whole number >= 0: -1. Use 0 to 2^53 - 1]`,
    );
    const loader = new DataLoader({ dataset });
    expect(() => loader.epoch(-1).next()).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Xoshiro128: the stream is not a whole number >= 0: -1. Use 0 to 2^53 - 1]`,
    );
  });
});
