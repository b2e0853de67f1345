/** @file Optimizers against PyTorch's formulas in float64, over many steps; groups, frozen parameters, state, clipping. */
import { describe, expect, test } from "vitest";
import {
  add,
  ArgumentError,
  backward,
  DTypeError,
  keep,
  mul,
  setRequiresGrad,
  sum,
  tensor,
  type Tensor,
} from "../../engine/index.ts";
import {
  Adam,
  AdamW,
  clipGradNorm,
  clipGradValue,
  SGD,
  type AdamHypers,
  type AdamOptions,
  type Optimizer,
  type SgdHypers,
} from "../../nn/optim/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import { useDevice } from "../device.ts";
import { seededRandom } from "../inputs.ts";
import { expectClose } from "../numeric.ts";

const device = useDevice();

/** Sizes on both sides of a vec4, a 256-byte slot, a workgroup and 2^15, and more tensors than one dispatch takes. */
const sizes = [1, 3, 255, 257, 1024, 1025, 64, 100_000, 2, 5, 17, 32_767, 32_768];

type Reference = (p: Float64Array, g: Float64Array, step: number) => void;

function randomArray(size: number, random: () => number): Float32Array {
  return Float32Array.from({ length: size }, () => 2 * random() - 1);
}

function makeParameters(wanted: readonly number[], random: () => number): Tensor[] {
  return wanted.map((size) => tensor(randomArray(size, random), { requiresGrad: true }));
}

function setGradient(parameter: Tensor, values: Float32Array): void {
  parameter.grad?.release();
  parameter.grad = keep(tensor(values, { shape: parameter.shape }));
}

async function valuesOf(parameters: readonly Tensor[]): Promise<Float64Array[]> {
  return Promise.all(
    parameters.map(async (parameter) => Float64Array.from(await parameter.data())),
  );
}

/** Runs both for `steps` steps with the same random gradients and compares all parameters at the end. */
async function compare(
  parameters: readonly Tensor[],
  optimizer: Optimizer,
  references: readonly Reference[],
  steps: number,
): Promise<void> {
  const random = seededRandom(steps);
  const expected = await valuesOf(parameters);
  for (let step = 1; step <= steps; step++) {
    parameters.forEach((parameter, i) => {
      const gradient = randomArray(parameter.size, random);
      setGradient(parameter, gradient);
      references[i]?.(expected[i] ?? new Float64Array(), Float64Array.from(gradient), step);
    });
    optimizer.step();
  }
  const actual = await valuesOf(parameters);
  actual.forEach((values, i) => {
    expectClose(values, expected[i] ?? [], 2e-6, `parameter ${i} of ${values.length} elements`);
  });
}

/** torch.optim.SGD; `decoupled` as fastai's weight decay. */
function referenceSgd(hypers: Partial<SgdHypers>): Reference {
  const { lr = 1e-3, momentum = 0, dampening = 0, nesterov = false, weightDecay = 0 } = hypers;
  let buffer: Float64Array | undefined;
  return (p, g) => {
    p.forEach((value, i) => {
      if (hypers.decoupledWeightDecay) p[i] = value * (1 - lr * weightDecay);
      else g[i] = (g[i] ?? 0) + weightDecay * value;
    });
    const first = buffer === undefined;
    buffer ??= Float64Array.from(g);
    for (let i = 0; i < p.length; i++) {
      const gradient = g[i] ?? 0;
      if (!first) buffer[i] = momentum * (buffer[i] ?? 0) + (1 - dampening) * gradient;
      const sum = buffer[i] ?? 0;
      const direction = momentum === 0 ? gradient : nesterov ? gradient + momentum * sum : sum;
      p[i] = (p[i] ?? 0) - lr * direction;
    }
  };
}

/** torch.optim.Adam and AdamW. */
function referenceAdam(hypers: Partial<AdamHypers>): Reference {
  const { lr = 1e-3, momentum = 0.9, squareMomentum = 0.999, eps = 1e-8, weightDecay = 0 } = hypers;
  let m: Float64Array | undefined;
  let v: Float64Array | undefined;
  let t = 0;
  return (p, g) => {
    m ??= new Float64Array(p.length);
    v ??= new Float64Array(p.length);
    t++;
    for (let i = 0; i < p.length; i++) {
      const old = p[i] ?? 0;
      const gradient = (g[i] ?? 0) + (hypers.decoupledWeightDecay ? 0 : weightDecay * old);
      const kept = hypers.decoupledWeightDecay ? old * (1 - lr * weightDecay) : old;
      const first = (m[i] = momentum * (m[i] ?? 0) + (1 - momentum) * gradient);
      const second = (v[i] = squareMomentum * (v[i] ?? 0) + (1 - squareMomentum) * gradient ** 2);
      const corrected = first / (1 - momentum ** t);
      p[i] = kept - (lr * corrected) / (Math.sqrt(second / (1 - squareMomentum ** t)) + eps);
    }
  };
}

