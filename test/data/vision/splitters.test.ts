/** @file Splits and class orders against values of PyTorch, NumPy, fastai and Python. */
import { describe, expect, it } from "vitest";
import {
  Categorize,
  grandparentSplitter,
  MersenneTwister,
  randomSplitter,
  torchPermutation,
  vocabOf,
} from "../../../data/index.ts";

describe("MersenneTwister", () => {
  it("gives NumPy's words for seed 42", () => {
    const random = new MersenneTwister(42);
    const words = Array.from({ length: 4 }, () => random.nextUint32());
    expect(words).toEqual([1608637542, 3421126067, 4083286876, 787846414]);
  });

  it("gives the 10,000th word that the C++ standard demands of mt19937", () => {
    const random = new MersenneTwister(5489);
    for (let i = 1; i < 10_000; i++) random.nextUint32();
    expect(random.nextUint32()).toBe(4123659995);
  });

  it("refuses what is no seed", () => {
    for (const seed of [-1, 0.5, NaN, 2 ** 32]) {
      expect(() => new MersenneTwister(seed)).toThrow(`not a whole number of 32 bits: ${seed}`);
    }
  });
});

describe("torchPermutation", () => {
  it("is torch.randperm", () => {
    expect([...torchPermutation(10, 42)]).toEqual([2, 6, 1, 8, 4, 5, 0, 9, 3, 7]);
    expect([...torchPermutation(10, 0)]).toEqual([4, 1, 7, 5, 3, 9, 0, 8, 6, 2]);
    expect([...torchPermutation(1, 7)]).toEqual([0]);
    expect([...torchPermutation(0, 7)]).toEqual([]);
    expect(() => torchPermutation(2 ** 32, 1)).toThrow("the count is out of range: 4294967296");
  });
});

describe("randomSplitter", () => {
  it("splits the 7,390 pets as fastai does with seed 42", () => {
    const files = Array.from({ length: 7390 }, (_, i) => String(i));
    const { train, valid } = randomSplitter({ validPct: 0.2, seed: 42 })(files);
    expect(valid.length).toBe(1478);
    expect([...valid.subarray(0, 8)]).toEqual([4512, 4290, 5770, 706, 2200, 4320, 6450, 501]);
    expect([...train.subarray(0, 3)]).toEqual([5643, 5317, 5806]);
    expect(new Set([...train, ...valid]).size).toBe(7390);
  });

  it("refuses fractions and seeds out of range before it sees an item", () => {
    expect(() => randomSplitter({ validPct: 1 })).toThrow("validPct is no fraction from 0 to 1: 1");
    expect(() => randomSplitter({ validPct: NaN })).toThrow("no fraction");
    expect(() => randomSplitter({ seed: -1 })).toThrow("not a whole number");
  });
});

describe("grandparentSplitter", () => {
  it("goes by the folder above the folder, with either slash", () => {
    const items = ["d/train/cat/1.jpg", "d\\valid\\dog\\2.jpg", "d/train/3.jpg", "train/dog/4.jpg"];
    const { train, valid } = grandparentSplitter()(items);
    expect([...train]).toEqual([0, 3]);
    expect([...valid]).toEqual([1]);
    expect([...grandparentSplitter({ train: "d", valid: "x" })(items).train]).toEqual([2]);
  });
});

describe("vocabOf", () => {
  it("orders as Python does", () => {
    expect(vocabOf([true, false, true])).toEqual([false, true]);
    expect(vocabOf(["b", "a", "B", "ä", "Z", "_"])).toEqual(["B", "Z", "_", "a", "b", "ä"]);
    expect(vocabOf(["a", "", "aa"])).toEqual(["", "a", "aa"]);
    expect(vocabOf([10, 9, -1])).toEqual([-1, 9, 10]);
    // U+1F600 has units below those of U+FF21, and is above it.
    expect(vocabOf(["\u{1f600}", "\uff21", "\u{1f600}a"])).toEqual([
      "\uff21",
      "\u{1f600}",
      "\u{1f600}a",
    ]);
  });

  it("refuses labels of several types", () => {
    expect(() => vocabOf(["1", 1])).toThrow("of the types string, number");
    expect(() => vocabOf([NaN])).toThrow("cannot be put in order");
  });
});

describe("Categorize", () => {
  it("names file and label of a class that is not in the vocabulary", () => {
    const map = new Categorize(["cat", "dog"]);
    expect(map.indexOf("dog", "x")).toBe(1);
    expect(() => map.indexOf("cow", "farm/1.jpg")).toThrow(
      'the label "cow" of farm/1.jpg is not among the 2 classes of the training set: cat, dog',
    );
    expect(() => new Categorize(["a", "a"])).toThrow("occurs twice");
  });
});
