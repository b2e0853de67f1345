/**
 * @file The device: one adapter opened, with its buffers, pipelines and queue. Everything above this folder speaks of
 * tensors; everything in it speaks WebGPU.
 */
import { ArgumentError, DeviceError, DeviceLostError, NoAdapterError } from "../errors.ts";
import { BufferPool, type DeviceBuffer, type MemoryReport } from "./buffer-pool.ts";
import { CommandRecorder } from "./command-recorder.ts";
import { convertError, describeLoss, PendingErrors, type Loss } from "./device-errors.ts";
import { PipelineCache, type CompileProgress } from "./pipeline-cache.ts";
import { Readback } from "./readback.ts";

/** Waits for a promise of WebGPU; the host decides how (Node must not poll in a busy loop). */
export type Wait = <T>(promise: Promise<T>) => Promise<T>;

export interface DeviceOptions {
  /** The WebGPU implementation: `navigator.gpu` in a browser, `nodeGpu()` of `wgrad/node` in Node. */
  readonly gpu: GPU | undefined;
  /** A hint for machines with two GPUs. Default: "high-performance". */
  readonly powerPreference?: GPUPowerPreference;
  /** Ask for WebGPU's default limits and no optional feature, as the weakest conforming device has. Default: false. */
  readonly minimal?: boolean;
  /** How to wait for results. Default: plain `await`; `wgrad/node` sleeps between polls. */
  readonly wait?: Wait;
}

/** What the device runs on, for people and for benchmark records. */
export interface AdapterDescription {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** True when the shaders run on the CPU: right, but slow. */
  readonly software: boolean;
  /** Invocations that run in lockstep, `[smallest, largest]`; undefined without the feature `subgroups`. */
  readonly subgroupSizes: readonly [number, number] | undefined;
}

let current: Device | undefined;

/**
 * Opens the best adapter with all the limits and the features it has, and makes it the default device if there is none, or if
 * the one there is was lost.
 *
 * @throws NoAdapterError when WebGPU is missing or offers no adapter.
 * @throws DeviceError when the adapter refuses to be opened.
 */
export async function openDevice(options: DeviceOptions): Promise<Device> {
  const {
    gpu,
    powerPreference = "high-performance",
    minimal = false,
    wait = waitPlainly,
  } = options;
  if (gpu === undefined) {
    throw new NoAdapterError(
      "openDevice",
      "this runtime has no WebGPU: navigator.gpu is undefined",
      "Use a browser with WebGPU over https or localhost, or `openNodeDevice()` of wgrad/node in Node",
    );
  }
  const adapter = await wait(gpu.requestAdapter({ powerPreference }));
  if (adapter === null) {
    throw new NoAdapterError(
      "openDevice",
      "WebGPU found no adapter: requestAdapter() gave null",
      "Install a GPU driver, or a software one (on Debian and Ubuntu as root: apt-get install mesa-vulkan-drivers, version 25 or newer)",
    );
  }
  const opened = new Device(await requestDevice(adapter, minimal, wait), describe(adapter), wait);
  if (current === undefined || current.isLost) current = opened;
  return opened;
}

async function requestDevice(
  adapter: GPUAdapter,
  minimal: boolean,
  wait: Wait,
): Promise<GPUDevice> {
  const features = usefulFeatures.filter((feature) => adapter.features.has(feature));
  try {
    return await wait(
      adapter.requestDevice({
        label: "wgrad",
        requiredLimits: minimal ? {} : limitsOf(adapter),
        requiredFeatures: minimal ? [] : features,
      }),
    );
  } catch (cause) {
    throw new DeviceError(
      "openDevice",
      `the adapter could not be opened: ${cause instanceof Error ? cause.message.trim() : String(cause)}`,
      "Close other programs that use the GPU, update the driver, or try { minimal: true }",
    );
  }
}

function waitPlainly<T>(promise: Promise<T>): Promise<T> {
  return promise;
}

const usefulFeatures: readonly GPUFeatureName[] = ["shader-f16", "subgroups", "timestamp-query"];

/** The limits that decide how large a tensor and how fast a kernel can be. */
const usefulLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupStorageSize",
] as const;

function limitsOf(adapter: GPUAdapter): Record<string, number> {
  return Object.fromEntries(usefulLimits.map((name) => [name, adapter.limits[name]]));
}

function describe(adapter: GPUAdapter): AdapterDescription {
  const { vendor, architecture, device, description } = adapter.info;
  const software =
    adapter.info.isFallbackAdapter ||
    /llvmpipe|swiftshader|softpipe|basic render/i.test(
      `${vendor} ${architecture} ${device} ${description}`,
    );
  const { subgroupMinSize: smallest, subgroupMaxSize: largest } = adapter.info;
  const subgroupSizes =
    adapter.features.has("subgroups") && smallest !== undefined && largest !== undefined
      ? ([smallest, largest] as const)
      : undefined;
  return { vendor, architecture, device, description, software, subgroupSizes };
}

/** The device that `tensor()` and the layers use when none is named. Throws `DeviceError` before the first `openDevice`. */
export function defaultDevice(op = "defaultDevice"): Device {
  if (current === undefined) {
    throw new DeviceError(
      op,
      "no device is open",
      "Call `await openNodeDevice()` (wgrad/node) or `await openDevice({ gpu: navigator.gpu })` first",
    );
  }
  return current;
}

