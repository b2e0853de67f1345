/** @file Opening, closing, losing and overfilling a device. */
import { globals } from "webgpu";
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import {
  add,
  backward,
  DeviceError,
  DeviceLostError,
  type Device,
  exp,
  LimitError,
  mul,
  NoAdapterError,
  OutOfMemoryError,
  openDevice,
  ShaderError,
  tensor,
  ValidationError,
  zeros,
  defineKernel,
} from "../../engine/index.ts";
import { nodeGpu, openNodeDevice, waitPolitely } from "../../engine/node.ts";
import { useDevice } from "../device.ts";

const { GPUOutOfMemoryError } = globals as {
  GPUOutOfMemoryError: new (message: string) => GPUError;
};
const device = useDevice();

/** Runs a module in a process of its own; its output and how it ended. */
function runScript(body: string, flags: readonly string[] = []) {
  const script = `import * as wgrad from "./engine/index.ts"; import { openNodeDevice } from "./engine/node.ts"; ${body}`;
  const loader = ["--import", "./tools/register.mjs"];
  return spawnSync(process.execPath, [...flags, ...loader, "--input-type=module", "-e", script], {
    encoding: "utf8",
    timeout: 60_000,
  });
}

/** What each promise was rejected with; undefined for one that was not. */
async function errorsOf(promises: readonly Promise<unknown>[]): Promise<unknown[]> {
  const outcomes = await Promise.allSettled(promises);
  return outcomes.map((outcome) =>
    outcome.status === "rejected" ? (outcome.reason as unknown) : undefined,
  );
}

describe("openDevice", () => {
  test("without WebGPU says what to use instead", async () => {
    await expect(openDevice({ gpu: undefined })).rejects.toThrowErrorMatchingSnapshot();
  });

  test("without an adapter says what to install", async () => {
    const empty = { requestAdapter: () => Promise.resolve(null) } as unknown as GPU;
    await expect(openDevice({ gpu: empty })).rejects.toThrow(NoAdapterError);
    await expect(openDevice({ gpu: empty })).rejects.toThrowErrorMatchingSnapshot();
  });

  test("an adapter that cannot be opened is an error of its own", async () => {
    const adapter = {
      features: new Set<string>(),
      limits: {},
      requestDevice: () => Promise.reject(new Error("the GPU is busy")),
    };
    const busy = { requestAdapter: () => Promise.resolve(adapter) } as unknown as GPU;
    await expect(openDevice({ gpu: busy })).rejects.toThrow(DeviceError);
    await expect(openDevice({ gpu: busy })).rejects.toThrowErrorMatchingSnapshot();
  });

  test("a new device takes the place of a default one that was lost", () => {
    const { status, stdout, stderr } = runScript(
      `const lost = await openNodeDevice(); lost.gpu.destroy(); await lost.gpu.lost;
       await openNodeDevice(); console.log(await wgrad.exp(wgrad.tensor([0])).item());`,
    );
    expect({ status, stdout }, stderr).toEqual({ status: 0, stdout: "1\n" });
  });

  test("asks for the limits of the adapter, or for the least that WebGPU guarantees", async () => {
    const adapter = await nodeGpu().requestAdapter();
    expect(device().limits.maxStorageBufferBindingSize).toBe(
      adapter?.limits.maxStorageBufferBindingSize,
    );
    const minimal = await openNodeDevice({ minimal: true });
    expect(minimal.limits.maxComputeInvocationsPerWorkgroup).toBe(256);
    expect(minimal.has("shader-f16")).toBe(false);
    const sum = add(tensor([1, 2], { device: minimal }), tensor([10, 20], { device: minimal }));
    expect([...(await sum.data())]).toEqual([11, 22]);
    await minimal.close();
  });

  test("describes the adapter", () => {
    const { adapter } = device();
    expect(`${adapter.vendor}${adapter.device}${adapter.description}`).not.toBe("");
    expect(typeof adapter.software).toBe("boolean");
  });
});

