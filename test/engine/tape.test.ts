/** @file Reverse-mode differentiation: what backward computes, keeps and frees. */
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import {
  add,
  backward,
  defineKernel,
  defineOp,
  detach,
  exp,
  grad,
  gradcheck,
  guardNonFinite,
  keep,
  linearGrid,
  log,
  mul,
  noGrad,
  observeTensors,
  openScope,
  relu,
  reshape,
  setRequiresGrad,
  sub,
  sum,
  tensor,
  UseAfterFreeError,
  type Tensor,
} from "../../engine/index.ts";
import { useDevice } from "../device.ts";

const device = useDevice();

const leaf = (values: number[]): Tensor => tensor(values, { requiresGrad: true });
const numbers = async (t: Tensor | null | undefined): Promise<number[]> => [
  ...((await t?.data()) ?? []),
];

describe("backward", () => {
  // L = sum((a + b) * a) = sum(a^2 + ab): dL/da = 2a + b, dL/db = a
  test("follows the chain rule through shared values", async () => {
    const [a, b] = [leaf([1, 2]), leaf([3, 4])];
    backward(sum(mul(add(a, b), a)));
    expect(await numbers(a.grad)).toEqual([5, 8]);
    expect(await numbers(b.grad)).toEqual([1, 2]);
  });

  test("sums gradients back over broadcast axes", async () => {
    const bias = leaf([1, 2, 3]);
    const rows = tensor([
      [1, 1, 1],
      [2, 2, 2],
    ]);
    backward(sum(mul(add(rows, bias), rows)));
    expect(bias.grad?.shape).toEqual([3]);
    expect(await numbers(bias.grad)).toEqual([3, 3, 3]);
  });

  test("a value used twice as both operands gets both parts", async () => {
    const x = leaf([3]);
    backward(mul(x, x));
    expect(await numbers(x.grad)).toEqual([6]);
  });

  test("several calls add up until the gradient is released", async () => {
    const x = leaf([2]);
    backward(mul(x, 3));
    backward(mul(x, 4));
    expect(await numbers(x.grad)).toEqual([7]);
  });

  test("takes a gradient for a result that is no single number", async () => {
    const x = leaf([1, 2, 3]);
    backward(mul(x, 2), { gradient: tensor([1, 10, 100]) });
    expect(await numbers(x.grad)).toEqual([2, 20, 200]);
  });

  test("stops at detach, at noGrad, and at leaves that want none", async () => {
    const [x, constant] = [leaf([2]), tensor([5])];
    const frozen = noGrad(() => mul(x, x));
    expect(frozen.requiresGrad).toBe(false);
    backward(sum(add(mul(detach(mul(x, x)), x), mul(frozen, constant))));
    expect(await numbers(x.grad)).toEqual([4]);
    expect(constant.grad).toBeUndefined();
  });

  test("walks a graph of 20,000 nodes without recursion", async () => {
    const x = leaf([1]);
    let y: Tensor = x;
    for (let i = 0; i < 20_000; i++) y = add(y, x);
    backward(y);
    expect(await numbers(x.grad)).toEqual([20_001]);
  });

  test("with retainGraph the graph can be walked again", async () => {
    const x = leaf([3]);
    const y = exp(mul(x, 0));
    backward(y, { retainGraph: true });
    backward(y);
    expect(await numbers(x.grad)).toEqual([0]);
  });
});

describe("gradients of leaves share memory with nothing", () => {
  test("not with each other", async () => {
    const [a, b] = [leaf([1, 2]), leaf([3, 4])];
    backward(sum(add(a, b)));
    a.grad?.write([0, 0]);
    expect(await numbers(a.grad)).toEqual([0, 0]);
    expect(await numbers(b.grad)).toEqual([1, 1]);
  });

  test("not with the gradient that the caller gives", async () => {
    const [x, y] = [leaf([1, 2]), leaf([1])];
    const [forX, forY] = [tensor([5, 6]), tensor([7])];
    backward(reshape(x, [2]), { gradient: forX });
    backward(y, { gradient: forY });
    forX.write([0, 0]);
    forY.release();
    expect(await numbers(x.grad)).toEqual([5, 6]);
    expect(await numbers(y.grad)).toEqual([7]);
  });
});

