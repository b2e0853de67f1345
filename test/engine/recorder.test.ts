/** @file Recording, submitting, reuse of memory, and reading back: the order of everything. */
import { describe, expect, test, vi } from "vitest";
import { BufferPool } from "../../engine/device/buffer-pool.ts";
import { packParams, reflectShader } from "../../engine/device/wgsl-reflection.ts";
import {
  add,
  defineKernel,
  exp,
  LimitError,
  mul,
  openScope,
  relu,
  sub,
  tensor,
  zeros,
  type Tensor,
} from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import { useDevice } from "../device.ts";

const device = useDevice();

describe("recording", () => {
  test("many ops go out in one submit", async () => {
    await device().synchronize();
    const { dispatches, submits } = device().recorder.counts;
    using _scope = openScope();
    let x = tensor([1, 2, 3]);
    for (let i = 0; i < 100; i++) x = add(x, 1);
    expect([...(await x.data())]).toEqual([101, 102, 103]);
    expect(device().recorder.counts.dispatches - dispatches).toBe(100);
    expect(device().recorder.counts.submits - submits).toBe(1);
  });

  test("more commands than one submit takes still run in order", async () => {
    using _scope = openScope();
    let x = tensor([0]);
    for (let i = 0; i < 3000; i++) x = add(mul(x, 0), i);
    expect(await x.item()).toBe(2999);
  });

  test("more uniforms than one submit takes still belong to their commands", async () => {
    const { recorder } = device();
    const { commandsPerSubmit } = recorder;
    const { submits } = recorder.counts;
    recorder.commandsPerSubmit = Infinity;
    using _scope = openScope();
    let x = tensor([0]);
    for (let i = 0; i < 2000; i++) x = add(mul(x, 0), i);
    recorder.commandsPerSubmit = commandsPerSubmit;
    expect(await x.item()).toBe(1999);
    expect(recorder.counts.submits - submits).toBeGreaterThan(2);
  });

  test("a step that repeats makes no bind groups, whatever the order in which memory was freed", async () => {
    const step = async (): Promise<void> => {
      const [x, y] = [tensor([1, 2]), tensor([3, 4])];
      const results = [add(x, y), mul(x, y), add(x, 1), mul(y, 2)];
      await device().synchronize();
      for (const used of [results[2], x, results[0], y, results[3], results[1]]) used?.release();
    };
    await step();
    await step();
    const made = vi.spyOn(device().gpu, "createBindGroup");
    for (let i = 0; i < 5; i++) await step();
    expect(made).not.toHaveBeenCalled();
    made.mockRestore();
  });

  test("ops can be recorded while their pipelines compile, and progress is told", async () => {
    const own = await openNodeDevice();
    const progress: string[] = [];
    const stop = own.onCompile(({ requested, finished }) =>
      progress.push(`${finished}/${requested}`),
    );
    const x = tensor([-1, 2], { device: own });
    const y = exp(relu(sub(x, x)));
    expect(progress.at(-1)).toMatch(/^0\/[1-9]/);
    expect([...(await y.data())]).toEqual([1, 1]);
    const [finished, requested] = progress.at(-1)?.split("/") ?? [];
    expect(finished).toBe(requested);
    stop();
    await own.close();
  });
});

describe("uploads and readbacks", () => {
  test("an upload takes effect between the ops recorded before and after it", async () => {
    const x = tensor([1]);
    const before = add(x, 100);
    x.write([2]);
    const after = add(x, 100);
    expect([await before.item(), await after.item(), await x.item()]).toEqual([101, 102, 2]);
  });

  test("a readback gives the value of the moment it was asked for", async () => {
    const x = tensor([1]);
    const early = x.item();
    x.write([2]);
    const late = x.item();
    x.release();
    const reused = tensor([3]);
    expect([await early, await late, await reused.item()]).toEqual([1, 2, 3]);
  });

  test("memory freed and taken again within one recording does not mix", async () => {
    const reads: Promise<number>[] = [];
    for (let i = 0; i < 200; i++) {
      using _scope = openScope();
      const x = tensor([i]);
      reads.push(mul(add(x, 1), 2).item());
    }
    expect(await Promise.all(reads)).toEqual(Array.from({ length: 200 }, (_, i) => 2 * i + 2));
  });

  test("an upload is a copy: the array may change afterwards", async () => {
    const values = new Float32Array([1, 2, 3]);
    const x = tensor(values);
    values.fill(9);
    expect([...(await x.data())]).toEqual([1, 2, 3]);
  });

  test("empty tensors can be written, computed with and read", async () => {
    const empty = tensor(new Float32Array(0), { shape: [0, 3] });
    empty.write([]);
    expect([...(await add(empty, empty).data())]).toEqual([]);
  });
});

