/**
 * @file Mixed precision: what `autocast` casts, what `GradScaler` does to gradients, steps and its scale, and training in f16 against
 * training in f32. The scaler is f32 throughout, so its tests run on every adapter; the others need `shader-f16`.
 */
import { afterEach, beforeEach, describe, expect, test, type TestContext } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "../../data/index.ts";
import {
  add,
  ArgumentError,
  backward,
  cast,
  crossEntropy,
  DeviceError,
  keep,
  manualSeed,
  matmul,
  mean,
  mul,
  noGrad,
  ones,
  randomNormal,
  square,
  sum,
  tensor,
  type Tensor,
} from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import {
  accuracy,
  Adam,
  autocast,
  autocastInputs,
  BatchNorm2d,
  CancelBatchException,
  CancelStepException,
  clipGradNorm,
  Conv2d,
  ConvTranspose2d,
  exportTrainingState,
  GradientClip,
  GradScaler,
  importTrainingState,
  isAutocasting,
  Learner,
  Linear,
  linesOnly,
  Module,
  SGD,
  SmallResNet,
  type Batch,
  type Callback,
  type GradScalerOptions,
  type Loader,
  type Optimizer,
} from "../../nn/index.ts";
import { useDevice } from "../device.ts";
import { seededRandom } from "../inputs.ts";
import { expectClose } from "../numeric.ts";

const device = useDevice();

function needsHalf({ skip }: TestContext): void {
  skip(!device().has("shader-f16"), "the adapter has no shader-f16");
}

/** Bits, so that -0 and NaN count. */
async function bitsOf(tensors: readonly Tensor[]): Promise<number[][]> {
  const arrays = await Promise.all(tensors.map((t) => t.data()));
  return arrays.map((values) => [...new Uint32Array(values.buffer)]);
}

describe("autocast", () => {
  beforeEach(needsHalf);

  test("reaches into its body only, nests, and ends with an error", () => {
    const seen = [isAutocasting()];
    autocast(() => {
      seen.push(isAutocasting());
      autocast(() => seen.push(isAutocasting()), { enabled: false });
      seen.push(isAutocasting());
    });
    expect(() => autocast(() => new ArgumentError("test", "thrown", "Catch it"))).not.toThrow();
    expect(() =>
      autocast(() => {
        throw new ArgumentError("test", "thrown", "Catch it");
      }),
    ).toThrow("thrown");
    expect([...seen, isAutocasting()]).toEqual([false, true, false, true, false]);
  });

  test("casts reals that are to be multiplied, and nothing else", () => {
    const real = ones([3]);
    const half = cast(real, "f16");
    const whole = ones([3], { dtype: "i32" });
    const types = (list: readonly (Tensor | undefined)[]) => list.map((t) => t?.dtype);
    expect(autocastInputs(real, whole, undefined)).toEqual([real, whole, undefined]);
    const inside = autocast(() => autocastInputs(real, half, whole, undefined));
    expect(types(inside)).toEqual(["f16", "f16", "i32", undefined]);
    expect(inside[1]).toBe(half);
  });

  /** Odd numbers of channels and of elements, so that vec4s of halves end in the middle of a word. */
  const layers: [string, () => Module, number[]][] = [
    ["Conv2d", () => new Conv2d({ inChannels: 3, outChannels: 5, kernelSize: 3 }), [3, 7, 5, 3]],
    [
      "Conv2d with stride, groups and no bias",
      () =>
        new Conv2d({
          ...{ inChannels: 8, outChannels: 16, kernelSize: 3, stride: 2, padding: 1 },
          ...{ groups: 2, bias: false },
        }),
      [2, 9, 7, 8],
    ],
    [
      "Conv2d of vec4s",
      () => new Conv2d({ inChannels: 16, outChannels: 12, kernelSize: 3, padding: "same" }),
      [1, 5, 7, 16],
    ],
    [
      "ConvTranspose2d",
      () => new ConvTranspose2d({ inChannels: 3, outChannels: 5, kernelSize: 3, stride: 2 }),
      [2, 3, 4, 3],
    ],
    ["Linear", () => new Linear({ inFeatures: 7, outFeatures: 5 }), [3, 7]],
    ["Linear on 3 axes", () => new Linear({ inFeatures: 8, outFeatures: 12 }), [3, 5, 8]],
    ["BatchNorm2d of 5 channels", () => new BatchNorm2d({ numFeatures: 5 }), [3, 3, 3, 5]],
  ];

  test.each(layers)("%s in f16 agrees with f32, forward and backward", async (_, make, shape) => {
    manualSeed(1);
    const layer = make();
    const leaf = tensor(await randomNormal(shape).data(), { shape, requiresGrad: true });
    const run = async (enabled: boolean): Promise<Float32Array[]> => {
      for (const t of [leaf, ...layer.parameters()]) t.grad = undefined;
      const x = enabled ? cast(leaf, "f16") : leaf;
      const out = keep(autocast(() => layer.forward(x), { enabled }));
      expect(out.dtype).toBe(enabled ? "f16" : "f32");
      backward(mean(square(cast(out, "f32"))));
      const gradients = [leaf, ...layer.parameters()].map(({ grad }) => grad ?? leaf);
      expect(gradients.every(({ dtype }) => dtype === "f32")).toBe(true);
      return Promise.all([out, ...gradients].map(async (t) => Float32Array.from(await t.data())));
    };
    const [full, half] = [await run(false), await run(true)];
    half.forEach((values, i) => {
      expectClose(values, full[i] ?? [], 4e-3, `result ${i}`);
    });
  });

  test("keeps the statistics of a batch norm f32, and takes a residual of the other type", async () => {
    const norm = new BatchNorm2d({ numFeatures: 3, activation: "relu" });
    const x = randomNormal([4, 5, 5, 3]);
    const out = autocast(() => norm.forward(cast(x, "f16"), x));
    expect(out.dtype).toBe("f16");
    const state = [...norm.stateDict().values()];
    expect(state.map(({ dtype }) => dtype)).toEqual(["f32", "f32", "f32", "f32", "i32"]);
    const [variance] = await Promise.all([norm.runningVar?.data()]);
    for (const value of variance ?? []) expect(value).toBeGreaterThan(0.9);
  });

  test("in inference needs no tape", async () => {
    const layer = new Linear({ inFeatures: 4, outFeatures: 4, bias: false });
    const x = randomNormal([2, 4]);
    const half = noGrad(() => autocast(() => layer.forward(x)));
    const full = noGrad(() => layer.forward(x));
    expectClose(await half.data(), await full.data(), 2e-3, "logits");
  });
});