describe("grad", () => {
  test("gives gradients by name and leaves .grad alone", async () => {
    const [weight, bias, other] = [leaf([2]), leaf([1]), leaf([9])];
    const loss = add(mul(weight, 5), bias);
    const gradients = grad(loss, { weight, bias, other });
    expect(await numbers(gradients.weight)).toEqual([5]);
    expect(await numbers(gradients.bias)).toEqual([1]);
    expect(gradients.other).toBeNull();
    expect(weight.grad).toBeUndefined();
  });

  test("frees the gradients that nobody asked for", () => {
    const [weight, bias] = [leaf([2]), leaf([1])];
    const before = device().memory().liveBuffers;
    {
      using _scope = openScope();
      grad(add(mul(weight, weight), bias), { weight }).weight?.release();
    }
    expect(device().memory().liveBuffers).toBe(before);
  });
});

describe("memory", () => {
  test("backward frees the intermediate values, but not the loss, its inputs, and what was kept", async () => {
    const x = leaf([1, 2]);
    const hidden = mul(x, 2);
    const kept = keep(relu(hidden));
    const prediction = mul(kept, 3);
    const loss = sum(prediction);
    backward(loss);
    expect(hidden.isFreed).toBe(true);
    expect(() => relu(hidden)).toThrow(UseAfterFreeError);
    expect(await numbers(kept)).toEqual([2, 4]);
    expect(await numbers(prediction)).toEqual([6, 12]);
    expect(await numbers(loss)).toEqual([18]);
  });

  test("a loop without any scope uses the same memory in every step", async () => {
    const weight = leaf([0.5, -0.5]);
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    const liveAfter: number[] = [];
    for (let step = 0; step < 50; step++) {
      const loss = sum(relu(mul(x, weight)));
      backward(loss);
      weight.grad?.release();
      weight.grad = undefined;
      await loss.item();
      loss.release();
      liveAfter.push(device().memory().liveBuffers);
    }
    // The prediction, an input of the loss, waits for its finalizer; nothing else may.
    expect((liveAfter.at(-1) ?? 0) - (liveAfter[0] ?? 0)).toBeLessThanOrEqual(49);
  });

  test("a scope frees everything but what it keeps", async () => {
    const before = device().memory().liveBuffers;
    let kept: Tensor | undefined;
    {
      using scope = openScope();
      const x = tensor([1, 2, 3]);
      kept = scope.keep(exp(sub(x, x)));
    }
    expect(device().memory().liveBuffers).toBe(before + 1);
    expect(await numbers(kept)).toEqual([1, 1, 1]);
    kept.release();
    expect(device().memory().liveBuffers).toBe(before);
  });

  test("a scope closes what an exception left open inside it", () => {
    const before = device().memory().liveBuffers;
    expect(() => {
      using _outer = openScope();
      openScope();
      tensor([1]);
      throw new Error("in the middle");
    }).toThrow("in the middle");
    expect(device().memory().liveBuffers).toBe(before);
  });
});

describe("rules and saved values that belong to somebody else", () => {
  /** `x` itself, by a copy on the device. */
  const fill = (x: Tensor, out: Tensor): void => {
    const [from, to] = [x.memory("test"), out.memory("test")];
    x.device.recorder.copy(from.buffer, from.byteOffset, to.buffer, 0, x.size * 4);
  };

  test("an op may save its input", async () => {
    const square = defineOp<readonly [Tensor], undefined, { x: Tensor }>({
      name: "test/saves-input",
      output: ([x]) => ({ shape: x.shape }),
      forward: ([x], out) => {
        fill(mul(x, x), out);
        return { x };
      },
      gradient: (dy, { saved }) => [mul(dy, mul(saved.x, 2))],
    });
    const x = leaf([3, 4]);
    noGrad(() => square([x], undefined));
    backward(sum(square([x], undefined)));
    expect(await numbers(x.grad)).toEqual([6, 8]);
    expect(await numbers(x)).toEqual([3, 4]);
  });

  test("a rule may return a saved value, an input, or one tensor twice", async () => {
    const product = defineOp<readonly [Tensor, Tensor], undefined, { twice: Tensor }>({
      name: "test/returns-inputs",
      output: ([a]) => ({ shape: a.shape }),
      forward: ([a, b], out) => {
        fill(mul(a, b), out);
        return { twice: mul(a, 2) };
      },
      gradient: (_dy, { inputs: [a, b], saved }) => (a === b ? [saved.twice, null] : [b, a]),
    });
    const [a, b] = [leaf([3]), leaf([5])];
    const loss = sum(product([a, b], undefined));
    backward(loss, { retainGraph: true });
    a.grad?.write([0]);
    backward(loss);
    expect(await numbers(a.grad)).toEqual([5]);
    expect(await numbers(b.grad)).toEqual([6]);
    const same = sum(product([a, a], undefined));
    backward(same, { retainGraph: true });
    backward(same);
    expect(await numbers(a.grad)).toEqual([17]);
    expect([await numbers(a), await numbers(b)]).toEqual([[3], [5]]);
  });

  test("a saved value that was kept outlives backward", async () => {
    const op = defineOp<readonly [Tensor], undefined, { half: Tensor }>({
      name: "test/kept",
      output: ([x]) => ({ shape: x.shape }),
      forward: ([x], out) => {
        fill(x, out);
        return { half: mul(x, 0.5) };
      },
      gradient: (dy) => [dy],
    });
    const { out, saved } = op.withSaved([leaf([4])], undefined);
    keep(saved.half);
    backward(out);
    expect(await numbers(saved.half)).toEqual([2]);
  });

  test("a rule that forgets an input is refused", () => {
    const op = defineOp<readonly [Tensor, Tensor], undefined>({
      name: "test/short",
      output: ([a]) => ({ shape: a.shape }),
      forward: ([a], out) => {
        fill(a, out);
        return {};
      },
      gradient: (dy) => [dy],
    });
    expect(() => {
      backward(op([leaf([1]), leaf([2])], undefined));
    }).toThrowErrorMatchingSnapshot();
  });
});

