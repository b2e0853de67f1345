/** @file Captured steps: a replay does what the step would do, or the step runs again; what cannot be replayed is refused. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import {
  add,
  backward,
  capture,
  crossEntropy,
  Generator,
  keep,
  manualSeed,
  mean,
  mul,
  noGrad,
  observeTensors,
  openScope,
  randomNormal,
  relu,
  setDefaultDevice,
  sub,
  tensor,
  zeros,
  type Device,
  type Tensor,
} from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import {
  Adam,
  BatchNorm2d,
  Conv2d,
  Dropout,
  GlobalAveragePool,
  hookForward,
  Linear,
  Sequential,
  SGD,
  type Optimizer,
} from "../../nn/index.ts";
import { useDevice } from "../device.ts";

const device = useDevice();

beforeEach(() => {
  manualSeed(7);
});

const classes = 3;

/** All that a step has besides kernels: batch counts, random masks, running statistics. */
function makeNet(): Sequential {
  return new Sequential(
    new Conv2d({ inChannels: 3, outChannels: 8, kernelSize: 3, padding: 1 }),
    new BatchNorm2d({ numFeatures: 8, activation: "relu" }),
    new Dropout({ p: 0.25 }),
    new GlobalAveragePool(),
    new Linear({ inFeatures: 8, outFeatures: classes }),
  );
}

interface Training {
  readonly model: Sequential;
  readonly optimizer: Optimizer;
  /** Times that the code of the step ran. */
  readonly runs: () => number;
  readonly step: (x: Tensor, y: Tensor) => Tensor;
}

function makeTraining(makeOptimizer: (parameters: Tensor[]) => Optimizer): Training {
  manualSeed(3);
  const model = makeNet();
  const optimizer = makeOptimizer(model.parameters());
  let runs = 0;
  const step = (x: Tensor, y: Tensor): Tensor => {
    runs++;
    const loss = crossEntropy(model.forward(x), y);
    backward(loss);
    optimizer.step();
    optimizer.zeroGrad();
    return loss;
  };
  return { model, optimizer, step, runs: () => runs };
}

const sgd = (parameters: Tensor[]): Optimizer =>
  new SGD(parameters, { lr: 0.05, momentum: 0.9, weightDecay: 0.01 });

function batch(size: number, seed: number): readonly [Tensor, Tensor] {
  const generator = new Generator(seed);
  const x = randomNormal([size, 6, 6, 3], { generator });
  const labels = Array.from({ length: size }, (_, i) => (i + seed) % classes);
  return [x, tensor(labels, { dtype: "i32" })];
}

/** Losses, and all that the model holds in the end. */
async function train(
  { model, optimizer }: Training,
  step: (x: Tensor, y: Tensor) => Tensor,
  sizes: readonly number[],
) {
  const losses: Promise<number>[] = [];
  for (const [i, size] of sizes.entries()) {
    using _scope = openScope();
    optimizer.setHyper("lr", 0.05 / (1 + i));
    optimizer.setHyper("momentum", 0.9 - 0.05 * i);
    losses.push(step(...batch(size, i)).item());
  }
  const state = await Promise.all([...model.stateDict().values()].map((t) => t.data()));
  return { losses: await Promise.all(losses), state: state.map((values) => [...values]) };
}