describe("without shader-f16", () => {
  test("autocast and toFp16 say so", async () => {
    const minimal = await openNodeDevice({ minimal: true });
    try {
      const layer = new Linear({ inFeatures: 2, outFeatures: 2, device: minimal });
      const x = ones([1, 2], { device: minimal });
      const message =
        /^autocast: there are no half floats: the device lacks shader-f16: .+\. Train in f32, or decide by device\.has\("shader-f16"\): autocast\(body, \{ enabled \}\)$/;
      expect(() => autocast(() => layer.forward(x))).toThrow(DeviceError);
      expect(() => autocast(() => layer.forward(x))).toThrow(message);
      const plain = autocast(() => layer.forward(x), { enabled: minimal.has("shader-f16") });
      expect(plain.dtype).toBe("f32");
      const learner = new Learner({ train: new Digits(4, 4), model: layer, loss: crossEntropy });
      expect(() => learner.toFp16()).toThrow(/^toFp16: there are no half floats: /);
    } finally {
      await minimal.close();
    }
  });
});

/** Sizes on both sides of a vec4, a workgroup and what has a dispatch to itself, and more tensors than one dispatch takes. */
const sizes = [1, 3, 255, 257, 1024, 1025, 64, 10_000, 2, 5, 40_000];

function makeParameters(random: () => number, wanted: readonly number[] = sizes): Tensor[] {
  return wanted.map((size) =>
    tensor(
      Float32Array.from({ length: size }, () => 2 * random() - 1),
      { requiresGrad: true },
    ),
  );
}

function setGradients(parameters: readonly Tensor[], random: () => number): Float32Array[] {
  return parameters.map((parameter) => {
    const values = Float32Array.from({ length: parameter.size }, () => 2 * random() - 1);
    parameter.grad?.release();
    parameter.grad = keep(tensor(values));
    return values;
  });
}

/** One number of one gradient overflows. */
function spoil(parameter: Tensor | undefined, value: number, index = 0): void {
  const values = new Float32Array(parameter?.size ?? 0);
  values[index] = value;
  parameter?.grad?.write(values);
}