describe("ops from outside the engine", () => {
  const code = `
    struct Params { size: u32, factor: f32 }
    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> out: array<f32>;
    @group(0) @binding(2) var<uniform> params: Params;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < params.size) { out[id.x] = x[id.x] * x[id.x] * params.factor; }
    }`;
  const kernel = defineKernel({
    name: "scaled-square",
    source: { file: "scaled-square.wgsl", code, parts: [] },
    grid: ({ size }) => linearGrid(size as number, 64),
  });
  const scaledSquare = defineOp<readonly [Tensor], { factor: number }>({
    name: "test/scaledSquare",
    output: ([x]) => ({ shape: x.shape }),
    forward: ([x], out, { factor }) => {
      kernel({ x, out }, { size: x.size, factor });
      return {};
    },
    gradient: (dy, { inputs: [x], attributes: { factor } }) => [mul(dy, mul(x, 2 * factor))],
  });

  test("are differentiated like the engine's own", async () => {
    const x = leaf([1, -2, 3]);
    backward(sum(scaledSquare([x], { factor: 3 })));
    expect(await numbers(x.grad)).toEqual([6, -12, 18]);
    const report = await gradcheck(
      (input) => scaledSquare([input], { factor: 0.5 }),
      [tensor([0.3, -0.7, 1.1])],
    );
    expect(report.passed, report.toString()).toBe(true);
  });
});

describe("gradcheck", () => {
  test("passes a right gradient and prints a table", async () => {
    const report = await gradcheck(
      (a, b) => mul(exp(a), log(b)),
      [tensor([0.1, 0.5]), tensor([1.5, 2.5])],
    );
    expect(report.passed, report.toString()).toBe(true);
    expect(report.toString()).toMatch(
      /gradcheck passed: 4 probes, tolerance 0.01\ninput +element +analytic +numeric +error/,
    );
  });

  test("leaves nothing behind but the readings", async () => {
    const [a, b] = [tensor([[1, 2]]), tensor([[3], [4]])];
    const before = device().memory().liveBuffers;
    await gradcheck((x, y) => exp(mul(x, y)), [a, b], { tolerance: 1 });
    // The step that is counted from is one scalar in the cache at most.
    expect(device().memory().liveBuffers - before).toBeLessThanOrEqual(1);
  });

  test("catches a wrong one and says where", async () => {
    const wrong = defineOp<readonly [Tensor], undefined>({
      name: "test/wrong",
      output: ([x]) => ({ shape: x.shape }),
      forward: ([x], out) => {
        const copy = mul(x, 3);
        const { buffer } = copy.memory("test");
        x.device.recorder.copy(buffer, 0, out.memory("test").buffer, 0, x.size * 4);
        return {};
      },
      gradient: (dy) => [mul(dy, 2)],
    });
    const report = await gradcheck((x) => wrong([x], undefined), [tensor([1, 2, 3])]);
    expect(report.passed).toBe(false);
    expect(report.worst?.error).toBeGreaterThan(0.1);
    expect(report.toString()).toContain("FAILED");
  });
});