describe("a replayed step", () => {
  test.each([
    ["SGD", sgd],
    ["Adam", (parameters: Tensor[]) => new Adam(parameters, { lr: 0.01 })],
  ])("trains bit for bit as the step itself, with %s", async (_name, makeOptimizer) => {
    const sizes = [4, 4, 4, 4, 4, 4];
    const plain = makeTraining(makeOptimizer);
    const wanted = await train(plain, plain.step, sizes);
    const replayed = makeTraining(makeOptimizer);
    const step = capture(replayed.step);
    expect(await train(replayed, step, sizes)).toEqual(wanted);
    expect(step.replays).toBe(4);
    expect(replayed.runs()).toBe(2);
    expect(wanted.losses[5]).not.toBe(wanted.losses[4]);
  });

  test("gives way to the step for another shape, and comes back", async () => {
    const sizes = [4, 4, 4, 2, 4, 4, 2];
    const plain = makeTraining(sgd);
    const wanted = await train(plain, plain.step, sizes);
    const replayed = makeTraining(sgd);
    const step = capture(replayed.step);
    expect(await train(replayed, step, sizes)).toEqual(wanted);
    expect(step.replays).toBe(3);
  });

  test("saves what an optimizer saves", async () => {
    const plain = makeTraining(sgd);
    await train(plain, plain.step, [4, 4, 4, 4]);
    const replayed = makeTraining(sgd);
    await train(replayed, capture(replayed.step), [4, 4, 4, 4]);
    expect(await replayed.optimizer.stateDict()).toEqual(await plain.optimizer.stateDict());
  });

  test("makes no bind groups and records no op", async () => {
    const { step } = makeTraining(sgd);
    const captured = capture(step);
    const run = (i: number): void => {
      using _scope = openScope();
      captured(...batch(4, i));
    };
    for (let i = 0; i < 4; i++) run(i);
    await device().synchronize();
    const made = vi.spyOn(device().gpu, "createBindGroup");
    const { dispatches } = device().recorder.counts;
    run(5);
    await device().synchronize();
    expect(made).not.toHaveBeenCalled();
    expect(device().recorder.counts.dispatches - dispatches).toBeGreaterThan(10);
    made.mockRestore();
  });

  test("checks labels before it does anything", async () => {
    const { step, model } = makeTraining(sgd);
    const captured = capture(step);
    for (let i = 0; i < 3; i++) captured(...batch(4, i));
    const [parameter] = model.parameters();
    const before = await parameter?.data();
    const [x] = batch(4, 4);
    expect(() => captured(x, tensor([0, 1, 2, 9], { dtype: "i32" }))).toThrow(/crossEntropy.*9/s);
    expect(await parameter?.data()).toEqual(before);
  });

  test("works while pipelines still compile", async () => {
    const own = await openNodeDevice({ tuning: false });
    const before = device();
    setDefaultDevice(own);
    try {
      const double = capture((x: Tensor) => add(mul(x, 2), 1));
      const results = [1, 2, 3, 4].map((value) => double(tensor([value])).data());
      expect((await Promise.all(results)).map(([value]) => value)).toEqual([3, 5, 7, 9]);
      expect(double.replays).toBe(2);
    } finally {
      setDefaultDevice(before);
      await own.close();
    }
  });

  test("may return several tensors, none, or its input", async () => {
    const several = capture((x: Tensor) => ({ twice: mul(x, 2), same: x, none: undefined }));
    const nothing = capture((x: Tensor) => {
      mul(x, 2);
    });
    for (const value of [1, 2, 3, 4]) {
      const { twice, same, none } = several(tensor([value]));
      expect([await twice.item(), await same.item(), none]).toEqual([2 * value, value, undefined]);
      nothing(tensor([value]));
    }
    expect(nothing.replays).toBe(2);
  });
});

describe("memory of a captured step", () => {
  test("belongs to nobody else between replays, and goes back at the end", async () => {
    // Of its own: what other tests left to the garbage collector would count.
    const own = await openNodeDevice({ tuning: false });
    try {
      await onlyOwner(own);
    } finally {
      await own.close();
    }
  });

  async function onlyOwner(own: Device): Promise<void> {
    using _scope = openScope();
    const step = capture((x: Tensor) => {
      const y = relu(add(mul(x, 3), 1));
      return mean(sub(y, 1));
    });
    const x = tensor(
      Array.from({ length: 1000 }, () => 2),
      { device: own },
    );
    const [first, second] = [step(x), step(x)];
    for (const early of [first, second]) expect(await early.item()).toBeCloseTo(6);
    const others = Array.from({ length: 20 }, (_, i) => add(zeros([1000], { device: own }), i));
    const { liveBytes } = own.memory();
    for (let i = 0; i < 3; i++) step(x);
    for (const [i, other] of others.entries()) expect((await other.data())[999]).toBe(i);
    expect(own.memory().liveBytes).toBe(liveBytes);
    step.release();
    expect(own.memory().liveBytes).toBeLessThan(liveBytes);
    expect(await step(x).item()).toBeCloseTo(6);
  }

  test("results are views of one place, overwritten by the next call", async () => {
    const step = capture((x: Tensor) => mul(x, 2));
    const results = [1, 2, 3, 4].map((value) => step(tensor([value])));
    const values = await Promise.all(results.map((result) => result.item()));
    expect(values).toEqual([2, 8, 8, 8]);
  });
});

