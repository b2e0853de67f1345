/** @file MixUp and CutMix: the distribution, the kernel, the loss, and that validation knows nothing of them. */
import { describe, expect, test } from "vitest";
import {
  crossEntropy,
  keep,
  mean,
  reshape,
  square,
  sub,
  tensor,
  type Shape,
  type Tensor,
} from "../../engine/index.ts";
import { sizeOf } from "../../engine/shape.ts";
import {
  accuracy,
  CancelEpochException,
  CutMix,
  Learner,
  Linear,
  linesOnly,
  MixUp,
  mseLoss,
  Sequential,
  SGD,
  type Batch,
  type Callback,
  type LearnerOptions,
  type Loader,
  type LossFunction,
  type Model,
} from "../../nn/index.ts";
import { drawBeta } from "../../nn/learner/beta-distribution.ts";
import { mixSamples } from "../../nn/learner/mix-samples.ts";
import { useDevice } from "../device.ts";
import { seededRandom } from "../inputs.ts";
import { expectClose } from "../numeric.ts";

const device = useDevice();

describe("Beta(alpha, alpha)", () => {
  const draws = 20_000;
  test.each([0.2, 0.4, 1, 3])("alpha %d: its moments", (alpha) => {
    const random = seededRandom(7);
    const values = Array.from({ length: draws }, () => drawBeta(alpha, () => random() + 2 ** -33));
    const centered = values.map((value) => value - 0.5);
    const moment = (power: number) => centered.reduce((sum, z) => sum + z ** power, 0) / draws;
    const variance = 1 / (4 * (2 * alpha + 1));
    const fourth = (3 * variance ** 2 * (2 * alpha + 1)) / (2 * alpha + 3);
    expect(Math.abs(moment(1))).toBeLessThan(6 * Math.sqrt(variance / draws));
    expect(Math.abs(moment(2) - variance)).toBeLessThan(
      6 * Math.sqrt((fourth - variance ** 2) / draws),
    );
    expect(values.every((value) => value >= 0 && value <= 1)).toBe(true);
  });

  test("1 gives even numbers", () => {
    const random = seededRandom(8);
    const values = Array.from({ length: draws }, () => drawBeta(1, () => random() + 2 ** -33));
    for (const part of [0.1, 0.25, 0.9]) {
      const share = values.filter((value) => value < part).length / draws;
      expect(Math.abs(share - part)).toBeLessThan(6 * Math.sqrt((part * (1 - part)) / draws));
    }
  });

  test("a tiny alpha gives 0 or 1, not NaN", () => {
    const random = seededRandom(9);
    const values = Array.from({ length: 200 }, () => drawBeta(1e-4, () => random() + 2 ** -33));
    expect(values.filter((value) => value < 1e-6 || value > 1 - 1e-6).length).toBeGreaterThan(190);
  });
});

