/** @file Two thousand steps under the worst conditions: forced garbage collection, readbacks in between, errors in the middle of a step. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import {
  add,
  backward,
  crossEntropy,
  exp,
  keep,
  matmul,
  mul,
  noGrad,
  openScope,
  relu,
  ShapeError,
  sub,
  tensor,
  type Tensor,
} from "../../engine/index.ts";
import { useDevice } from "../device.ts";
import { seededRandom } from "../inputs.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const device = useDevice();

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A small classifier trained by hand, as a reader would write it. */
class Classifier {
  readonly random = seededRandom(7);
  readonly parameters = [
    this.#leaf([12, 32]),
    this.#leaf([32]),
    this.#leaf([32, 5]),
    this.#leaf([5]),
  ] as const;

  #leaf(shape: number[]): Tensor {
    const size = shape.reduce((a, b) => a * b, 1);
    return keep(
      tensor(
        Float32Array.from({ length: size }, () => this.random() - 0.5),
        { shape, requiresGrad: true },
      ),
    );
  }

  forward(x: Tensor): Tensor {
    const [w1, b1, w2, b2] = this.parameters;
    return add(matmul(relu(add(matmul(x, w1), b1)), w2), b2);
  }

  /** Inputs whose label is the largest of their first five features. */
  batch(size: number): { x: Tensor; y: Tensor } {
    const values = Float32Array.from({ length: size * 12 }, () => this.random());
    const labels = Int32Array.from({ length: size }, (_, i) => {
      const row = values.subarray(12 * i, 12 * i + 5);
      return row.indexOf(Math.max(...row));
    });
    return { x: tensor(values, { shape: [size, 12] }), y: tensor(labels) };
  }

  /** p -= rate * gradient, in place on the same tensor. */
  update(rate: number): void {
    noGrad(() => {
      for (const parameter of this.parameters) {
        const { grad } = parameter;
        if (grad === undefined) throw new Error("a parameter got no gradient");
        parameter.assign(sub(parameter, mul(grad, rate)));
        grad.release();
        parameter.grad = undefined;
      }
    });
  }
}

test("2000 steps: no crash, no leak, no stale result", { timeout: 300_000 }, async () => {
  const model = new Classifier();
  const losses: Promise<number>[] = [];
  const pendingReads: Promise<void>[] = [];
  const live: number[] = [];
  let thrown = 0;
  for (let step = 0; step < 2000; step++) {
    try {
      using _scope = openScope();
      const { x, y } = model.batch(16);
      const loss = crossEntropy(model.forward(x), y);
      if (step % 97 === 5)
        add(loss, tensor([1, 2, 3, 4, 5, 6, 7], { shape: [7, 1] })).memory("test");
      if (step % 41 === 7) matmul(x, x);
      backward(loss);
      model.update(0.2);
      if (step % 50 === 0) losses.push(loss.item());
      if (step % 13 === 0) {
        // The value must be the one of now, although the memory is reused long before the promise resolves.
        const marker = mul(exp(tensor(new Float32Array(100))), tensor([step]));
        pendingReads.push(
          marker.data().then((data) => {
            expect(data.every((value) => value === step)).toBe(true);
          }),
        );
      }
    } catch (error) {
      expect(error).toBeInstanceOf(ShapeError);
      thrown++;
      for (const parameter of model.parameters) {
        parameter.grad?.release();
        parameter.grad = undefined;
      }
    }
    if (step % 100 === 99) {
      collectGarbage();
      await nextTurn();
      await device().synchronize();
      live.push(device().memory().liveBuffers);
    }
  }
  await Promise.all(pendingReads);
  const values = await Promise.all(losses);
  expect(thrown).toBe(Math.ceil((2000 - 7) / 41));
  expect(new Set(live), `live buffers after every 100 steps: ${live.join(" ")}`).toHaveProperty(
    "size",
    1,
  );
  expect(values.every(Number.isFinite)).toBe(true);
  const mean = (list: number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
  expect(mean(values.slice(-8))).toBeLessThan(0.6 * mean(values.slice(0, 4)));
});

test.each([
  ["a tensor outside of scopes", (x: Tensor) => exp(x)],
  [
    "a tensor that a scope let go",
    (x: Tensor) => {
      using scope = openScope();
      return scope.keep(exp(x));
    },
  ],
  [
    "a kept tensor",
    (x: Tensor) => {
      using _scope = openScope();
      return keep(exp(x));
    },
  ],
  [
    "a tensor that was moved",
    (x: Tensor) => {
      const moved = exp(x);
      moved.moveInto(tensor(new Float32Array(1000)), 0);
      return moved;
    },
  ],
])("%s that nobody holds any more is freed by the garbage collector", async (_what, make) => {
  collectGarbage();
  await nextTurn();
  const before = device().memory().liveBuffers;
  (() => {
    for (let i = 0; i < 50; i++) make(tensor(new Float32Array(1000)));
  })();
  expect(device().memory().liveBuffers).toBe(before + 100);
  for (let i = 0; i < 10 && device().memory().liveBuffers > before; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    collectGarbage();
  }
  expect(device().memory().liveBuffers).toBeLessThanOrEqual(before + 2);
});

test("a tensor of an open scope is left to the scope", async () => {
  using _scope = openScope();
  const before = device().memory().liveBuffers;
  (() => exp(tensor(new Float32Array(1000))))();
  for (let i = 0; i < 3; i++) {
    await nextTurn();
    collectGarbage();
  }
  expect(device().memory().liveBuffers).toBe(before + 2);
});
