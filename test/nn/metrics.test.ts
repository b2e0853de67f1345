/** @file Metrics over uneven batches against plain loops, with ties, NaN, ignored and wrong labels. */
import { describe, expect, test } from "vitest";
import { abs, mean, sub, tensor, type Tensor } from "../../engine/index.ts";
import {
  accuracy,
  averageMetric,
  ConfusionMatrix,
  errorRate,
  f1Score,
  precision,
  recall,
  topKAccuracy,
  type Metric,
} from "../../nn/metrics/index.ts";
import { useDevice } from "../device.ts";
import { seededRandom } from "../inputs.ts";

useDevice();

interface Sample {
  readonly scores: readonly number[];
  readonly label: number;
}

/** Samples with ties among the scores: they are whole numbers. */
function makeSamples(count: number, classes: number, seed: number): Sample[] {
  const random = seededRandom(seed);
  const pick = (n: number) => Math.floor(random() * n);
  return Array.from({ length: count }, () => ({
    scores: Array.from({ length: classes }, () => pick(4) - 2),
    label: pick(classes),
  }));
}

/** Batches of 64, the last one shorter. */
function batches(samples: readonly Sample[], dtype: "i32" | "u32" = "i32"): [Tensor, Tensor][] {
  const result: [Tensor, Tensor][] = [];
  for (let start = 0; start < samples.length; start += 64) {
    const batch = samples.slice(start, start + 64);
    result.push([
      tensor(batch.map(({ scores }) => scores)),
      tensor(
        batch.map(({ label }) => label),
        { dtype },
      ),
    ]);
  }
  return result;
}

async function measure(metric: Metric, pairs: readonly [Tensor, Tensor][]): Promise<number> {
  metric.reset();
  for (const [predictions, targets] of pairs) metric.update(predictions, targets);
  return metric.value();
}

/** The classes from best to worst; equal scores by index. */
function ranking({ scores }: Sample): number[] {
  return scores.map((_, i) => i).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
}

function shareOf(samples: readonly Sample[], holds: (sample: Sample) => boolean): number {
  return samples.filter(holds).length / samples.length;
}

function countPairs(samples: readonly Sample[], classes: number): number[][] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (const sample of samples) {
    const row = counts[sample.label] ?? [];
    const predicted = ranking(sample)[0] ?? 0;
    row[predicted] = (row[predicted] ?? 0) + 1;
  }
  return counts;
}

describe("accuracy and its relatives", () => {
  const samples = makeSamples(200, 10, 1);
  const right = shareOf(samples, (sample) => ranking(sample)[0] === sample.label);

  test.each(["i32", "u32"] as const)("count every sample once, labels in %s", async (dtype) => {
    expect(await measure(accuracy(), batches(samples, dtype))).toBeCloseTo(right, 12);
    expect(await measure(errorRate(), batches(samples, dtype))).toBeCloseTo(1 - right, 12);
  });

  test.each([1, 2, 5, 10, 11])("top %d", async (k) => {
    const expected = shareOf(samples, (s) => ranking(s).slice(0, k).includes(s.label));
    expect(await measure(topKAccuracy(k), batches(samples))).toBeCloseTo(expected, 12);
  });

  test("begin anew after reset, and are NaN without a batch", async () => {
    const metric = accuracy();
    const pairs = batches(samples);
    await measure(metric, pairs);
    expect(await measure(metric, pairs)).toBeCloseTo(right, 12);
    expect(await measure(metric, [])).toBeNaN();
  });

  test("take any leading axes", async () => {
    const scores = tensor([
      [
        [0, 1],
        [1, 0],
      ],
      [
        [3, 2],
        [2, 3],
      ],
    ]);
    expect(
      await measure(accuracy(), [
        [
          scores,
          tensor(
            [
              [1, 1],
              [0, 0],
            ],
            { dtype: "i32" },
          ),
        ],
      ]),
    ).toBe(0.5);
  });

  test("NaN is the highest score, as in argMax", async () => {
    const scores = tensor([
      [5, NaN, 9],
      [NaN, NaN, 1],
      [0, 1, 2],
    ]);
    const labels = tensor([1, 1, 2], { dtype: "i32" });
    expect(await measure(accuracy(), [[scores, labels]])).toBeCloseTo(2 / 3, 12);
    expect(await measure(topKAccuracy(2), [[scores, labels]])).toBe(1);
    const matrix = new ConfusionMatrix();
    matrix.update(scores, labels);
    expect(await matrix.counts()).toEqual([
      [0, 0, 0],
      [1, 1, 0],
      [0, 0, 1],
    ]);
  });
});

describe("the confusion matrix", () => {
  const samples = makeSamples(300, 4, 2);

  test("counts actual classes in rows, predicted ones in columns", async () => {
    const matrix = new ConfusionMatrix();
    for (const [predictions, targets] of batches(samples)) matrix.update(predictions, targets);
    expect(await matrix.counts()).toEqual(countPairs(samples, 4));
    matrix.reset();
    expect(await matrix.counts()).toEqual([]);
  });

  test("of one score a row has two classes, split at the threshold", async () => {
    const logits = tensor([-1, 2, 0.3, -0.1, 4]);
    const labels = tensor([0, 1, 0, 1, 1]);
    const matrix = new ConfusionMatrix();
    matrix.update(logits, labels);
    expect(await matrix.counts()).toEqual([
      [1, 1],
      [1, 2],
    ]);
    const strict = new ConfusionMatrix({ threshold: 0.5 });
    strict.update(tensor([-1, 2, 0.3, -0.1, 4], { shape: [5, 1] }), labels);
    expect(await strict.counts()).toEqual([
      [2, 0],
      [1, 2],
    ]);
  });
});