describe("the step runs again", () => {
  /** Calls until it is replayed, then changes something, then calls once more. */
  function runsAfter(training: Training, change: () => void): number {
    const step = capture(training.step);
    for (let i = 0; i < 4; i++) step(...batch(4, i));
    expect(step.replays).toBe(2);
    const before = training.runs();
    change();
    step(...batch(4, 5));
    return training.runs() - before;
  }

  test("when nothing changes, it does not", () => {
    expect(runsAfter(makeTraining(sgd), () => undefined)).toBe(0);
  });

  test("after a change between training and evaluation", () => {
    const training = makeTraining(sgd);
    expect(runsAfter(training, () => training.model.eval())).toBe(1);
  });

  test("after a parameter was frozen", () => {
    const training = makeTraining(sgd);
    const [parameter] = training.model.parameters();
    const freeze = (): void => {
      if (parameter !== undefined) parameter.requiresGrad = false;
    };
    expect(runsAfter(training, freeze)).toBe(1);
  });

  test("after another optimizer took the parameters over", () => {
    const training = makeTraining(sgd);
    expect(runsAfter(training, () => new SGD(training.model.parameters()))).toBe(1);
  });

  test("after momentum was switched off, and its kernels with it", () => {
    const training = makeTraining(sgd);
    const off = (): void => {
      training.optimizer.setHyper("momentum", 0);
    };
    expect(runsAfter(training, off)).toBe(1);
  });

  test("while a hook or an observer wants to see its tensors", () => {
    const training = makeTraining(sgd);
    const stops: (() => void)[] = [];
    expect(runsAfter(training, () => stops.push(observeTensors(() => undefined)))).toBe(1);
    for (const stop of stops) stop();
    expect(
      runsAfter(training, () => stops.push(hookForward(training.model, () => undefined))),
    ).toBe(1);
    for (const stop of stops) stop();
  });

  test("when a gradient waits to be added to", () => {
    const training = makeTraining(sgd);
    const [parameter] = training.model.parameters();
    const leave = (): void => {
      if (parameter !== undefined) parameter.grad = keep(zeros(parameter.shape));
    };
    expect(runsAfter(training, leave)).toBe(1);
  });

  test("inside and outside of noGrad", () => {
    const training = makeTraining(sgd);
    const weight = tensor([2], { requiresGrad: true });
    const kinds: boolean[] = [];
    const step = capture((x: Tensor) => {
      const result = mul(x, weight);
      kinds.push(result.requiresGrad);
      return result;
    });
    const call = (): unknown => step(tensor([1]));
    for (let i = 0; i < 3; i++) call();
    noGrad(call);
    expect(kinds).toEqual([true, true, false]);
    expect(training.runs()).toBe(0);
  });
});

describe("a step that cannot be replayed is refused", () => {
  const x = (): Tensor => tensor([1, 2]);

  test("when it waits for results", () => {
    const step = capture((input: Tensor) => {
      void add(input, 1)
        .data()
        .catch(() => undefined);
    });
    step(x());
    expect(() => {
      step(x());
    }).toThrow(/capture: the step reads a result by data/);
  });

  test("when it leaves gradients", () => {
    const weight = tensor([1, 2], { requiresGrad: true });
    const step = capture((input: Tensor) => {
      weight.grad = undefined;
      backward(mean(mul(input, weight)));
    });
    step(x());
    expect(() => {
      step(x());
    }).toThrow(/leaves something behind.*gradients.*zeroGrad/s);
  });

  test("when it keeps tensors", () => {
    const step = capture((input: Tensor) => {
      keep(add(input, 1));
    });
    step(x());
    expect(() => {
      step(x());
    }).toThrow(/leaves something behind.*kept tensors, 1 with 256 bytes/s);
  });

  test("when it replaces what was made before it", () => {
    let sum = keep(zeros([2]));
    const step = capture((input: Tensor) => {
      const next = keep(add(sum, input));
      sum.release();
      sum = next;
    });
    step(x());
    expect(() => {
      step(x());
    }).toThrow(/frees or replaces.*assign/s);
  });

  test("when an input is part of a graph", () => {
    const weight = tensor([1, 2], { requiresGrad: true });
    const step = capture((input: Tensor) => mean(input));
    step(mul(weight, 2));
    expect(() => {
      step(mul(weight, 2));
    }).toThrow(/part of a graph.*detach/s);
  });

  test("and gives its memory back", async () => {
    const own = await openNodeDevice({ tuning: false });
    try {
      using _scope = openScope();
      const input = tensor([1, 2], { device: own });
      const step = capture((x: Tensor) => {
        void add(x, 1)
          .data()
          .catch(() => undefined);
        return mul(x, 2);
      });
      step(input).release();
      await own.synchronize();
      const { liveBuffers, liveBytes } = own.memory();
      expect(() => step(input)).toThrow(/reads a result/);
      await own.synchronize();
      expect(own.memory()).toMatchObject({ liveBuffers, liveBytes });
    } finally {
      await own.close();
    }
  });

  test("but one inside of another is a part of that", async () => {
    const inner = capture((x: Tensor) => mul(x, 2));
    const outer = capture((x: Tensor) => add(inner(x), 1));
    for (const value of [1, 2, 3, 4])
      expect(await outer(tensor([value])).item()).toBe(2 * value + 1);
    expect([outer.replays, inner.replays]).toEqual([2, 0]);
  });

  test("and an error of its own leaves nothing behind", async () => {
    using _scope = openScope();
    let fails = false;
    const step = capture((input: Tensor) => {
      const result = add(input, 1);
      if (fails) throw new Error("on purpose");
      return result;
    });
    step(x());
    fails = true;
    expect(() => step(x())).toThrow("on purpose");
    fails = false;
    for (let i = 0; i < 3; i++) expect([...(await step(x()).data())]).toEqual([2, 3]);
    expect(step.replays).toBe(2);
  });
});
