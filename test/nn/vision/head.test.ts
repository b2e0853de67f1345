/** @file Heads: positions, names and initial values of fastai's, every option, and the layers that only heads have. */
import { describe, expect, test } from "vitest";
import { noGrad, randomNormal, tensor, zeros } from "../../../engine/index.ts";
import {
  AdaptiveConcatPool2d,
  constant,
  createHead,
  exportStateDict,
  SigmoidRange,
  type HeadOptions,
  type HostState,
} from "../../../nn/index.ts";
import { useDevice } from "../../device.ts";
import { expectClose } from "../../numeric.ts";

useDevice();

const sizes = { inFeatures: 8, numClasses: 3 };

/** The layers by position, as `toString` prints them. */
function layersOf(options: Partial<HeadOptions> = {}): string[] {
  return Array.from(createHead({ ...sizes, ...options }), String);
}

/** The values that a tensor has, each once. */
function valuesOf(state: ReadonlyMap<string, HostState>, name: string): number[] {
  return [...new Set(Array.from(state.get(name)?.data ?? [], Number))];
}

describe("createHead", () => {
  test("without options: pooling twice, two norms, two dropouts, two linear layers", () => {
    expect(layersOf()).toEqual([
      "AdaptiveConcatPool2d()",
      "Flatten(startAxis=1, endAxis=-1)",
      "BatchNorm1d(numFeatures=16, eps=0.00001, momentum=0.1)",
      "Dropout(p=0.25)",
      "Linear(inFeatures=16, outFeatures=512, bias=false)",
      "ReLU()",
      "BatchNorm1d(numFeatures=512, eps=0.00001, momentum=0.1)",
      "Dropout(p=0.5)",
      "Linear(inFeatures=512, outFeatures=3, bias=false)",
    ]);
  });

  test("starts with Kaiming-normal weights, and norms of weight 1 and bias 0.001", async () => {
    const state = await exportStateDict(createHead({ inFeatures: 512, numClasses: 200 }));
    const names = ["2.weight", "2.bias", "4.weight", "6.weight", "6.bias", "8.weight"];
    expect([...state.keys()].filter((name) => !/running|num_/.test(name))).toEqual(names);
    const deviation = (name: string): number => {
      const values = Float64Array.from(state.get(name)?.data ?? [], Number);
      return Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
    };
    expect(deviation("4.weight") / Math.sqrt(2 / 1024)).toBeCloseTo(1, 1.7);
    expect(deviation("8.weight") / Math.sqrt(2 / 512)).toBeCloseTo(1, 1.7);
    for (const norm of ["2", "6"]) {
      expect(valuesOf(state, `${norm}.weight`)).toEqual([1]);
      expect(valuesOf(state, `${norm}.bias`)).toEqual([Math.fround(1e-3)]);
    }
  });

  test("linFtrs, ps, concatPool, bnFinal and yRange", () => {
    expect(layersOf({ linFtrs: [], ps: 0, concatPool: false })).toEqual([
      "AdaptiveAvgPool2d(outputSize=1)",
      "Flatten(startAxis=1, endAxis=-1)",
      "BatchNorm1d(numFeatures=8, eps=0.00001, momentum=0.1)",
      "Linear(inFeatures=8, outFeatures=3, bias=false)",
    ]);
    const long = { linFtrs: [6, 4], ps: [0.1, 0.2, 0.3], bnFinal: true, yRange: [0, 5] } as const;
    expect(layersOf({ ...long, pool: false, firstBn: false })).toEqual([
      ...["Dropout(p=0.1)", "Linear(inFeatures=8, outFeatures=6, bias=true)", "ReLU()"],
      "BatchNorm1d(numFeatures=6, eps=0.00001, momentum=0.1)",
      ...["Dropout(p=0.2)", "Linear(inFeatures=6, outFeatures=4, bias=false)", "ReLU()"],
      "BatchNorm1d(numFeatures=4, eps=0.00001, momentum=0.1)",
      ...["Dropout(p=0.3)", "Linear(inFeatures=4, outFeatures=3, bias=false)"],
      "BatchNorm1d(numFeatures=3, eps=0.00001, momentum=0.01)",
      "SigmoidRange(low=0, high=5)",
    ]);
  });

  test("linFirst", () => {
    expect(layersOf({ linFirst: true, linFtrs: [6] })).toEqual([
      ...["AdaptiveConcatPool2d()", "Flatten(startAxis=1, endAxis=-1)", "Dropout(p=0.25)"],
      ...["Linear(inFeatures=16, outFeatures=6, bias=false)", "ReLU()"],
      "BatchNorm1d(numFeatures=6, eps=0.00001, momentum=0.1)",
      ...["Dropout(p=0.5)", "Linear(inFeatures=6, outFeatures=3, bias=true)"],
    ]);
  });

  test("init fills the weights of linear layers; their biases are 0", async () => {
    const init: HeadOptions["init"] = (weight) => {
      constant(weight, 0.5);
    };
    const head = createHead({ ...sizes, linFtrs: [], firstBn: false, init });
    const state = await exportStateDict(head);
    expect([...state.keys()]).toEqual(["3.weight", "3.bias"]);
    expect(valuesOf(state, "3.weight")).toEqual([0.5]);
    expect(valuesOf(state, "3.bias")).toEqual([0]);
  });

  test("images to logits", () => {
    const head = createHead(sizes).eval();
    expect(noGrad(() => head.forward(randomNormal([2, 3, 5, 8]))).shape).toEqual([2, 3]);
  });

  test("refuses sizes that do not fit", () => {
    expect(() => createHead({ ...sizes, ps: [0.1, 0.2, 0.3] })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: createHead: ps has 3 numbers for 2 linear layers: [0.1, 0.2, 0.3]. Pass one number, or one for each linear layer]`,
    );
    expect(() => createHead({ ...sizes, numClasses: 0.5 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: createHead: numClasses is not a whole number >= 1: 0.5. Pass a whole number]`,
    );
  });
});

test("AdaptiveConcatPool2d has the maxima before the means", async () => {
  const x = tensor([1, 10, 2, 20, 3, 60, -4, 30], { shape: [1, 2, 2, 2] });
  const out = new AdaptiveConcatPool2d().forward(x);
  expect(out.shape).toEqual([1, 1, 1, 4]);
  expect([...(await out.data())]).toEqual([3, 60, 0.5, 30]);
});

test("SigmoidRange lies between its bounds, and wants two", async () => {
  const out = new SigmoidRange(-1, 3).forward(tensor([-100, 0, Math.log(3), 100]));
  expectClose(await out.data(), [-1, 1, 2, 3], 1e-6, "SigmoidRange");
  expect(() => new SigmoidRange(2, 2).forward(zeros([1]))).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: SigmoidRange: the bounds are no range: 2 to 2. Pass finite numbers, the lower one first]`,
  );
});