describe("precision, recall and F1", () => {
  test("binary: of the positive class", async () => {
    const pairs: [Tensor, Tensor][] = [
      [tensor([3, 2, 1, -1, -2, -3, -4]), tensor([1, 1, 0, 1, 0, 0, 0], { dtype: "i32" })],
    ];
    expect(await measure(precision(), pairs)).toBeCloseTo(2 / 3, 12);
    expect(await measure(recall(), pairs)).toBeCloseTo(2 / 3, 12);
    expect(await measure(f1Score(), pairs)).toBeCloseTo(2 / 3, 12);
    expect(await measure(precision({ positive: 0 }), pairs)).toBeCloseTo(3 / 4, 12);
  });

  test("macro: the mean over the classes that occur", async () => {
    const samples = makeSamples(150, 5, 3).map((s) => ({ ...s, scores: [...s.scores, -9] }));
    const counts = countPairs(samples, 6);
    const classes = [0, 1, 2, 3, 4];
    const sumOf = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    const tp = (c: number) => counts[c]?.[c] ?? 0;
    const predicted = (c: number) => sumOf(counts.map((row) => row[c] ?? 0));
    const actual = (c: number) => sumOf(counts[c] ?? []);
    const macro = (of: (c: number) => number) => sumOf(classes.map(of)) / 5;
    const options = { average: "macro" } as const;
    const pairs = batches(samples);
    expect(await measure(precision(options), pairs)).toBeCloseTo(
      macro((c) => tp(c) / predicted(c)),
      10,
    );
    expect(await measure(recall(options), pairs)).toBeCloseTo(
      macro((c) => tp(c) / actual(c)),
      10,
    );
    expect(await measure(f1Score(options), pairs)).toBeCloseTo(
      macro((c) => (2 * tp(c)) / (predicted(c) + actual(c))),
      10,
    );
  });

  test("are 0 where nothing was found, NaN where nothing was seen", async () => {
    const none: [Tensor, Tensor] = [tensor([-1, -1]), tensor([1, 0], { dtype: "i32" })];
    expect(await measure(precision(), [none])).toBe(0);
    expect(await measure(f1Score(), [none])).toBe(0);
    expect(await measure(recall(), [])).toBeNaN();
  });
});

describe("a metric of one's own", () => {
  test("is the mean weighted by the sizes of the batches", async () => {
    const mae = averageMetric("mae", (p, y) => mean(abs(sub(p, y))));
    const batch = (values: number[]): [Tensor, Tensor] => [
      tensor(values),
      tensor(values.map(() => 0)),
    ];
    expect(await measure(mae, [batch([1, 2, 3, 4]), batch([10])])).toBeCloseTo(4, 6);
    expect(mae.name).toBe("mae");
  });

  test("must give one number", () => {
    const bad = averageMetric("bad", (p) => abs(p));
    expect(() => {
      bad.update(tensor([1, 2]), tensor([1, 2]));
    }).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: bad: a batch gives one number, not [2]. Reduce it with mean()]`,
    );
  });
});

describe("labels", () => {
  const scores = tensorLater([
    [1, 0],
    [0, 1],
    [1, 0],
  ]);
  const labels = tensorLater([0, 1, -100], "i32");

  test("to be ignored do not count", async () => {
    expect(await measure(accuracy(), [[scores(), labels()]])).toBe(1);
    const matrix = new ConfusionMatrix({ ignoreIndex: 1 });
    matrix.update(scores(), tensor([0, 1, 1], { dtype: "i32" }));
    expect(await matrix.counts()).toEqual([
      [1, 0],
      [0, 0],
    ]);
  });

  test("out of range are reported", async () => {
    const wrong = tensor([0, 2, -1], { dtype: "i32" });
    await expect(
      measure(accuracy(), [[scores(), wrong]]),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: accuracy: 2 labels name no class: they are outside 0 to 1. Correct the labels, or pass the label to leave out as ignoreIndex]`,
    );
    const matrix = new ConfusionMatrix();
    matrix.update(scores(), wrong);
    await expect(matrix.counts()).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: ConfusionMatrix: 2 labels name no class: they are outside 0 to 1. Correct the labels, or pass the label to leave out as ignoreIndex]`,
    );
  });

  test("that do not fit the scores are refused", async () => {
    const errors = [
      () => {
        accuracy().update(scores(), tensor([1, 2], { dtype: "i32" }));
      },
      () => {
        accuracy().update(scores(), tensor([0, 1, 1]));
      },
      () => {
        new ConfusionMatrix().update(scores(), tensor([0, 1, 1]));
      },
      () => topKAccuracy(0),
    ].map(messageOf);
    expect(errors).toMatchInlineSnapshot(`
      [
        "ShapeError: accuracy: predictions and targets do not fit: [3, 2] and [2]. Pass scores [batch, classes] and class indices [batch]",
        "DTypeError: accuracy: it takes f32 scores and whole-numbered targets, not f32 and f32. Use cast(targets, "i32")",
        "DTypeError: ConfusionMatrix: it takes f32 scores and whole-numbered targets, not f32 and f32. Use cast(targets, "i32")",
        "ArgumentError: topKAccuracy: k is not a whole number >= 1: 0. 5 is usual",
      ]
    `);
    const three = measure(precision(), [[tensor([[1, 2, 3]]), tensor([1], { dtype: "i32" })]]);
    await expect(three).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: precision: "binary" is for two classes, with the positive one among them: 3 classes, positive 1. Pass { average: "macro" }]`,
    );
  });
});

/** Tensors cannot be made before the device is open. */
function tensorLater(
  values: Parameters<typeof tensor>[0],
  dtype: "f32" | "i32" = "f32",
): () => Tensor {
  return () => tensor(values, { dtype });
}

function messageOf(wrong: () => unknown): string {
  try {
    wrong();
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  return "nothing was thrown";
}