describe("SGD follows PyTorch over 20 steps:", () => {
  const cases: Partial<SgdHypers>[] = [
    { lr: 0.1 },
    { lr: 0.1, weightDecay: 0.01 },
    { lr: 0.05, momentum: 0.9 },
    { lr: 0.05, momentum: 0.9, dampening: 0.5, weightDecay: 5e-4 },
    { lr: 0.05, momentum: 0.9, nesterov: true, weightDecay: 5e-4 },
    { lr: 0.05, momentum: 0.9, weightDecay: 0.1, decoupledWeightDecay: true },
  ];
  test.each(cases)("%o", async (options) => {
    const parameters = makeParameters(sizes, seededRandom(1));
    const references = sizes.map(() => referenceSgd(options));
    await compare(parameters, new SGD(parameters, options), references, 20);
  });
});

describe("Adam follows PyTorch over 20 steps:", () => {
  const cases: AdamOptions[] = [
    {},
    { lr: 0.01, weightDecay: 0.1 },
    { lr: 0.01, weightDecay: 0.1, decoupledWeightDecay: true },
    { lr: 0.02, momentum: 0.5, squareMomentum: 0.9, eps: 1e-3 },
  ];
  test.each(cases)("%o", async (options) => {
    const parameters = makeParameters(sizes, seededRandom(2));
    const references = sizes.map(() => referenceAdam(options));
    await compare(parameters, new Adam(parameters, options), references, 20);
  });

  test("AdamW is Adam with decoupled decay of 0.01", async () => {
    const parameters = makeParameters([7, 300], seededRandom(3));
    const references = [0, 1].map(() =>
      referenceAdam({ lr: 0.01, weightDecay: 0.01, decoupledWeightDecay: true }),
    );
    await compare(parameters, new AdamW(parameters, { lr: 0.01 }), references, 20);
  });

  test("fastai's check value: p = 1, g = 0.1 gives 0.99899010", async () => {
    const p = tensor([1], { requiresGrad: true });
    setGradient(p, Float32Array.of(0.1));
    const options = { betas: [0.9, 0.99], eps: 1e-5, weightDecay: 0.01 } as const;
    new Adam([p], { ...options, decoupledWeightDecay: true }).step();
    expect(await p.item()).toBeCloseTo(0.9989901, 7);
  });
});