describe("mixSamples", () => {
  const weights = [1, 0, 0.25, 0.7];
  const partners = [2, 0, 2, 1];

  test.each<[Shape, readonly [number, number, number, number] | undefined]>([
    [[4, 1], undefined],
    [[4, 5, 7, 3], undefined],
    [[4, 0], undefined],
    [
      [4, 5, 7, 3],
      [1, 4, 2, 7],
    ],
    [
      [4, 1, 1, 4],
      [0, 1, 0, 1],
    ],
    [
      [4, 6, 9, 1],
      [3, 3, 0, 9],
    ],
  ])("%j in the box %j", async (shape, box) => {
    const random = seededRandom(1);
    const x = Float32Array.from({ length: sizeOf(shape) }, () => random());
    const [top, bottom, left, right] = box ?? [0, Infinity, 0, Infinity];
    const sample = x.length / 4;
    const [, , width = 1, channels = 1] = shape;
    const expected = [...x].map((own, i) => {
      const [n, place] = [Math.floor(i / sample), i % sample];
      const row = Math.floor(place / (width * channels));
      const column = Math.floor(place / channels) % width;
      const other = x[(partners[n] ?? NaN) * sample + place] ?? NaN;
      const inside = row >= top && row < bottom && column >= left && column < right;
      return inside ? other + (weights[n] ?? NaN) * (own - other) : own;
    });
    const mixBox = { firstRow: top, endRow: bottom, firstColumn: left, endColumn: right };
    const mixed = mixSamples(
      tensor(x, { shape }),
      tensor(partners, { dtype: "u32" }),
      tensor(weights),
      ...(box === undefined ? [] : [mixBox]),
    );
    expectClose(await mixed.data(), expected, 1e-6, "mixed");
  });

  test("refuses whole numbers", () => {
    const labels = tensor([1, 2], { dtype: "i32" });
    expect(() => mixSamples(labels, labels, labels)).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: mixSamples: samples are f32, not i32: Tensor(i32[2]). Use cast(x, "f32")]`,
    );
  });
});

const [height, width, classes] = [4, 5, 3];

/** Sample i is an image that is i + 1 everywhere, so a mixed batch tells who was mixed with whom. */
class Numbered implements Loader {
  readonly batchSize = 7;
  readonly sizes: readonly number[];
  readonly targets: "labels" | "numbers";

  constructor(sizes: readonly number[], targets: "labels" | "numbers" = "labels") {
    this.sizes = sizes;
    this.targets = targets;
  }

  get length(): number {
    return this.sizes.length;
  }

  *epoch(): Iterable<Batch> {
    for (const size of this.sizes) {
      const pixels = Array.from({ length: size * height * width }, (_, i) =>
        Math.floor(1 + i / (height * width)),
      );
      const labels = Array.from({ length: size }, (_, i) => labelOf(i));
      const x = keep(tensor(pixels, { shape: [size, height, width, 1] }));
      const y =
        this.targets === "labels"
          ? keep(tensor(labels, { dtype: "i32" }))
          : keep(tensor(labels, { shape: [size, 1] }));
      try {
        yield { x, y, size };
      } finally {
        x.release();
        y.release();
      }
    }
  }
}

function labelOf(sample: number): number {
  return (sample * 2) % classes;
}

/** Logits from all pixels. */
class Flat extends Sequential {
  constructor(outFeatures: number = classes) {
    super(new Linear({ inFeatures: height * width, outFeatures }));
  }

  override forward(x: Tensor): Tensor {
    return super.forward(reshape(x, [x.shape[0] ?? 0, height * width]));
  }
}

/** What the model, the loss and the recorder saw. */
class Witness implements Callback {
  readonly order = 90;
  readonly runValid = false;
  readonly x: Promise<ArrayLike<number>>[] = [];
  readonly y: Promise<ArrayLike<number>>[] = [];
  readonly logits: Promise<ArrayLike<number>>[] = [];
  readonly losses: number[] = [];

  afterPred({ x, y, predictions }: Learner): void {
    if (x === undefined || y === undefined || predictions === undefined) return;
    this.x.push(x.data());
    this.y.push(y.data());
    this.logits.push(predictions.data());
  }

  lossRead(_learner: Learner, { loss }: { loss: number }): void {
    this.losses.push(loss);
  }
}

interface Trained {
  readonly learner: Learner;
  readonly witness: Witness;
}

async function train(
  mixer: Callback | undefined,
  { sizes = [7, 7, 3], epochs = 1, lr = 0, see = true, ...options }: TrainOptions = {},
): Promise<Trained> {
  const random = seededRandom(3);
  const model = options.model ?? new Flat();
  for (const parameter of model.parameters()) {
    parameter.write(Array.from({ length: parameter.size }, () => (random() - 0.5) / 10));
  }
  const witness = new Witness();
  const callbacks = [...(mixer === undefined ? [] : [mixer]), ...(see ? [witness] : [])];
  const learner = new Learner({
    train: new Numbered(sizes),
    valid: new Numbered([5]),
    model,
    loss: crossEntropy,
    optimizer: new SGD(model.parameters(), { lr }),
    metrics: [accuracy()],
    progress: linesOnly(() => undefined),
    ...options,
    callbacks: [...callbacks, ...(options.callbacks ?? [])],
  });
  await learner.fit(epochs, lr);
  return { learner, witness };
}

interface TrainOptions extends Partial<LearnerOptions> {
  readonly sizes?: readonly number[];
  readonly epochs?: number;
  readonly lr?: number;
  /** Watch each step; it is not replayed then. */
  readonly see?: boolean;
  readonly model?: Model;
}

function crossEntropyOf(logits: readonly number[], label: number): number {
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
  return Math.log(total) - (logits[label] ?? NaN);
}

/** `mean(w loss + (1 - w) loss of the partner)`, all from what the model saw. */
function expectedLoss(
  logits: ArrayLike<number>,
  mixes: readonly { readonly weight: number; readonly partner: number }[],
): number {
  const losses = mixes.map(({ weight, partner }, i) => {
    const own = Array.from(logits).slice(i * classes, (i + 1) * classes);
    return (
      weight * crossEntropyOf(own, labelOf(i)) +
      (1 - weight) * crossEntropyOf(own, labelOf(partner))
    );
  });
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

const imageSize = height * width;

function imagesOf(x: ArrayLike<number>): number[][] {
  return Array.from({ length: x.length / imageSize }, (_, i) =>
    Array.from(x).slice(i * imageSize, (i + 1) * imageSize),
  );
}

/** Of CutMix: the pixels that are not i + 1 are those of the partner, if there are any. */
function cutsOf(x: ArrayLike<number>) {
  return imagesOf(x).map((pixels, i) => {
    const own = pixels.filter((pixel) => pixel === i + 1).length;
    const partner = (pixels.find((pixel) => pixel !== i + 1) ?? i + 1) - 1;
    return { weight: own / imageSize, partner };
  });
}

describe("CutMix", () => {
  test("puts one box of the partners into a batch and weighs losses by what is seen", async () => {
    const { witness } = await train(new CutMix({ seed: 5 }), { epochs: 8 });
    let cut = 0;
    for (const [step, pending] of witness.x.entries()) {
      const x = await pending;
      const mixes = cutsOf(x);
      const ownShare = Math.min(...mixes.map(({ weight }) => weight));
      if (ownShare < 1) cut++;
      // Who is its own partner looks uncut, and then the weight does not matter.
      const weighed = mixes.map(({ partner }) => ({ weight: ownShare, partner }));
      expectClose(
        [witness.losses[step] ?? NaN],
        [expectedLoss((await witness.logits[step]) ?? [], weighed)],
        1e-5,
        `step ${step}`,
      );
      const boxes = imagesOf(x).map((pixels, i) =>
        pixels.map((pixel) => (pixel === i + 1 ? "." : "x")).join(""),
      );
      expect(new Set(boxes.filter((box) => box.includes("x"))).size).toBeLessThanOrEqual(1);
    }
    expect(cut).toBeGreaterThan(12);
  });

  test("refuses what are no images", async () => {
    const flatten: Callback = {
      order: -1,
      beforeBatch: (learner) => {
        if (learner.x !== undefined) learner.x = reshape(learner.x, [-1, imageSize]);
      },
    };
    await expect(
      train(new CutMix(), { callbacks: [flatten] }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: CutMix: the inputs are no images: [7, 20]. Pass [n, height, width, channels], or use MixUp]`,
    );
  });
});