const makers: [string, (parameters: Tensor[]) => Optimizer][] = [
  ["plain SGD", (p) => new SGD(p, { lr: 0.1, weightDecay: 0.1 })],
  [
    "SGD with momentum",
    (p) => new SGD(p, { lr: 0.1, momentum: 0.9, dampening: 0.5, weightDecay: 0.1 }),
  ],
  ["Adam", (p) => new Adam(p, { lr: 0.01, weightDecay: 0.1 })],
];

/** Everything that a step changes: parameters, counts, and moments, of which those that are all zero need not exist. */
async function everythingOf(optimizer: Optimizer): Promise<unknown> {
  const { groups } = await optimizer.stateDict();
  const states = groups.flatMap(({ parameters }) =>
    parameters.map(({ step, moments }) => ({
      step,
      moments: Object.entries(moments).filter(([, values]) => values.some((value) => value !== 0)),
    })),
  );
  return { bits: await bitsOf(optimizer.parameters), states };
}

describe("GradScaler", () => {
  test("scales a loss exactly, and its gradients with it", async () => {
    const scaler = new GradScaler({ initScale: 1024 });
    const x = tensor([0.1, -3], { requiresGrad: true });
    const loss = keep(mean(square(x)));
    const scaled = scaler.scale(loss);
    backward(scaled);
    expect(await scaled.item()).toBe(1024 * (await loss.item()));
    expect([...((await x.grad?.data()) ?? [])]).toEqual([Math.fround(0.1) * 1024, -3 * 1024]);
  });

  test("takes a loss in f16 to f32 before it overflows", async (context) => {
    needsHalf(context);
    const scaled = new GradScaler().scale(tensor([3], { shape: [], dtype: "f16" }));
    expect(await scaled.item()).toBe(3 * 65536);
  });

  test("unscales all gradients exactly", async () => {
    const random = seededRandom(1);
    const parameters = makeParameters(random);
    const optimizer = new SGD(parameters);
    const expected = setGradients(parameters, random);
    for (const parameter of parameters) parameter.grad = keep(mul(parameter.grad ?? 0, 65536));
    const scaler = new GradScaler();
    scaler.unscale(optimizer);
    scaler.update();
    const actual = await Promise.all(parameters.map(async ({ grad }) => grad?.data()));
    expect(actual).toEqual(expected);
    expect(await scaler.getScale()).toBe(65536);
  });

  test("unscales by a scale that is no power of two to the last bit but one", async () => {
    const [parameter] = makeParameters(seededRandom(2), [1000]);
    if (parameter === undefined) return;
    const [gradient] = setGradients([parameter], seededRandom(3));
    const scaler = new GradScaler({ initScale: 1000 });
    scaler.unscale(new SGD([parameter]));
    const expected = gradient?.map((g) => g / 1000) ?? [];
    expectClose((await parameter.grad?.data()) ?? [], expected, 2e-10, "gradient");
  });

  test.each(makers)(
    "%s: a step whose gradients overflowed leaves no trace, on either side of it",
    async (name, make) => {
      const tolerance = name === "Adam" ? 2e-7 : 0;
      for (const value of [Infinity, -Infinity, NaN]) {
        const results = [];
        for (const overflowAt of [[], [0], [2, 3]]) {
          const random = seededRandom(4);
          const parameters = makeParameters(random);
          const optimizer = make(parameters);
          const scaler = new GradScaler({ initScale: 1 });
          for (let step = 0; step < 6; step++) {
            if (overflowAt.includes(step)) {
              const before = await everythingOf(optimizer);
              setGradients(parameters, () => 0.5);
              // The last element of a tensor that ends within a vec4, in the second dispatch.
              spoil(parameters[5], value, 1024);
              scaler.step(optimizer);
              scaler.update();
              expect(await everythingOf(optimizer)).toEqual(before);
            }
            setGradients(parameters, random);
            const scale = 0.5 ** overflowAt.filter((at) => at <= step).length;
            for (const { grad } of parameters) grad?.assign(mul(grad, scale));
            scaler.step(optimizer);
            scaler.update();
            expect(await scaler.getScale()).toBe(scale);
          }
          results.push(await Promise.all(parameters.map((parameter) => parameter.data())));
        }
        const [undisturbed = [], ...disturbed] = results;
        for (const result of disturbed) {
          result.forEach((values, i) => {
            // Adam's corrections are computed in f32 once a step was missed.
            expectClose(values, undisturbed[i] ?? [], tolerance, `parameter ${i}`);
          });
        }
      }
    },
  );

  test("without an overflow changes no bit of what an optimizer does", async () => {
    for (const [, make] of makers) {
      const run = async (scaler: GradScaler | undefined) => {
        const random = seededRandom(5);
        const parameters = makeParameters(random);
        const optimizer = make(parameters);
        for (let step = 0; step < 3; step++) {
          setGradients(parameters, random);
          if (scaler === undefined) optimizer.step();
          else {
            for (const { grad } of parameters) grad?.assign(mul(grad, 4));
            scaler.step(optimizer);
            scaler.update();
          }
        }
        return everythingOf(optimizer);
      };
      expect(await run(new GradScaler({ initScale: 4 }))).toEqual(await run(undefined));
    }
  });

  test("does not look behind the last element of a gradient", async () => {
    const [parameter] = makeParameters(seededRandom(6), [5]);
    if (parameter === undefined) return;
    parameter.grad = keep(tensor([1, 2, 3, 4, 5]));
    parameter.grad.moveInto(tensor(new Float32Array(64).fill(Infinity)), 0);
    const scaler = new GradScaler({ initScale: 8 });
    scaler.step(new SGD([parameter]));
    scaler.update();
    expect(await scaler.getScale()).toBe(8);
  });

  test("raises the scale after an interval without an overflow, and counts anew after one", async () => {
    const parameters = makeParameters(seededRandom(7), [4]);
    const optimizer = new SGD(parameters);
    const scaler = new GradScaler({ initScale: 16, growthInterval: 3, growthFactor: 4 });
    const scales = [];
    for (const overflows of [0, 0, 0, 0, 0, 1, 0, 0, 0]) {
      setGradients(parameters, () => 0.5);
      if (overflows === 1) spoil(parameters[0], Infinity);
      scaler.step(optimizer);
      scaler.update();
      scales.push(await scaler.getScale());
    }
    expect(scales).toEqual([16, 16, 64, 64, 64, 32, 32, 32, 128]);
  });

  test("never raises the scale to infinity", async () => {
    const parameters = makeParameters(seededRandom(8), [4]);
    const optimizer = new SGD(parameters);
    const scaler = new GradScaler({ initScale: 2 ** 127, growthInterval: 1 });
    setGradients(parameters, () => 0.5);
    scaler.step(optimizer);
    scaler.update();
    expect(await scaler.stateDict()).toMatchObject({ scale: 2 ** 127, growthTracker: 0 });
  });

  test("serves several optimizers: each misses its own overflows, the scale falls once", async () => {
    const [a, b, c] = makeParameters(seededRandom(9), [3, 3, 3]) as [Tensor, Tensor, Tensor];
    const optimizers = [a, b, c].map((parameter) => new SGD([parameter], { lr: 1 }));
    const before = await bitsOf([a, b, c]);
    setGradients([a, b, c], () => 1);
    spoil(b, NaN, 2);
    spoil(c, Infinity);
    const scaler = new GradScaler({ initScale: 8 });
    for (const optimizer of optimizers) scaler.step(optimizer);
    scaler.update();
    const after = await bitsOf([a, b, c]);
    expect(after.map((bits, i) => bits.join() === before[i]?.join())).toEqual([false, true, true]);
    expect(await scaler.getScale()).toBe(4);
    // The next step is everybody's again.
    setGradients([a, b, c], () => 1);
    for (const optimizer of optimizers) scaler.step(optimizer);
    scaler.update();
    const last = await bitsOf([b, c]);
    expect(last.map((bits, i) => bits.join() === before[i + 1]?.join())).toEqual([false, false]);
    expect(await scaler.getScale()).toBe(4);
  });

  test("lets gradients be clipped between unscale and step", async () => {
    const w = tensor([1, 1], { requiresGrad: true });
    const optimizer = new SGD([w], { lr: 1 });
    const scaler = new GradScaler({ initScale: 256 });
    w.grad = keep(tensor([3 * 256, 4 * 256]));
    scaler.unscale(optimizer);
    expect(await clipGradNorm([w], 2.5).item()).toBeCloseTo(5, 5);
    scaler.step(optimizer);
    scaler.update();
    expectClose(await w.data(), [-0.5, -1], 1e-5, "w");
  });

  test("switched off only steps the optimizer", async () => {
    const w = tensor([1, 1], { requiresGrad: true });
    const optimizer = new SGD([w], { lr: 1 });
    const scaler = new GradScaler({ enabled: false });
    const loss = sum(square(w));
    expect(scaler.scale(loss)).toBe(loss);
    backward(loss);
    scaler.unscale(optimizer);
    scaler.step(optimizer);
    scaler.update();
    expect([...(await w.data())]).toEqual([-1, -1]);
    expect(await scaler.getScale()).toBe(1);
  });

  test("takes few dispatches, and never waits", () => {
    const parameters = makeParameters(seededRandom(10), Array<number>(110).fill(10));
    const optimizer = new SGD(parameters);
    setGradients(parameters, () => 1);
    const scaler = new GradScaler();
    scaler.scale(sum(ones([3])));
    device().flush();
    const before = device().recorder.counts.dispatches;
    scaler.unscale(optimizer);
    scaler.update();
    device().flush();
    expect(device().recorder.counts.dispatches - before).toBeLessThanOrEqual(
      Math.ceil(110 / 6) + 1,
    );
  });

  test("refuses calls out of order", () => {
    const [a, b] = makeParameters(seededRandom(11), [3, 3]) as [Tensor, Tensor];
    const optimizer = new SGD([a]);
    const scaler = new GradScaler();
    expect(() => {
      scaler.update();
    }).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: GradScaler.update: no optimizer was stepped since the last update: []. Call scaler.step(optimizer) before]`,
    );
    setGradients([a, b], () => 1);
    scaler.unscale(optimizer);
    expect(() => {
      scaler.unscale(optimizer);
    }).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: GradScaler.unscale: the optimizer was unscaled already since the last update: SGD. Call unscale at most once, then step, then update, in each step]`,
    );
    scaler.unscale(new SGD([b]));
    scaler.step(optimizer);
    expect(() => {
      scaler.step(optimizer);
    }).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: GradScaler.step: the optimizer was stepped already since the last update: SGD. Call unscale at most once, then step, then update, in each step]`,
    );
  });

  const wrong: GradScalerOptions[] = [
    { initScale: 0 },
    { initScale: Infinity },
    { growthFactor: 1 },
    { backoffFactor: 1 },
    { backoffFactor: 0 },
    { growthInterval: 0.5 },
  ];
  test.each(wrong)("refuses %o", (options) => {
    expect(() => new GradScaler(options)).toThrow(ArgumentError);
  });

  test("says what is wrong with a number", () => {
    expect(() => new GradScaler({ growthFactor: NaN })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: GradScaler: growthFactor is not > 1: NaN. Usual are scale 65536, growthFactor 2, backoffFactor 0.5, growthInterval 2000]`,
    );
  });
});