describe("parameter groups", () => {
  test("have hypers of their own, and those can be set while training runs", async () => {
    const parameters = makeParameters([5, 600, 9], seededRandom(4));
    const [a, b, c] = parameters as [Tensor, Tensor, Tensor];
    const optimizer = new SGD(
      [
        { parameters: [a, b], lr: 0.01 },
        { parameters: [c], momentum: 0 },
      ],
      {
        lr: 0.1,
        momentum: 0.9,
      },
    );
    const head = referenceSgd({ lr: 0.1 });
    await compare(
      parameters,
      optimizer,
      [referenceSgd({ lr: 0.01, momentum: 0.9 }), referenceSgd({ lr: 0.01, momentum: 0.9 }), head],
      5,
    );
    optimizer.setHyper("lr", [0, 0.5]);
    const before = await valuesOf(parameters);
    parameters.forEach((parameter) => {
      setGradient(parameter, new Float32Array(parameter.size).fill(1));
    });
    optimizer.step();
    const after = await valuesOf(parameters);
    expectClose(after[0] ?? [], before[0] ?? [], 0, "lr 0");
    expectClose(
      after[2] ?? [],
      (before[2] ?? new Float64Array()).map((p) => p - 0.5),
      1e-6,
      "lr 0.5",
    );
  });

  test("decay can spare biases and norms, as fastai's does", async () => {
    const weight = tensor([[1, 2]], { requiresGrad: true });
    const bias = tensor([1, 2], { requiresGrad: true });
    for (const parameter of [weight, bias]) setGradient(parameter, Float32Array.of(0, 0));
    new SGD([weight, bias], { lr: 0.5, weightDecay: 0.5, decayVectors: false }).step();
    expectClose(await weight.data(), [0.75, 1.5], 1e-6, "weight");
    expectClose(await bias.data(), [1, 2], 0, "bias");
  });

  test("more parameters than one binding can hold go into several buffers", async () => {
    const parameters = makeParameters([300, 300, 300], seededRandom(5));
    const limits = { maxStorageBufferBindingSize: 2600, maxBufferSize: 2 ** 28 };
    Object.defineProperty(device(), "limits", { value: limits, configurable: true });
    const optimizer = new SGD(parameters, { lr: 0.1, momentum: 0.9 });
    Reflect.deleteProperty(device(), "limits");
    const buffers = new Set(parameters.map((parameter) => parameter.memory("test").buffer.id));
    expect(buffers.size).toBe(2);
    const references = parameters.map(() => referenceSgd({ lr: 0.1, momentum: 0.9 }));
    await compare(parameters, optimizer, references, 3);
  });

  test("needs no more than the limits that every WebGPU device has", async () => {
    const minimal = await openNodeDevice({ minimal: true });
    const w = tensor([1, 2], { device: minimal, requiresGrad: true });
    for (const optimizer of [new SGD([w], { lr: 0.5, momentum: 0.5 }), new Adam([w], { lr: 0 })]) {
      w.grad = keep(tensor([3, 4], { device: minimal }));
      clipGradNorm([w], 2.5);
      clipGradValue([w], 1.75);
      optimizer.step();
    }
    // The norm 5 is halved: (1.5, 2); the value 2 is cut to 1.75.
    expectClose(await w.data(), [0.25, 1.125], 1e-5, "after SGD's step");
    await minimal.close();
  });

  test("many parameters take few dispatches", () => {
    const parameters = makeParameters(Array<number>(110).fill(10), seededRandom(6));
    const optimizer = new SGD(parameters, { lr: 0.1, momentum: 0.9 });
    for (const parameter of parameters) setGradient(parameter, new Float32Array(10));
    device().flush();
    const before = device().recorder.counts.dispatches;
    optimizer.step();
    device().flush();
    expect(device().recorder.counts.dispatches - before).toBeLessThanOrEqual(Math.ceil(110 / 5));
  });
});

describe("a parameter without a gradient", () => {
  test("is moved neither by decay nor by momentum, and its own steps count when it is thawed", async () => {
    const [frozen, thawed] = makeParameters([10, 10], seededRandom(7)) as [Tensor, Tensor];
    setRequiresGrad(frozen, false);
    const optimizer = new Adam([frozen, thawed], { lr: 0.1, weightDecay: 0.1 });
    const [before] = await valuesOf([frozen]);
    const gradient = randomArray(10, seededRandom(8));
    for (let i = 0; i < 3; i++) {
      setGradient(frozen, gradient);
      setGradient(thawed, gradient);
      optimizer.step();
    }
    const [expected = new Float64Array()] = await valuesOf([frozen]);
    expectClose(expected, before ?? [], 0, "frozen");
    setRequiresGrad(frozen, true);
    setGradient(frozen, gradient);
    optimizer.step();
    referenceAdam({ lr: 0.1, weightDecay: 0.1 })(expected, Float64Array.from(gradient), 1);
    expectClose(await frozen.data(), expected, 2e-6, "first step after thawing");
  });

  test("of size 0 is no obstacle", async () => {
    const parameters = makeParameters([0, 4], seededRandom(9));
    for (const parameter of parameters)
      setGradient(parameter, new Float32Array(parameter.size).fill(1));
    const optimizer = new SGD(parameters, { lr: 0.1, momentum: 0.9 });
    clipGradNorm(parameters, 1);
    optimizer.step();
    optimizer.zeroGrad();
    expect((await optimizer.stateDict()).groups[0]?.parameters.map(({ step }) => step)).toEqual([
      0, 1,
    ]);
  });
});