describe("the process", () => {
  test("ends by itself, without close, and survives the garbage collector", () => {
    const { status, stdout, stderr } = runScript(
      `await openNodeDevice();
       for (let i = 0; i < 20; i++) { globalThis.gc(); await new Promise((r) => setTimeout(r, 5)); await wgrad.exp(wgrad.tensor([0])).data(); }
       console.log("end of program");`,
      ["--expose-gc"],
    );
    expect({ status, stdout }, stderr).toEqual({ status: 0, stdout: "end of program\n" });
  });

  test("ends by itself after close, with work still recorded", () => {
    const { status, stdout, stderr } = runScript(
      `const device = await openNodeDevice(); wgrad.exp(wgrad.tensor([0])); await device.close(); await device.close();
       console.log("closed");`,
    );
    expect({ status, stdout }, stderr).toEqual({ status: 0, stdout: "closed\n" });
  });

  test("ends with the error and its code when the program throws", () => {
    const { status, stderr } = runScript(
      `await openNodeDevice(); wgrad.add(wgrad.tensor([1, 2]), wgrad.tensor([1, 2, 3]));`,
    );
    expect(status).toBe(1);
    expect(stderr).toContain("ShapeError: add: shapes do not broadcast");
  });
});

describe("progress of compiling", () => {
  test("a listener that throws stops neither the work nor the device", () => {
    const { status, stdout, stderr } = runScript(
      `process.on("uncaughtException", (error) => { console.log(error.message); });
       const device = await openNodeDevice();
       device.onCompile(({ finished }) => { if (finished === 1) throw new Error("from the listener"); });
       console.log(await wgrad.exp(wgrad.tensor([0])).item());`,
    );
    expect({ status, stdout }, stderr).toEqual({ status: 0, stdout: "from the listener\n1\n" });
  });
});

describe("waiting", () => {
  test("sleeps between polls instead of burning the core", async () => {
    const before = process.cpuUsage();
    await waitPolitely(new Promise((resolve) => setTimeout(resolve, 300)));
    const { user, system } = process.cpuUsage(before);
    // A busy loop would use all of the 300 ms; the bound is wide because other threads of the process count too.
    expect((user + system) / 1000).toBeLessThan(250);
  });

  test("lets timers run meanwhile", async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 10);
    await waitPolitely(new Promise((resolve) => setTimeout(resolve, 200)));
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(3);
  });
});