describe("the pool", () => {
  test("a repeated step allocates nothing", async () => {
    const step = (): Tensor => {
      using scope = openScope();
      return scope.keep(relu(mul(tensor(new Float32Array(5000)), 2)));
    };
    step().release();
    await device().synchronize();
    const total = (): number => device().memory().liveBuffers + device().memory().pooledBuffers;
    const before = total();
    for (let i = 0; i < 100; i++) step().release();
    expect(total()).toBe(before);
  });

  test("reports live, pooled and peak bytes", () => {
    const { liveBytes, liveBuffers } = device().memory();
    device().buffers.resetPeak();
    const x = tensor(new Float32Array(1024));
    expect(device().memory().liveBytes).toBe(liveBytes + 4096);
    expect(device().memory().liveBuffers).toBe(liveBuffers + 1);
    x.release();
    expect(device().memory().liveBytes).toBe(liveBytes);
    expect(device().memory().peakBytes).toBe(liveBytes + 4096);
    x.release();
    expect(device().memory().liveBytes).toBe(liveBytes);
  });

  test("refuses what fits the limit only without its padding", () => {
    const limits = { maxStorageBufferBindingSize: 2 ** 20 - 4, maxBufferSize: 2 ** 20 };
    const createBuffer = ({ size }: { size: number }) => ({ size });
    const gpu = { limits, createBuffer } as unknown as GPUDevice;
    const pool = new BufferPool(
      gpu,
      () => true,
      () => undefined,
    );
    expect(pool.acquire("test", 2 ** 20 - 256).byteLength).toBe(2 ** 20 - 256);
    expect(() => pool.acquire("test", 2 ** 20 - 4)).toThrow(LimitError);
    expect(pool.memory().liveBuffers).toBe(1);
  });

  test("a step of many sizes, one after the other, makes no buffers when it repeats", () => {
    const [mib, limits] = [
      2 ** 20,
      { maxStorageBufferBindingSize: 2 ** 30, maxBufferSize: 2 ** 30 },
    ];
    const made = vi.fn(({ size }: { size: number }) => ({ size, destroy: () => undefined }));
    const pool = new BufferPool(
      { limits, createBuffer: made } as unknown as GPUDevice,
      () => true,
      () => undefined,
    );
    // Together more than the largest and the slack beside it.
    const sizes = [600, 500, 300].map((size) => size * mib);
    const step = (): void => {
      for (const size of sizes) pool.release(pool.acquire("test", size));
    };
    for (let i = 0; i < 4; i++) step();
    expect(made).toHaveBeenCalledTimes(sizes.length);
  });

  test("trim gives back what no recorded command uses, and keeps the rest", async () => {
    await device().synchronize();
    const x = tensor([1, 2]);
    const [idle, busy] = [tensor([3, 4]), mul(x, 2)];
    const sum = add(busy, 1);
    idle.release();
    busy.release();
    device().buffers.trim();
    expect(device().memory().pooledBuffers).toBe(1);
    expect([...(await sum.data())]).toEqual([3, 5]);
  });

  test("staging buffers of large readbacks are not held", async () => {
    const x = zeros([2 ** 20]);
    const { gpu } = device();
    const destroyed: number[] = [];
    const staged = vi.spyOn(gpu, "createBuffer").mockImplementation((descriptor) => {
      staged.mockRestore();
      const buffer = gpu.createBuffer(descriptor);
      const destroy = buffer.destroy.bind(buffer);
      buffer.destroy = () => {
        destroyed.push(buffer.size);
        destroy();
      };
      return buffer;
    });
    await x.data();
    expect(destroyed).toEqual([4 * 2 ** 20]);
  });

  test("numbers that change with every step take no more memory", async () => {
    const x = tensor([1]);
    const live: number[] = [];
    for (let step = 0; step < 1200; step++) {
      using _scope = openScope();
      const y = add(mul(x, step + 0.5), 3);
      if (step % 300 === 299) {
        expect(await y.item()).toBe(step + 3.5);
        live.push(device().memory().liveBuffers);
      }
    }
    // What other tests left behind may be collected meanwhile.
    expect(Math.max(...live.slice(1)), live.join(" ")).toBeLessThanOrEqual(live[0] ?? 0);
  });

  test("gives memory of sizes that are no longer asked for back to the driver", async () => {
    const own = await openNodeDevice();
    for (let i = 1; i <= 40; i++) {
      const x = tensor(new Float32Array(i * 500_000), { device: own });
      x.release();
      await own.synchronize();
    }
    const { pooledBytes, peakBytes } = own.memory();
    expect(pooledBytes).toBeLessThan(peakBytes + 300 * 2 ** 20);
    await own.close();
  });
});

