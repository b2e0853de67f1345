/** @file Tensors that share memory: who sees whose writes, and where `moveInto` puts the elements. */
import { describe, expect, test } from "vitest";
import {
  add,
  backward,
  detach,
  keep,
  mul,
  noGrad,
  openScope,
  relu,
  reshape,
  sub,
  sum,
  tensor,
  zeros,
} from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import { useDevice } from "../device.ts";
import { seededRandom } from "../inputs.ts";
import type { Device, Tensor } from "../../engine/index.ts";

const device = useDevice();

const numbers = async (t: Tensor): Promise<number[]> => [...(await t.data())];

describe("a view", () => {
  test("sees every write, and its memory lives as long as the last tensor", async () => {
    const x = tensor([1, 2, 3, 4]);
    const [square, same] = [reshape(x, [2, 2]), detach(x)];
    expect(x.sharesMemory).toBe(true);
    x.write([5, 6, 7, 8]);
    x.release();
    square.release();
    expect(same.sharesMemory).toBe(false);
    expect(await numbers(same)).toEqual([5, 6, 7, 8]);
    expect(() => detach(x)).toThrowErrorMatchingInlineSnapshot(
      `[UseAfterFreeError: detach: the tensor was already freed by release(): Tensor(f32[4]). Call keep(t) right after it is made, or scope.keep(t), if it must live longer]`,
    );
  });

  test("copied, it has memory of its own", async () => {
    const x = tensor([1, 2]);
    const copy = reshape(x, [2, 1]).copy();
    x.write([8, 9]);
    expect(copy.shape).toEqual([2, 1]);
    expect(await numbers(copy)).toEqual([1, 2]);
  });
});

describe("assign", () => {
  test("overwrites in place, also a view of the same buffer, and on the place that moveInto gave", async () => {
    const flat = keep(zeros([128]));
    const [a, b] = [tensor([1, 2]), tensor([3, 4])];
    a.moveInto(flat, 0);
    b.moveInto(flat, 256);
    a.assign(b);
    b.assign(mul(b, 10));
    expect([await numbers(a), await numbers(b)]).toEqual([
      [3, 4],
      [30, 40],
    ]);
    expect((await numbers(flat)).slice(64, 66)).toEqual([30, 40]);
    a.assign(a);
    expect(await numbers(a)).toEqual([3, 4]);
  });

  test("updates a weight in a loop without leaving buffers behind", async () => {
    const weight = tensor([1, 2], { requiresGrad: true });
    const before = device().memory().liveBuffers;
    for (let step = 0; step < 20; step++) {
      using _scope = openScope();
      backward(sum(mul(weight, weight)));
      const { grad } = weight;
      if (grad === undefined) throw new Error("no gradient");
      noGrad(() => {
        weight.assign(sub(weight, mul(grad, 0.25)));
      });
      grad.release();
      weight.grad = undefined;
    }
    expect(device().memory().liveBuffers).toBeLessThanOrEqual(before + 1);
    expect((await numbers(weight)).map((value) => value * 2 ** 20)).toEqual([1, 2]);
  });

  test("labels that were overwritten are no longer those of the host", () => {
    const labels = tensor([0, 5], { dtype: "i32" });
    labels.assign(tensor([0, 1], { dtype: "i32" }));
    expect(labels.hostIntegers).toBeUndefined();
  });

  test.each([
    [
      "another shape",
      () => {
        tensor([1, 2]).assign(tensor([1]));
      },
    ],
    [
      "another element type",
      () => {
        tensor([1]).assign(tensor([1], { dtype: "i32" }));
      },
    ],
    [
      "a freed tensor",
      () => {
        const freed = tensor([1]);
        freed.release();
        tensor([1]).assign(freed);
      },
    ],
  ])("refuses %s", (_what, run) => {
    expect(() => {
      run();
    }).toThrowErrorMatchingSnapshot();
  });
});