describe("errors of the device", () => {
  test("a tensor beyond the adapter's limits is refused before anything is allocated", () => {
    const before = device().memory();
    const tooMany = device().limits.maxStorageBufferBindingSize / 4 + 1;
    expect(() => zeros([tooMany])).toThrow(LimitError);
    expect(() => zeros([tooMany])).toThrow(
      /one tensor needs .* more than the .* Use a batch or an image at least/,
    );
    expect(device().memory()).toEqual(before);
  });

  test("a shader that does not compile is reported with file, line and column", async () => {
    const code =
      "@group(0) @binding(0) var<storage, read_write> out: array<f32>;\n@compute @workgroup_size(1)\nfn main() {\n  out[0] = 1u;\n}\n";
    const source = {
      file: "shaders/broken.wgsl",
      code,
      parts: [{ file: "shaders/broken.wgsl", firstLine: 1 }],
    };
    const kernel = defineKernel({ name: "broken", source, grid: () => [1, 1, 1] });
    const out = zeros([1]);
    kernel({ out });
    await expect(out.data()).rejects.toThrow(ShaderError);
    kernel({ out });
    await expect(out.data()).rejects.toThrow(
      /broken: the shader did not compile: shaders\/broken\.wgsl:4:10: /,
    );
    expect([...(await mul(tensor([3]), 2).data())]).toEqual([6]);
  });

  test("an error reaches every wait for what was recorded after it, none before, and none later", async () => {
    const source = {
      file: "broken.wgsl",
      code: "@group(0) @binding(0) var<storage, read_write> out: array<f32>;\n@compute @workgroup_size(1) fn main() { out[0] = 1u; }",
      parts: [],
    };
    const before = exp(tensor(new Float32Array(100_000))).data();
    const out = zeros([1]);
    defineKernel({ name: "broken", source, grid: () => [1, 1, 1] })({ out });
    const after = [out.data(), exp(out).data(), device().synchronize()];
    expect((await before).every((value) => value === 1)).toBe(true);
    for (const error of await errorsOf(after)) expect(error).toBeInstanceOf(ShaderError);
    expect(await exp(tensor([0])).item()).toBe(1);
  });

  test("a command that WebGPU refuses at once spoils no other", async () => {
    const [x, y] = [tensor([1, 2]), zeros([2])];
    const sum = add(x, 10);
    const { buffer } = x.memory("test");
    device().recorder.copy(buffer, -4, y.memory("test").buffer, 0, 4);
    const product = mul(x, 10);
    await expect(device().synchronize()).rejects.toThrow(ValidationError);
    expect([...(await sum.data()), ...(await product.data())]).toEqual([11, 12, 10, 20]);
  });

  test("WebGPU's own validation errors reach the caller, once", async () => {
    device().gpu.createBuffer({ label: "wrong usage", size: 4, usage: 0xffff });
    await expect(exp(tensor([0])).data()).rejects.toThrow(
      /WebGPU refused a command: .*wrong usage/s,
    );
    expect([...(await exp(tensor([0])).data())]).toEqual([1]);
  });

  // Software adapters hand out memory lazily and never run out in a test, so the event is made here.
  test("running out of memory is an error of its own", async () => {
    const error = new GPUOutOfMemoryError("no more memory");
    device().gpu.dispatchEvent(Object.assign(new Event("uncapturederror"), { error }));
    await expect(exp(tensor([0])).data()).rejects.toThrow(OutOfMemoryError);
  });

  test("a device in `await using` is closed at the end of the block", async () => {
    let opened: Device | undefined;
    {
      await using own = await openNodeDevice();
      opened = own;
      expect(own.isLost).toBe(false);
    }
    expect(opened.isLost).toBe(true);
  });

  test("after close, tensors and ops say that the device is gone", async () => {
    const closed = await openNodeDevice();
    const x = tensor([1, 2, 3], { device: closed });
    await closed.close();
    expect(() => exp(x)).toThrow(DeviceLostError);
    expect(() => exp(x)).toThrowErrorMatchingSnapshot();
    expect(() => tensor([1], { device: closed })).toThrow(DeviceLostError);
    await expect(x.data()).rejects.toThrow(DeviceLostError);
    expect(closed.isLost).toBe(true);
  });

  test("waiting for a device that is lost meanwhile is an error", async () => {
    const lost = await openNodeDevice();
    const x = tensor([1, 2, 3], { device: lost });
    const waits = [exp(x).data(), lost.synchronize()];
    lost.gpu.destroy();
    for (const error of await errorsOf(waits)) expect(error).toBeInstanceOf(DeviceLostError);
    await lost.close();
  });

  test("close waits for readbacks under way, also while pipelines compile", async () => {
    const own = await openNodeDevice();
    const reading = exp(exp(tensor([0], { device: own }))).data();
    await Promise.all([own.close(), own.close()]);
    expect((await reading)[0]).toBeCloseTo(Math.E, 5);
  });

  test("a device destroyed behind wgrad's back is reported as lost", async () => {
    const lost = await openNodeDevice();
    const x = tensor([1, 2, 3], { device: lost });
    lost.gpu.destroy();
    await lost.gpu.lost;
    await Promise.resolve();
    expect(() => exp(x)).toThrow(DeviceLostError);
  });

  test("tensors of two devices do not mix", async () => {
    const other = await openNodeDevice();
    const foreign = tensor([2], { device: other });
    expect(() => add(tensor([1]), foreign)).toThrowErrorMatchingSnapshot();
    expect(() => {
      tensor([1]).moveInto(foreign, 0);
    }).toThrowErrorMatchingSnapshot();
    expect(() => {
      backward(exp(tensor([1], { requiresGrad: true })), { gradient: foreign });
    }).toThrowErrorMatchingSnapshot();
    const code =
      "@group(0) @binding(0) var<storage, read> x: array<f32>;\n@group(0) @binding(1) var<storage, read_write> out: array<f32>;\n@compute @workgroup_size(1) fn main() { out[0] = x[0]; }";
    const source = { file: "copy.wgsl", code, parts: [] };
    const kernel = defineKernel({ name: "copy", source, grid: () => [1, 1, 1] });
    expect(() => {
      kernel({ x: tensor([1]), out: foreign });
    }).toThrowErrorMatchingSnapshot();
    await other.close();
  });
});