describe("kernels", () => {
  test("lists of parameters are filled up with zeros, whatever the memory held", () => {
    const code = `struct Params { count: u32, scale: f32, list: array<vec4<u32>, 2> }
      @group(0) @binding(0) var<uniform> params: Params;`;
    const words = new Uint32Array(16).fill(9);
    const memory = { words, floats: new Float32Array(words.buffer), used: 4 };
    const values = { scale: 1, list: [5, 6, 7, 8, 9], count: 3 };
    packParams("test.wgsl", reflectShader("test.wgsl", code), values, memory);
    expect([...words.subarray(0, 6)]).toEqual([9, 9, 9, 9, 3, 0x3f800000]);
    expect([...words.subarray(8)]).toEqual([5, 6, 7, 8, 9, 0, 0, 0]);
  });

  const source = (code: string) => ({ file: "test.wgsl", code, parts: [] });
  const valid = source(
    "struct Params { size: u32, }\n@group(0) @binding(0) var<storage, read> x: array<f32>;\n@group(0) @binding(1) var<storage, read_write> out: array<f32>;\n@group(0) @binding(2) var<uniform> params: Params;\n@compute @workgroup_size(1) fn main() { out[0] = x[params.size]; }",
  );
  const kernel = defineKernel({ name: "test", source: valid, grid: () => [1, 1, 1] });
  const [x, out] = [() => tensor([1, 2]), () => tensor([0])];

  test.each([
    [
      "a missing binding",
      () => {
        kernel({ x: x() }, { size: 1 });
      },
    ],
    [
      "a missing parameter",
      () => {
        kernel({ x: x(), out: out() }, {});
      },
    ],
    [
      "an unknown parameter",
      () => {
        kernel({ x: x(), out: out() }, { size: 1, count: 2 });
      },
    ],
    [
      "an unknown constant",
      () => {
        kernel({ x: x(), out: out() }, { size: 1 }, { overrides: { OP: "ADD" } });
      },
    ],
    [
      "an unknown type alias",
      () => {
        kernel({ x: x(), out: out() }, { size: 1 }, { types: { T: "i32" } });
      },
    ],
    [
      "an output that is also an input",
      () => {
        const both = x();
        kernel({ x: both, out: both }, { size: 1 });
      },
    ],
    [
      "a grid that is too large",
      () => {
        defineKernel({ name: "wide", source: valid, grid: () => [70_000, 1, 1] })(
          { x: x(), out: out() },
          { size: 1 },
        );
      },
    ],
    [
      "a grid that is no number",
      () => {
        defineKernel({ name: "nan", source: valid, grid: () => [NaN, 1, 1] })(
          { x: x(), out: out() },
          { size: 1 },
        );
      },
    ],
    [
      "a binding that the shader lacks",
      () => {
        defineKernel({ name: "lost", source: valid, bindings: ["y"], grid: () => [1, 1, 1] })({
          y: x(),
        });
      },
    ],
    [
      "Params that cannot be laid out",
      () => {
        defineKernel({
          name: "odd",
          source: source("struct Params { m: mat2x2f }"),
          grid: () => [1, 1, 1],
        })({ x: x() });
      },
    ],
    [
      "Params larger than a uniform",
      () => {
        const code = `struct Params { list: array<vec4<u32>, 5000> }
          @group(0) @binding(0) var<storage, read_write> out: array<f32>;
          @group(0) @binding(1) var<uniform> params: Params;
          @compute @workgroup_size(1) fn main() { out[0] = f32(params.list[0].x); }`;
        defineKernel({ name: "long", source: source(code), grid: () => [1, 1, 1] })(
          { out: out() },
          { list: [1] },
        );
      },
    ],
    [
      "a uniform that is no Params",
      () => {
        const code = `@group(0) @binding(0) var<storage, read_write> out: array<f32>;
          @group(0) @binding(1) var<uniform> scale: f32;
          @compute @workgroup_size(1) fn main() { out[0] = scale; }`;
        defineKernel({ name: "loose", source: source(code), grid: () => [1, 1, 1] })({
          out: out(),
        });
      },
    ],
    [
      "no tensors",
      () => {
        kernel({});
      },
    ],
  ])("refuse %s", (_what, run) => {
    expect(run).toThrowErrorMatchingSnapshot();
  });
});