describe("the state of a run", () => {
  test.each(makers)("%s with a scaler goes on from a file, bit for bit", async (_, make) => {
    const options = { initScale: 8, growthInterval: 2 };
    const run = async (saveAfter: number) => {
      const random = seededRandom(12);
      const parameters = makeParameters(random, [3, 257]);
      let optimizer = make(parameters);
      let scaler = new GradScaler(options);
      for (let step = 0; step < 7; step++) {
        if (step === saveAfter) {
          const file = encodeSafetensors(await exportTrainingState({ optimizer, scaler }));
          const { tensors } = decodeSafetensors(file);
          optimizer = make(parameters);
          scaler = new GradScaler();
          // As if it had been used before.
          scaler.scale(sum(ones([1])));
          importTrainingState(tensors, { optimizer, scaler });
        }
        setGradients(parameters, random);
        if (step === 1 || step === 4) spoil(parameters[1], Infinity, 256);
        scaler.step(optimizer);
        scaler.update();
      }
      return { ...(await scaler.stateDict()), everything: await everythingOf(optimizer) };
    };
    expect(await run(3)).toEqual(await run(Infinity));
  });

  test("takes over flags and numbers exactly, and refuses what does not fit", async () => {
    const [a] = makeParameters(seededRandom(13), [3]) as [Tensor];
    const optimizer = new SGD([a], { lr: 0.1, momentum: 0.9, nesterov: true });
    const entries = await exportTrainingState({ optimizer });
    expect([...entries.keys()]).toContain("SGD.0.lr");
    const other = new SGD([a]);
    importTrainingState(entries, { optimizer: other });
    expect(other.groups[0]).toMatchObject({ lr: 0.1, momentum: 0.9, nesterov: true });
    expect(() => {
      importTrainingState(entries, { optimizer: other, scaler: new GradScaler() });
    }).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: importTrainingState: the state of GradScaler.scale is missing: [SGD.0.lr, SGD.0.momentum, SGD.0.dampening, ...]. Load what exportTrainingState gave; leave the scaler out if the run had none]`,
    );
    expect(() => {
      importTrainingState(new Map(), { optimizer: other });
    }).toThrow(ArgumentError);
    expect(() => {
      importTrainingState(entries, { optimizer: new Adam([a]) });
    }).toThrow("the state is of another optimizer: SGD");
  });
});

/** Pictures of 12 x 12 with a bright square whose place is the class; the same in every epoch. */
class Digits implements Loader {
  readonly length: number;
  readonly datasetSize: number;
  readonly batchSize: number;

  constructor(datasetSize: number, batchSize: number) {
    this.datasetSize = datasetSize;
    this.batchSize = batchSize;
    this.length = Math.ceil(datasetSize / batchSize);
  }

  *epoch(): Iterable<Batch> {
    const random = seededRandom(14);
    for (let start = 0; start < this.datasetSize; start += this.batchSize) {
      const size = Math.min(this.batchSize, this.datasetSize - start);
      const labels = Array.from({ length: size }, () => Math.floor(random() * 4));
      const pixels = labels.flatMap((label) =>
        Array.from({ length: 144 }, (_, i) => {
          const [row, column] = [Math.floor(i / 12), i % 12];
          const inside = (row < 6 ? 0 : 2) + (column < 6 ? 0 : 1) === label;
          return (inside ? 1 : 0) + 2 * random() - 1;
        }),
      );
      const x = keep(tensor(pixels, { shape: [size, 12, 12, 1] }));
      const y = keep(tensor(labels, { dtype: "i32" }));
      yield { x, y, size };
      x.release();
      y.release();
    }
  }
}

function makeLearner(callbacks: readonly Callback[] = []): Learner {
  manualSeed(15);
  return new Learner({
    train: new Digits(96, 16),
    valid: new Digits(40, 16),
    model: new SmallResNet({ numClasses: 4, channels: [8, 16] }),
    loss: crossEntropy,
    metrics: [accuracy()],
    callbacks,
    progress: linesOnly(() => undefined),
  });
}

describe("Learner.toFp16", () => {
  beforeEach(needsHalf);
  afterEach(() => {
    expect(isAutocasting()).toBe(false);
  });

  test("learns as f32 does: losses within 2 % over 24 steps", async () => {
    const full = makeLearner();
    await full.fitOneCycle(4, 1e-2);
    const half = makeLearner();
    await half.toFp16({ initScale: 1024 }).fitOneCycle(4, 1e-2);
    expect(half.recorder.losses).toHaveLength(24);
    expectClose(half.recorder.losses, full.recorder.losses, 0.02, "losses");
    expect(half.recorder.losses.at(-1)).toBeLessThan((half.recorder.losses[0] ?? 0) / 2);
    expect(await half.scaler?.getScale()).toBe(1024);
    const [a, b] = [full.recorder.rows.at(-1), half.recorder.rows.at(-1)];
    expect(Math.abs((a?.validLoss ?? 0) - (b?.validLoss ?? 1))).toBeLessThan(0.02);
  });

  test("hands results and losses on in f32, in validation and prediction too", async () => {
    const types = new Set<string>();
    const look: Callback = {
      order: 20,
      afterPred: ({ predictions }) => types.add(`${predictions?.dtype}, ${isAutocasting()}`),
    };
    const learner = makeLearner([look]).toFp16();
    await learner.fit(1, 1e-3);
    expect([...types]).toEqual(["f32, false"]);
    const { model } = learner;
    const [batch] = new Digits(40, 40).epoch();
    if (batch === undefined) return;
    model.eval();
    const half = keep(autocast(() => model.forward(batch.x)));
    expect(half.dtype).toBe("f16");
    const inOneBatch = new Digits(40, 40);
    const { predictions } = await learner.getPreds(inOneBatch);
    expect([...predictions]).toEqual([...(await half.data())]);
    expect(await learner.validate()).toEqual(learner.validation);
    const full = await learner.toFp32().getPreds(inOneBatch);
    expect([...full.predictions]).toEqual([...(await model.forward(batch.x).data())]);
    expect(learner.scaler).toBeUndefined();
  });

  test("shows callbacks the true loss and, from order 11 on, the true gradients", async () => {
    const seen: Promise<number>[] = [];
    const norms: Promise<number>[] = [];
    const look: Callback = {
      order: 11,
      beforeBackward: ({ loss }) => {
        if (loss !== undefined) seen.push(loss.item());
      },
      beforeStep: ({ optimizer }) => {
        norms.push(clipGradNorm(optimizer.parameters, Infinity).item());
      },
    };
    const full = makeLearner([look]);
    await full.fit(1, 0);
    const expected = await Promise.all(norms.splice(0));
    seen.length = 0;
    const half = makeLearner([look, new GradientClip(1e-3)]).toFp16({ initScale: 1024 });
    await half.fit(1, 0);
    expect(await Promise.all(seen)).toEqual(half.recorder.losses);
    expectClose(await Promise.all(norms), expected, 0.02, "norms of the gradients");
  });

  test("misses the steps that overflow, lowers the scale, and goes on", async () => {
    const weights: Promise<number[][]>[] = [];
    const look: Callback = {
      afterBatch: ({ model, training }) => {
        if (training) weights.push(bitsOf(model.parameters()));
      },
    };
    const learner = makeLearner([look]).toFp16({ initScale: 2 ** 36, backoffFactor: 2 ** -10 });
    const before = await bitsOf(learner.model.parameters());
    await learner.fit(4, 1e-2);
    const steps = await Promise.all(weights);
    // Logits' gradients of up to 1/16 overflow from 2^20 on: 2^36 and 2^26 do, 2^16 does not, or only by what layers add to it.
    expect(steps.slice(0, 2)).toEqual([before, before]);
    expect(steps.at(-1)).not.toEqual(before);
    const scale = await learner.scaler?.getScale();
    expect([2 ** 16, 2 ** 6]).toContain(scale);
    expect(learner.recorder.losses.at(-1)).toBeLessThan(learner.recorder.losses[0] ?? 0);
  });

  test("gets over cancelled steps and batches, and over errors", async () => {
    const cases = [
      ["beforeStep", CancelStepException],
      ["beforeStep", CancelBatchException],
      ["beforeBackward", CancelBatchException],
      ["afterLoss", CancelBatchException],
    ] as const;
    for (const [event, Cancel] of cases) {
      for (const order of [5, 15]) {
        const cancel: Callback = {
          order,
          [event]: () => {
            throw new Cancel();
          },
        };
        const learner = makeLearner([cancel]).toFp16();
        const before = await bitsOf(learner.model.parameters());
        await learner.fit(1, 0.1);
        expect(await bitsOf(learner.model.parameters())).toEqual(before);
        expect(learner.recorder.losses).toHaveLength(6);
        // The true losses, not the scaled ones.
        expect(Math.max(...learner.recorder.losses)).toBeLessThan(10);
      }
    }
    for (const event of ["afterBatch", "beforeStep", "afterLoss", "beforeBatch"] as const) {
      let broken = true;
      const fail: Callback = {
        order: 15,
        [event]: () => {
          if (broken) throw new ArgumentError("test", "broken", "Mend it");
        },
      };
      const learner = makeLearner([fail]).toFp16();
      await expect(learner.fit(1)).rejects.toThrow("broken");
      expect(isAutocasting()).toBe(false);
      broken = false;
      await learner.fit(1);
      expect(learner.recorder.losses).toHaveLength(6);
    }
  });

  test("is refused during a fit", async () => {
    const learner = makeLearner([
      {
        afterEpoch: (during) => {
          during.toFp16();
        },
      },
    ]);
    await expect(learner.fit(1)).rejects.toThrow("toFp16: another fit is under way");
  });

  test("a model of one's own multiplies in f16 by autocastInputs", async () => {
    class Projection extends Module {
      readonly inner = new Linear({ inFeatures: 3, outFeatures: 3 });

      override forward(x: Tensor): Tensor {
        const [input, weight] = autocastInputs(x, this.inner.weight);
        return add(matmul(input, weight), 0);
      }
    }
    const model = new Projection();
    const out = autocast(() => model.forward(ones([2, 3])));
    expect(out.dtype).toBe("f16");
    backward(sum(cast(out, "f32")));
    expect(model.inner.weight.grad?.dtype).toBe("f32");
    expect([...((await model.inner.weight.grad?.data()) ?? [])]).toEqual(Array<number>(9).fill(2));
  });
});
