/** @file Losses against their definitions in float64, their gradients by gradcheck, their limits, and wrong calls. */
import { describe, expect, test } from "vitest";
import {
  backward,
  gradcheck,
  tensor,
  zeros,
  type LossReduction,
  type Tensor,
} from "../../engine/index.ts";
import {
  bceWithLogitsLoss,
  BCEWithLogitsLoss,
  CrossEntropyLoss,
  huberLoss,
  HuberLoss,
  l1Loss,
  L1Loss,
  mseLoss,
  MSELoss,
  smoothL1Loss,
  SmoothL1Loss,
} from "../../nn/index.ts";
import { useDevice } from "../device.ts";
import { seededRandom } from "../inputs.ts";
import { expectClose } from "../numeric.ts";

useDevice();

interface LossCase {
  readonly name: string;
  /** The definition for one element, in float64. */
  readonly reference: (prediction: number, target: number) => number;
  readonly run: (prediction: Tensor, target: Tensor, reduction: LossReduction) => Tensor;
}

const huber = (d: number, delta: number): number =>
  Math.abs(d) <= delta ? (d * d) / 2 : delta * (Math.abs(d) - delta / 2);

const bce = (x: number, y: number, posWeight = 1): number =>
  posWeight * y * Math.log1p(Math.exp(-x)) + (1 - y) * Math.log1p(Math.exp(x));

const cases: readonly LossCase[] = [
  {
    name: "mseLoss",
    reference: (p, t) => (p - t) ** 2,
    run: (p, t, reduction) => mseLoss(p, t, { reduction }),
  },
  {
    name: "l1Loss",
    reference: (p, t) => Math.abs(p - t),
    run: (p, t, reduction) => l1Loss(p, t, { reduction }),
  },
  {
    name: "huberLoss",
    reference: (p, t) => huber(p - t, 1),
    run: (p, t, reduction) => huberLoss(p, t, { reduction }),
  },
  {
    name: "huberLoss, delta 0.3",
    reference: (p, t) => huber(p - t, 0.3),
    run: (p, t, reduction) => huberLoss(p, t, { reduction, delta: 0.3 }),
  },
  {
    name: "smoothL1Loss, beta 0.3",
    reference: (p, t) => huber(p - t, 0.3) / 0.3,
    run: (p, t, reduction) => smoothL1Loss(p, t, { reduction, beta: 0.3 }),
  },
  {
    name: "smoothL1Loss, beta 0",
    reference: (p, t) => Math.abs(p - t),
    run: (p, t, reduction) => smoothL1Loss(p, t, { reduction, beta: 0 }),
  },
  {
    name: "bceWithLogitsLoss",
    reference: (p, t) => bce(p, t),
    run: (p, t, reduction) => bceWithLogitsLoss(p, t, { reduction }),
  },
  {
    name: "bceWithLogitsLoss, posWeight 3",
    reference: (p, t) => bce(p, t, 3),
    run: (p, t, reduction) => bceWithLogitsLoss(p, t, { reduction, posWeight: 3 }),
  },
];

/** Predictions in -2..2 and targets in 0..1, whose differences stay clear of the kinks at 0, 0.3 and 1. */
function makePair(shape: readonly number[]): [Float32Array, Float32Array] {
  const random = seededRandom(11);
  const size = shape.reduce((product, n) => product * n, 1);
  const predictions = new Float32Array(size);
  const targets = new Float32Array(size);
  for (let i = 0; i < size;) {
    const [p, t] = [4 * random() - 2, random()];
    if ([0, 0.3, 1].some((kink) => Math.abs(Math.abs(p - t) - kink) < 0.05)) continue;
    predictions[i] = p;
    targets[i++] = t;
  }
  return [predictions, targets];
}

describe.each(cases)("$name", ({ name, reference, run }) => {
  const shape = [3, 7];
  const [predictions, targets] = makePair(shape);
  const expected = Float64Array.from(predictions, (p, i) => reference(p, targets[i] ?? NaN));
  const total = expected.reduce((sum, value) => sum + value, 0);

  test.each([
    ["none", expected],
    ["sum", [total]],
    ["mean", [total / expected.length]],
  ] as const)("reduction %s", async (reduction, wanted) => {
    const loss = run(tensor(predictions, { shape }), tensor(targets, { shape }), reduction);
    expect(loss.shape).toEqual(reduction === "none" ? shape : []);
    expectClose(await loss.data(), wanted, 1e-5, name);
  });

  test("gradients of prediction and target", async () => {
    const inputs = [tensor(predictions, { shape }), tensor(targets, { shape })];
    const report = await gradcheck((p: Tensor, t: Tensor) => run(p, t, "sum"), inputs);
    expect(report.passed, report.toString()).toBe(true);
  });

  test("the mean of nothing is NaN, the sum 0", async () => {
    const empty = zeros([0]);
    expect(await run(empty, empty, "mean").item()).toBeNaN();
    expect(await run(empty, empty, "sum").item()).toBe(0);
  });
});