describe("moveInto", () => {
  test("makes the tensor a view of its place, on which ops and writes work", async () => {
    const arena = zeros([192]);
    const x = tensor([1, 2, 3]);
    const before = mul(x, 10);
    x.moveInto(arena, 256);
    const after = mul(x, 100);
    x.write([4, 5, 6]);
    expect(await numbers(before)).toEqual([10, 20, 30]);
    expect(await numbers(after)).toEqual([100, 200, 300]);
    expect((await numbers(arena)).slice(63, 68)).toEqual([0, 4, 5, 6, 0]);
    expect(await sum(x).item()).toBe(15);
  });

  test("counts from the beginning of a target that is a view itself", async () => {
    const arena = zeros([128]);
    const half = zeros([64]);
    half.moveInto(arena, 256);
    const x = tensor([7]);
    x.moveInto(half, 0);
    expect(await sum(half).item()).toBe(7);
    expect((await numbers(arena)).indexOf(7)).toBe(64);
  });

  test("moves within one arena", async () => {
    const arena = zeros([128]);
    const x = tensor([7, 8]);
    x.moveInto(arena, 0);
    x.moveInto(arena, 256);
    x.moveInto(arena, 256);
    expect(await numbers(x)).toEqual([7, 8]);
    expect((await numbers(arena)).slice(64, 67)).toEqual([7, 8, 0]);
  });

  test.each([
    ["before the beginning", -256],
    ["that is no multiple of 256", 4],
    ["beyond the end", 512],
    ["with too little room", 256],
    ["at no number", NaN],
  ])("refuses a place %s", (_what, byteOffset) => {
    expect(() => {
      tensor(new Float32Array(65)).moveInto(zeros([128]), byteOffset);
    }).toThrowErrorMatchingSnapshot();
  });
});

/** What a tensor should hold, kept beside it. */
interface Pair {
  readonly tensor: Tensor;
  values: readonly number[];
}

/** Random ops, writes, moves, releases and readbacks; returns the readbacks that gave something else. */
async function interleave(own: Device, seed: number, steps: number): Promise<string[]> {
  const random = seededRandom(seed);
  const three = (): number[] => [random(), random(), random()].map(Math.fround);
  const arena = keep(zeros([64 * 32], { device: own }));
  const pairs: Pair[] = [];
  const reads: Promise<string | undefined>[] = [];
  let places = 0;
  const make = (values: number[], made: Tensor): number =>
    pairs.push({ values: values.map(Math.fround), tensor: made });
  const pick = (): Pair => {
    const pair = pairs[Math.floor(random() * pairs.length)];
    if (pair === undefined) throw new Error("nothing to pick");
    return pair;
  };
  const actions: (() => unknown)[] = [
    () => {
      const values = three();
      make(values, tensor(values, { device: own }));
    },
    () => {
      const pair = pick();
      pair.values = three();
      pair.tensor.write(pair.values);
    },
    () => {
      const [a, b] = [pick(), pick()];
      make(
        a.values.map((value, i) => value + (b.values[i] ?? NaN)),
        add(a.tensor, b.tensor),
      );
    },
    () => {
      const { values, tensor: x } = pick();
      make(
        values.map((value) => value / 2),
        mul(x, 0.5),
      );
    },
    () => {
      const { values, tensor: x } = pick();
      make([...values], relu(x));
    },
    () => {
      if (pairs.length < 4) return;
      const [gone] = pairs.splice(Math.floor(random() * pairs.length), 1);
      gone?.tensor.release();
    },
    () => {
      if (places < 32) pick().tensor.moveInto(arena, 256 * places++);
    },
    () => {
      const { values, tensor: x } = pick();
      const read = async (expected: readonly number[]) => {
        const got = await numbers(x);
        return got.join() === expected.join() ? undefined : `${got.join()} for ${expected.join()}`;
      };
      reads.push(read(values));
    },
    () => {
      own.flush();
    },
    () => {
      own.buffers.trim();
    },
    () => new Promise((resolve) => setImmediate(resolve)),
  ];
  actions[0]?.();
  for (let step = 0; step < steps; step++) {
    // Readbacks and flushes are rarer, so that recordings have a length.
    const rare = random() < 0.15;
    await actions[Math.floor(random() * (rare ? actions.length : 7))]?.();
  }
  return (await Promise.all(reads)).filter((wrong) => wrong !== undefined);
}

describe("any order of ops, writes, moves, releases and readbacks", () => {
  test("gives what the same order gives on the host, also while pipelines compile", async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const own = await openNodeDevice();
      expect(await interleave(own, seed, 400), `seed ${seed}`).toEqual([]);
      await own.close();
    }
  });

  test("the same with all pipelines compiled", async () => {
    await interleave(device(), 100, 50);
    for (let seed = 101; seed <= 105; seed++)
      expect(await interleave(device(), seed, 400), `seed ${seed}`).toEqual([]);
  });
});