/** Of MixUp: a pixel is w (i + 1) + (1 - w) (partner + 1), which does not tell both, so the targets have to. */
describe("MixUp", () => {
  test("mixes inputs and targets of real numbers alike, and leaves the loss alone", async () => {
    const { witness } = await train(new MixUp(), {
      train: new Numbered([7], "numbers"),
      valid: new Numbered([5], "numbers"),
      metrics: [],
      model: new Flat(1),
      loss: (p, y) => mean(square(sub(p, y))),
    });
    const [x, y] = [await witness.x[0], await witness.y[0]];
    const means = imagesOf(x ?? []).map(([pixel = NaN]) => pixel);
    const found = means.map((pixel, i) =>
      // The partner whose share of the pixel also explains the target.
      Array.from({ length: 7 }, (_, partner) => {
        const share = partner === i ? 0 : (pixel - (i + 1)) / (partner - i);
        const target = labelOf(i) + share * (labelOf(partner) - labelOf(i));
        const fits = share >= -1e-6 && share <= 0.5 + 1e-6;
        return fits && Math.abs(target - (y?.[i] ?? NaN)) < 1e-5;
      }).some(Boolean),
    );
    expect(found).toEqual(means.map(() => true));
    expect(means.some((pixel, i) => Math.abs(pixel - (i + 1)) > 0.01)).toBe(true);
  });

  test("weighs the losses of labels as the inputs", async () => {
    const { witness } = await train(new MixUp({ seed: 2 }), { epochs: 4 });
    for (const [step, pending] of witness.x.entries()) {
      const pixels = imagesOf(await pending).map(([pixel = NaN]) => pixel);
      const logits = (await witness.logits[step]) ?? [];
      // Each sample's partner is one of those that can make its pixel; all of them are tried.
      const losses = pixels.map((pixel, i) => partnersOf(pixel, i, pixels.length));
      const nearest = closest(losses, logits, witness.losses[step] ?? NaN);
      expect(Math.abs(nearest)).toBeLessThan(1e-5);
    }
  });

  test("targets must be mixable, and the loss must give one number for each sample", async () => {
    const scalar: LossFunction = (p, y) => crossEntropy(p, y);
    await expect(train(new MixUp(), { loss: scalar })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: MixUp: the loss gave the shape [] for a batch of 7, not one number for each sample: it ignores reduction "none". Pass the options on: (p, y, options) => crossEntropy(p, y, { labelSmoothing: 0.1, ...options })]`,
    );
    const passing: LossFunction = (p, y, options) =>
      crossEntropy(p, y, { labelSmoothing: 0.1, ...options });
    const { witness } = await train(new MixUp(), { loss: passing });
    expect(witness.losses.every(Number.isFinite)).toBe(true);
  });

  test("takes wgrad's losses of real numbers as they are", async () => {
    const { witness } = await train(new MixUp(), {
      train: new Numbered([7], "numbers"),
      valid: new Numbered([5], "numbers"),
      metrics: [],
      model: new Flat(1),
      loss: mseLoss,
    });
    expect(witness.losses.every(Number.isFinite)).toBe(true);
  });
});

interface Candidate {
  readonly weight: number;
  readonly partner: number;
}

/** All partners that explain the pixel of sample i with a weight from 0.5 to 1. */
function partnersOf(pixel: number, i: number, count: number): Candidate[] {
  const candidates = Array.from({ length: count }, (_, partner) => ({
    partner,
    weight: partner === i ? 1 : 1 - (pixel - (i + 1)) / (partner - i),
  }));
  return candidates.filter(
    ({ weight, partner }) =>
      weight >= 0.5 - 1e-6 &&
      weight <= 1 + 1e-6 &&
      (partner !== i || Math.abs(pixel - (i + 1)) < 1e-6),
  );
}

/** The least difference of a loss over all permutations of partners from the one that was read. */
function closest(
  candidates: readonly (readonly Candidate[])[],
  logits: ArrayLike<number>,
  loss: number,
): number {
  let best = Infinity;
  const visit = (chosen: readonly Candidate[]): void => {
    const options = candidates[chosen.length];
    if (options === undefined) {
      const difference = expectedLoss(logits, chosen) - loss;
      if (Math.abs(difference) < Math.abs(best)) best = difference;
      return;
    }
    for (const option of options) {
      if (chosen.every(({ partner }) => partner !== option.partner)) visit([...chosen, option]);
    }
  };
  visit([]);
  return best;
}

describe.each([
  ["MixUp", () => new MixUp({ seed: 4 })],
  ["CutMix", () => new CutMix({ seed: 4 })],
])("%s in a fit", (_name, make) => {
  test("repeats itself for a seed, and goes on where a run was left", async () => {
    const two = await train(make(), { epochs: 2 });
    expect((await train(make(), { epochs: 2 })).witness.losses).toEqual(two.witness.losses);
    const resumed = await train(make(), { epochs: 1 });
    await resumed.learner.fit(1, 0);
    expect(resumed.witness.losses).toEqual(two.witness.losses);
    expect(two.witness.losses.slice(0, 3)).not.toEqual(two.witness.losses.slice(3));
  });

  test("leaves validation alone", async () => {
    const plain = (await train(undefined)).learner;
    const mixed = (await train(make())).learner;
    expect(mixed.validation).toEqual(plain.validation);
    expect(mixed.recorder.rows[0]?.trainLoss).not.toBe(plain.recorder.rows[0]?.trainLoss);
    expect(mixed.lossFunction).toBe(crossEntropy);
  });

  test("trains the same when the step is replayed", async () => {
    const options = { sizes: [7, 7, 7, 3, 7, 7], epochs: 3, lr: 0.05, see: false };
    const plain = await train(make(), options);
    const replayed = await train(make(), { ...options, replay: true });
    expect(replayed.learner.recorder.rows.map(({ trainLoss }) => trainLoss)).toEqual(
      plain.learner.recorder.rows.map(({ trainLoss }) => trainLoss),
    );
    expect(await weightsOf(replayed)).toEqual(await weightsOf(plain));
  });

  test("gives the loss and the memory back, however the fit ends", async () => {
    const { learner } = await train(undefined);
    await device().synchronize();
    const before = device().memory().liveBuffers;
    await learner.fit(1, 0, { callbacks: [make()] });
    const cancel: Callback = {
      afterLoss: ({ step }) => {
        if (step === 1) throw new CancelEpochException();
      },
    };
    await learner.fit(2, 0, { callbacks: [make(), cancel] });
    expect(learner.lossFunction).toBe(crossEntropy);
    const fail: Callback = {
      afterLoss: () => {
        throw new Error("on purpose");
      },
    };
    await expect(learner.fit(1, 0, { callbacks: [make(), fail] })).rejects.toThrow("on purpose");
    expect(learner.lossFunction).toBe(crossEntropy);
    expect(device().memory().liveBuffers).toBeLessThanOrEqual(before);
  });

  test("refuses a second one", async () => {
    await expect(train(make(), { callbacks: [new MixUp()] })).rejects.toThrow(
      "another callback mixes the batches already",
    );
  });
});

async function weightsOf({ learner }: Trained): Promise<number[][]> {
  const values = learner.model.parameters().map(async (parameter) => [...(await parameter.data())]);
  return Promise.all(values);
}

test.each([
  ["MixUp", () => new MixUp({ alpha: 0 })],
  ["CutMix", () => new CutMix({ alpha: NaN })],
  ["a seed", () => new MixUp({ seed: -1 })],
])("refuses what cannot be: %s", (_what, make) => {
  expect(make).toThrowErrorMatchingSnapshot();
});