describe("bceWithLogitsLoss", () => {
  test("neither overflows for large logits nor loses small losses", async () => {
    const logits = tensor([-200, -20, 20, 200, -200, 200], { requiresGrad: true });
    const target = tensor([0, 0, 1, 1, 1, 0]);
    const losses = bceWithLogitsLoss(logits, target, { reduction: "none" });
    const small = Math.log1p(Math.exp(-20));
    const actual = await losses.data();
    expect([...actual.slice(0, 1), ...actual.slice(3)]).toEqual([0, 0, 200, 200]);
    expect((actual[1] ?? NaN) / small).toBeCloseTo(1, 4);
    expect((actual[2] ?? NaN) / small).toBeCloseTo(1, 4);
    backward(losses, { gradient: tensor([1, 1, 1, 1, 1, 1]) });
    expectClose((await logits.grad?.data()) ?? [], [0, 0, 0, 0, -1, 1], 1e-6, "gradient");
  });

  test("a posWeight for each class", async () => {
    const loss = new BCEWithLogitsLoss({ posWeight: tensor([1, 5]), reduction: "none" });
    const losses = await loss
      .forward(
        zeros([2, 2]),
        tensor([
          [1, 1],
          [0, 1],
        ]),
      )
      .data();
    const ln2 = Math.LN2;
    expectClose(losses, [ln2, 5 * ln2, ln2, 5 * ln2], 1e-6, "losses");
  });
});

describe("NaN and infinity go through", () => {
  test.each([
    ["mseLoss", mseLoss],
    ["l1Loss", l1Loss],
    ["huberLoss", huberLoss],
  ] as const)("%s", async (_name, loss) => {
    const losses = await loss(tensor([NaN, Infinity, 1]), zeros([3]), { reduction: "none" }).data();
    expect(losses[0]).toBeNaN();
    expect(losses[1]).toBe(Infinity);
    expect(losses[2]).toBeGreaterThan(0);
  });
});

describe("as modules", () => {
  test("with PyTorch's names and fixed options", async () => {
    const [p, t] = [tensor([1, 2, 6]), tensor([1, 4, 3])];
    expect(await new MSELoss().forward(p, t).item()).toBeCloseTo(13 / 3, 5);
    expect(await new MSELoss({ reduction: "sum" }).forward(p, t).item()).toBe(13);
    expect(await new L1Loss({ reduction: "sum" }).forward(p, t).item()).toBe(5);
    expect(await new HuberLoss({ reduction: "sum", delta: 2 }).forward(p, t).item()).toBe(2 + 4);
    expect(await new SmoothL1Loss({ reduction: "sum", beta: 2 }).forward(p, t).item()).toBe(1 + 2);
  });

  test("CrossEntropyLoss passes its options on", async () => {
    const logits = tensor([
      [2, 0, -1],
      [0, 1, 0],
    ]);
    const labels = tensor(new Int32Array([0, 2]));
    const logSumExp = [
      [2, 0, -1],
      [0, 1, 0],
    ].map((row) => Math.log(row.reduce((s, x) => s + Math.exp(x), 0)));
    const losses = [(logSumExp[0] ?? NaN) - 2, logSumExp[1] ?? NaN];
    const mean = ((losses[0] ?? NaN) + (losses[1] ?? NaN)) / 2;
    expect(await new CrossEntropyLoss().forward(logits, labels).item()).toBeCloseTo(mean, 5);

    const weighted = new CrossEntropyLoss({ weight: tensor([1, 1, 3]), reduction: "none" });
    const none = await weighted.forward(logits, labels).data();
    expectClose(none, [losses[0] ?? NaN, 3 * (losses[1] ?? NaN)], 1e-5, "losses");
    expect([...weighted.stateDict().keys()]).toEqual(["weight"]);
  });
});

describe("wrong calls", () => {
  test("shapes that would broadcast are refused", () => {
    expect(() => mseLoss(zeros([4, 1]), zeros([4]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: mseLoss: prediction and target differ in shape: [4, 1] and [4]. Reshape or expand one of them]`,
    );
    expect(() => bceWithLogitsLoss(zeros([4]), zeros([2]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: bceWithLogitsLoss: prediction and target differ in shape: [4] and [2]. Reshape or expand one of them]`,
    );
  });

  test("labels instead of numbers", () => {
    const labels = tensor(new Int32Array(2));
    expect(() => l1Loss(zeros([2]), labels)).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: l1Loss: it takes real numbers, not i32: Tensor(i32[2]). Use cast(t, "f32")]`,
    );
  });

  test("thresholds outside their domain", () => {
    const x = zeros([1]);
    expect(() => huberLoss(x, x, { delta: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: huberLoss: delta is outside its domain: 0. 1 is usual]`,
    );
    expect(() => smoothL1Loss(x, x, { beta: -1 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: smoothL1Loss: beta is outside its domain: -1. 1 is usual]`,
    );
    expect(() => smoothL1Loss(x, x, { beta: NaN })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: smoothL1Loss: beta is outside its domain: NaN. 1 is usual]`,
    );
  });
});