describe("with the tape", () => {
  test("parameters stay the same tensors, and two optimizers can share them", async () => {
    const w = tensor([1, 2, 3], { requiresGrad: true });
    const first = new SGD([w], { lr: 0.1 });
    const second = new SGD([w], { lr: 1 });
    for (const optimizer of [first, second, first]) {
      backward(sum(mul(w, w)));
      optimizer.step();
      optimizer.zeroGrad();
    }
    expect(w.grad).toBeUndefined();
    // p -> (1 - 2 lr) p: 0.8, -1, 0.8
    expectClose(await w.data(), [-0.64, -1.28, -1.92], 1e-6, "after three steps");
  });

  test("gradients that two parameters share are clipped once", async () => {
    const [a, b] = makeParameters([3, 3], seededRandom(10)) as [Tensor, Tensor];
    backward(sum(add(a, b)));
    const norm = clipGradNorm([a, b], 1);
    expect(await norm.item()).toBeCloseTo(Math.sqrt(6), 6);
    const expected = Array<number>(3).fill(1 / Math.sqrt(6));
    expectClose((await a.grad?.data()) ?? [], expected, 1e-6, "a");
    expectClose((await b.grad?.data()) ?? [], expected, 1e-6, "b");
  });
});

describe("state dict", () => {
  const makers: [string, (p: Tensor[]) => Optimizer][] = [
    ["SGD", (p) => new SGD(p, { lr: 0.1, momentum: 0.9, dampening: 0.1 })],
    ["Adam", (p) => new Adam(p, { lr: 0.1 })],
  ];
  test.each(makers)("of %s resumes bit for bit", async (_, make) => {
    const run = async (saveAfter: number): Promise<Float64Array[]> => {
      const random = seededRandom(11);
      const parameters = makeParameters([3, 257], random);
      let optimizer = make(parameters);
      for (let step = 0; step < 6; step++) {
        if (step === saveAfter) {
          const state = structuredClone(await optimizer.stateDict());
          optimizer = make(parameters);
          optimizer.loadStateDict(state);
        }
        for (const parameter of parameters)
          setGradient(parameter, randomArray(parameter.size, random));
        optimizer.step();
      }
      return valuesOf(parameters);
    };
    expect(await run(3)).toEqual(await run(Infinity));
  });

  test("takes over the hypers, and refuses what does not fit", async () => {
    const [a, b] = makeParameters([3, 4], seededRandom(12)) as [Tensor, Tensor];
    const state = await new SGD([a], { lr: 0.25, nesterov: true, momentum: 0.5 }).stateDict();
    const optimizer = new SGD([a]);
    optimizer.loadStateDict(state);
    expect(optimizer.groups[0]).toMatchObject({ lr: 0.25, nesterov: true, momentum: 0.5 });
    expect(() => {
      new SGD([a, b]).loadStateDict(state);
    }).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD.loadStateDict: the parameters have other sizes: [3, 4] here, [3] in the state. Use the model and the groups that the state was saved with]`,
    );
    expect(() => {
      new Adam([a]).loadStateDict(state);
    }).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Adam.loadStateDict: the state is of another optimizer: SGD. Create a SGD, or begin without a state]`,
    );
  });
});

describe("clipGradNorm", () => {
  const total = (gradients: readonly Float32Array[]): number =>
    Math.sqrt(gradients.reduce((sum, g) => g.reduce((s, x) => s + x * x, sum), 0));

  test.each([0.5, 1e6, Infinity])(
    "to %f: returns the norm, scales only what is longer",
    async (maxNorm) => {
      const random = seededRandom(13);
      const parameters = makeParameters(sizes, random);
      const gradients = parameters.map(({ size }) => randomArray(size, random));
      parameters.forEach((parameter, i) => {
        setGradient(parameter, gradients[i] ?? new Float32Array());
      });
      const norm = await clipGradNorm(parameters, maxNorm).item();
      expect(Math.abs(norm / total(gradients) - 1)).toBeLessThan(1e-6);
      const factor = Math.min(1, maxNorm / (total(gradients) + 1e-6));
      for (const [i, parameter] of parameters.entries()) {
        const expected = gradients[i]?.map((g) => g * factor) ?? [];
        expectClose((await parameter.grad?.data()) ?? [], expected, 1e-6, `gradient ${i}`);
      }
    },
  );

  test("without any gradient is 0", async () => {
    expect(await clipGradNorm(makeParameters([3], seededRandom(14)), 1).item()).toBe(0);
  });

  test("of a NaN is NaN", async () => {
    const [a] = makeParameters([3], seededRandom(15)) as [Tensor];
    setGradient(a, Float32Array.of(1, NaN, 2));
    expect(await clipGradNorm([a], 1).item()).toBeNaN();
    expect([...((await a.grad?.data()) ?? [])]).toEqual([NaN, NaN, NaN]);
  });

  test("needs a norm >= 0", () => {
    expect(() => clipGradNorm([], -1)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: clipGradNorm: maxNorm is not a number >= 0: -1. Use a number such as 1]`,
    );
    expect(() => clipGradNorm([], NaN)).toThrow(ArgumentError);
  });
});

describe("clipGradValue", () => {
  test("limits every element; NaN stays", async () => {
    const random = seededRandom(16);
    const parameters = makeParameters(sizes, random);
    const gradients = parameters.map(({ size }) => randomArray(size, random));
    gradients[1]?.set([NaN, -Infinity, Infinity]);
    parameters.forEach((parameter, i) => {
      setGradient(parameter, gradients[i] ?? new Float32Array());
    });
    clipGradValue(parameters, 0.25);
    for (const [i, parameter] of parameters.entries()) {
      const expected = gradients[i]?.map((g) => Math.max(-0.25, Math.min(0.25, g))) ?? [];
      expectClose((await parameter.grad?.data()) ?? [], expected, 0, `gradient ${i}`);
    }
  });

  test("needs a finite value >= 0", () => {
    expect(() => {
      clipGradValue([], Infinity);
    }).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: clipGradValue: maxValue is not a finite number >= 0: Infinity. Use a number such as 0.5]`,
    );
  });
});

