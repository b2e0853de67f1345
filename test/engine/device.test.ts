/** @file Opening, closing, losing and overfilling a device. */
import { globals } from "webgpu";
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import {
  add,
  DeviceLostError,
  exp,
  LimitError,
  mul,
  NoAdapterError,
  OutOfMemoryError,
  openDevice,
  ShaderError,
  tensor,
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

describe("openDevice", () => {
  test("without WebGPU says what to use instead", async () => {
    await expect(openDevice({ gpu: undefined })).rejects.toThrowErrorMatchingSnapshot();
  });

  test("without an adapter says what to install", async () => {
    const empty = { requestAdapter: () => Promise.resolve(null) } as unknown as GPU;
    await expect(openDevice({ gpu: empty })).rejects.toThrow(NoAdapterError);
    await expect(openDevice({ gpu: empty })).rejects.toThrowErrorMatchingSnapshot();
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
    expect(() => add(tensor([1]), tensor([2], { device: other }))).toThrowErrorMatchingSnapshot();
    await other.close();
  });
});