/** Makes `device` the default. */
export function setDefaultDevice(device: Device): void {
  current = device;
}

export class Device implements AsyncDisposable {
  /** The WebGPU device, for code outside wgrad that shares it. */
  readonly gpu: GPUDevice;
  readonly adapter: AdapterDescription;
  readonly recorder: CommandRecorder;
  readonly buffers: BufferPool;
  readonly pipelines: PipelineCache;
  readonly #wait: Wait;
  readonly #readback: Readback;
  readonly #errors = new PendingErrors();
  /** A copy: asking the binding takes as long as a dispatch. */
  readonly #features: ReadonlySet<string>;
  #lost: Loss | undefined;

  /** Use `openDevice`. */
  constructor(gpu: GPUDevice, adapter: AdapterDescription, wait: Wait) {
    this.gpu = gpu;
    this.adapter = adapter;
    this.#features = new Set(gpu.features);
    this.#wait = wait;
    this.recorder = new CommandRecorder(gpu, (error, serial) => {
      this.#errors.report(error, serial);
    });
    this.buffers = new BufferPool(
      gpu,
      (buffer) => this.recorder.isIdle(buffer),
      () => {
        this.recorder.forgetBindGroups();
      },
    );
    this.pipelines = new PipelineCache(gpu, wait);
    this.#readback = new Readback(gpu, this.recorder, wait);
    gpu.addEventListener("uncapturederror", (event) => {
      this.#errors.report(convertError(event.error), 0);
    });
    void gpu.lost.then(({ reason, message }) => {
      this.#lost ??= describeLoss(reason, message);
    });
  }

  get limits(): GPUSupportedLimits {
    return this.gpu.limits;
  }

  /** True when the adapter has the feature and the device was opened with it. */
  has(feature: GPUFeatureName): boolean {
    return this.#features.has(feature);
  }

  /** True when invocations run in lockstep groups of exactly `size`. */
  hasSubgroupsOf(size: number): boolean {
    return (
      this.has("subgroups") && this.adapter.subgroupSizes?.every((end) => end === size) === true
    );
  }

  /** Live and pooled buffers and bytes. */
  memory(): MemoryReport {
    return this.buffers.memory();
  }

  /** Calls `listener` as pipelines are requested and finish; the result stops it. */
  onCompile(listener: (progress: CompileProgress) => void): () => void {
    return this.pipelines.onProgress(listener);
  }

  /** True once the device is closed or lost. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Throws `DeviceLostError` when the device is gone, so that an op refuses before it records. */
  assertUsable(op: string): void {
    if (this.#lost !== undefined) throw new DeviceLostError(op, this.#lost.problem, this.#lost.fix);
  }

  /** Hands everything recorded to the device without waiting for it. */
  flush(): void {
    void this.recorder.flush();
  }

  /**
   * Submits everything recorded and resolves when the device has finished it.
   *
   * @throws DeviceLostError when the device is gone before.
   * @throws DeviceError of another kind when something recorded so far failed on the device.
   */
  async synchronize(): Promise<void> {
    this.assertUsable("synchronize");
    const submitted = this.recorder.flush();
    const wait = this.#errors.beginWait(this.recorder.flushed);
    await submitted;
    await this.#wait(this.gpu.queue.onSubmittedWorkDone());
    this.#errors.throwFor(wait);
    this.assertUsable("synchronize");
  }

  /** Bytes of a buffer, as they are after everything recorded so far. Throws like `synchronize`. */
  async read(
    op: string,
    buffer: DeviceBuffer,
    byteOffset: number,
    byteLength: number,
  ): Promise<ArrayBuffer> {
    this.assertUsable(op);
    const reading = this.#readback.read(buffer, byteOffset, byteLength);
    const wait = this.#errors.beginWait(this.recorder.flushed);
    const bytes = await reading.catch(async (cause: unknown) => {
      this.#errors.throwFor(wait);
      // Memory cannot be mapped on a lost device; that it is lost may be announced a little later.
      await new Promise((resolve) => setTimeout(resolve));
      this.assertUsable(op);
      throw cause;
    });
    this.#errors.throwFor(wait);
    return bytes;
  }

  /** Waits the way the host wants it; see `DeviceOptions.wait`. */
  wait<T>(promise: Promise<T>): Promise<T> {
    return this.#wait(promise);
  }

  /**
   * Finishes the work under way and frees everything. Tensors of the device cannot be used afterwards. Twice is harmless. Errors
   * that no wait has thrown are dropped; `synchronize` before, to see them.
   */
  async close(): Promise<void> {
    try {
      if (this.#lost === undefined) {
        await this.recorder.flush();
        await this.#wait(this.gpu.queue.onSubmittedWorkDone());
      }
    } finally {
      this.#lost ??= describeLoss("destroyed", "");
      if (current === this) current = undefined;
      this.gpu.destroy();
    }
  }

  /** `await using device = await openNodeDevice()` closes the device at the end of the block, also after an error. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Refuses tensors of different devices in one op. */
export function sameDevice(op: string, devices: readonly Device[]): Device {
  const [first] = devices;
  if (first === undefined) throw new ArgumentError(op, "no input tensor: []", "Pass at least one");
  if (devices.some((device) => device !== first)) {
    throw new DeviceError(
      op,
      "the inputs live on different devices",
      "Create all of them on one device",
    );
  }
  first.assertUsable(op);
  return first;
}