describe("wrong use is refused:", () => {
  const leaf = () => tensor([1, 2], { requiresGrad: true });

  test("hypers outside their domain", () => {
    const errors = [
      () => new SGD([leaf()], { lr: NaN }),
      () => new SGD([leaf()], { lr: -0.1 }),
      () => new SGD([leaf()], { momentum: 1 }),
      () => new SGD([leaf()], { weightDecay: -1 }),
      () => new SGD([leaf()], { nesterov: true }),
      () => new SGD([leaf()], { momentum: 0.9, dampening: 2 }),
      () => new Adam([leaf()], { betas: [0.9, 1] }),
      () => new Adam([leaf()], { eps: -1 }),
    ].map(messageOf);
    expect(errors).toMatchInlineSnapshot(`
      [
        "ArgumentError: SGD: lr is not a finite number >= 0: NaN. Use one such as 1e-3",
        "ArgumentError: SGD: lr is not a finite number >= 0: -0.1. Use one such as 1e-3",
        "ArgumentError: SGD: momentum is not at least 0 and below 1: 1. Use a number such as 0.9",
        "ArgumentError: SGD: weightDecay is not a finite number >= 0: -1. Use one such as 0.01",
        "ArgumentError: SGD: Nesterov's form needs momentum > 0 and dampening 0: momentum 0, dampening 0. Set them so, or nesterov: false",
        "ArgumentError: SGD: dampening is not at least 0 and below 1: 2. Use a number such as 0.5",
        "ArgumentError: Adam: squareMomentum is not at least 0 and below 1: 1. Use a number such as 0.999",
        "ArgumentError: Adam: eps is not a finite number >= 0: -1. Use one such as 1e-8",
      ]
    `);
  });

  test("a learning rate that became infinite", () => {
    const p = leaf();
    const optimizer = new SGD([p]);
    const [group] = optimizer.groups;
    if (group !== undefined) group.lr = Infinity;
    setGradient(p, Float32Array.of(1, 1));
    expect(
      messageOf(() => {
        optimizer.step();
      }),
    ).toMatchInlineSnapshot(
      `"ArgumentError: SGD: lr is not a finite number >= 0: Infinity. Use one such as 1e-3"`,
    );
    expect(
      messageOf(() => {
        optimizer.setHyper("lr", [1, 2]);
      }),
    ).toMatchInlineSnapshot(
      `"ArgumentError: SGD.setHyper: 2 values of lr for 1 parameter groups: [1, 2]. Pass one number, or one for each group"`,
    );
  });

  test("parameters that cannot be optimized", () => {
    const p = leaf();
    const errors = [() => new SGD([]), () => new SGD([p, p]), () => new SGD([mul(p, p)])].map(
      messageOf,
    );
    expect(errors).toMatchInlineSnapshot(`
      [
        "ArgumentError: SGD: there is no parameter: []. Pass model.parameters()",
        "ArgumentError: SGD: a parameter occurs twice: Tensor(f32[2], requiresGrad). Put each into one group, once",
        "ArgumentError: SGD: only leaves can be optimized: Tensor(f32[2], requiresGrad) was computed. Pass the tensors that it was computed from",
      ]
    `);
    expect(() => new SGD([tensor([1], { dtype: "i32" })])).toThrow(DTypeError);
  });
});

function messageOf(wrong: () => unknown): string {
  try {
    wrong();
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  return "nothing was thrown";
}