describe("guardNonFinite", () => {
  test("names the first op and the step that made a NaN", async () => {
    using guard = guardNonFinite();
    const x = leaf([1, 0]);
    backward(sum(mul(x, 2)));
    await guard.check();
    const negative = sub(x, 1);
    exp(log(negative));
    await expect(guard.check()).rejects.toThrowErrorMatchingSnapshot();
    await guard.check();
  });

  test("counts the steps when the checks are called, not when they are answered", async () => {
    using guard = guardNonFinite();
    const first = guard.check();
    const second = guard.check();
    log(tensor([-1]));
    const third = guard.check();
    await Promise.all([first, second]);
    await expect(third).rejects.toThrow(/in step 2: the result of log/);
  });

  test("that was switched off refuses to check", async () => {
    const guard = guardNonFinite();
    guard[Symbol.dispose]();
    await expect(guard.check()).rejects.toThrow(/freed by the end of the guard/);
  });

  test("tells gradients from results", async () => {
    using guard = guardNonFinite();
    guard.step(17);
    const x = leaf([0]);
    const { sqrt } = await import("../../engine/index.ts");
    backward(sqrt(x));
    await expect(guard.check()).rejects.toThrow(/step 17: a gradient made by sqrt, \[1\]/);
  });
});

test("observers see every result and gradient in order", () => {
  const seen: string[] = [];
  const stop = observeTensors((_tensor, op, phase) => seen.push(`${op} ${phase}`));
  const x = leaf([1]);
  backward(exp(mul(x, x)));
  stop();
  mul(x, x);
  expect(
    seen.filter((entry) => !entry.startsWith("mul output") || seen.indexOf(entry) === 0),
  ).toContain("exp gradient");
  expect(seen.slice(0, 2)).toEqual(["mul output", "exp output"]);
});

test("what an observer computes is not observed", () => {
  const seen: string[] = [];
  const stop = observeTensors((looked, op) => {
    seen.push(op);
    exp(looked);
  });
  relu(tensor([1]));
  stop();
  expect(seen).toEqual(["relu"]);
});

test("console.log shows the tensor, not the device behind it", () => {
  const x = tensor([[1, 2, 3]], { requiresGrad: true });
  x.name = "weight";
  expect(inspect(x)).toBe("Tensor(weight: f32[1, 3], requiresGrad)");
});

describe("wrong calls", () => {
  test.each([
    [
      "backward with a gradient of another element type",
      () => {
        backward(mul(leaf([1, 2]), 2), { gradient: tensor([1, 2], { dtype: "i32" }) });
      },
    ],
    [
      "grad of a result",
      () => {
        const hidden = exp(leaf([1]));
        grad(sum(hidden), { hidden });
      },
    ],
    [
      "a tensor of a closed scope",
      () => {
        let x: Tensor;
        {
          using _scope = openScope();
          x = tensor([1]);
        }
        relu(x);
      },
    ],
    ["ragged rows of the right number", () => tensor([[1, 2], [3], [4, 5, 6]])],
    [
      "rows of different depth",
      () =>
        tensor([
          [1, [2]],
          [3, 4],
        ]),
    ],
    ["a fraction as an integer", () => tensor([1, 2.5], { dtype: "i32" })],
    ["a negative number as u32", () => tensor(new Int32Array([-1]), { dtype: "u32" })],
    [
      "a value for write that the type cannot hold",
      () => {
        tensor([1], { dtype: "u32" }).write([2 ** 32]);
      },
    ],
    [
      "backward of several numbers",
      () => {
        backward(mul(leaf([1, 2]), 2));
      },
    ],
    [
      "backward of a constant",
      () => {
        backward(tensor([1]));
      },
    ],
    [
      "backward twice",
      () => {
        const y = exp(leaf([1]));
        backward(y);
        backward(y);
      },
    ],
    [
      "backward with a gradient of another shape",
      () => {
        backward(mul(leaf([1, 2]), 2), { gradient: tensor([1]) });
      },
    ],
    [
      "a freed tensor",
      () => {
        const x = tensor([1]);
        x.release();
        relu(x);
      },
    ],
    ["a gradient for integers", () => tensor([1], { dtype: "i32", requiresGrad: true })],
    [
      "requiresGrad on a result",
      () => {
        setRequiresGrad(exp(leaf([1])), true);
      },
    ],
    ["ragged rows", () => tensor([[1, 2], [3]])],
    ["a shape that the values do not fill", () => tensor([1, 2, 3], { shape: [2, 2] })],
    ["a negative size", () => tensor([], { shape: [-1] })],
    ["too many axes", () => tensor([1], { shape: [1, 1, 1, 1, 1, 1, 1, 1, 1] })],
    [
      "too few values for write",
      () => {
        tensor([1, 2]).write([1]);
      },
    ],
  ])("%s", (_what, run) => {
    expect(run).toThrowErrorMatchingSnapshot();
  });

  test("item of several numbers", async () => {
    await expect(tensor([1, 2]).item()).rejects.toThrowErrorMatchingSnapshot();
  });
});
