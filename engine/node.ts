/**
 * @file WebGPU in Node: the package `webgpu` (Dawn), kept alive and waited for politely. Import it as `wgrad/node`.
 */
import { create } from "webgpu";
import { openDevice, type Device, type DeviceOptions } from "./device/device.ts";
import { NoAdapterError } from "./errors.ts";
import { defaultTuningFile, openTuningFile } from "./tuning/tuning-file.ts";
import { useTuningTable } from "./tuning/tune.ts";

export {
  addToTuningFile,
  defaultTuningFile,
  readTuningFile,
  writeTuningFile,
} from "./tuning/tuning-file.ts";

export interface NodeDeviceOptions extends Omit<DeviceOptions, "gpu" | "wait"> {
  /**
   * The file with the winners that were measured on this machine, by `wgrad tune` or by programs that tune; false for none. Default:
   * `defaultTuningFile()`. Winners that this program measures are added to it. A file that does not exist is an empty one; one that
   * cannot be read is ignored, and one that cannot be written left alone, with a warning.
   */
  readonly tuning?: string | false;
}

let instance: GPU | undefined;

/**
 * Dawn's `GPU` object for Node, one for the process. It must stay reachable: when the garbage collector takes it, the
 * process dies. So this module holds it until the end.
 */
export function nodeGpu(): GPU {
  instance ??= create([]);
  return instance;
}

/** Opens a device on this machine. Options as for `openDevice`, whose `gpu` and `wait` are filled in. */
export async function openNodeDevice(options: NodeDeviceOptions = {}): Promise<Device> {
  const { tuning = defaultTuningFile(), ...rest } = options;
  const device = await openAnyDevice(rest);
  if (tuning !== false) useTuningTable(device, await openTuningFile(tuning));
  return device;
}

async function openAnyDevice(options: Omit<NodeDeviceOptions, "tuning">): Promise<Device> {
  try {
    return await openDevice({ ...options, gpu: nodeGpu(), wait: waitPolitely });
  } catch (error) {
    if (!(error instanceof NoAdapterError)) throw error;
    throw new NoAdapterError(
      "openNodeDevice",
      "Dawn found no adapter on this machine",
      "Run `npm run setup`, or install a driver by hand (Debian and Ubuntu, as root: apt-get install mesa-vulkan-drivers, version 25 or newer)",
    );
  }
}

/** How long one poll sleeps: short beside a training step, long beside the poll itself. */
const sleepMilliseconds = 1;

const sleepCell = new Int32Array(new SharedArrayBuffer(4));
let waiting = 0;
let sleeping = false;

/**
 * Awaits a promise of Dawn without burning a core. While one is pending, Dawn's binding polls in every turn of the event
 * loop, one turn after another; on a software adapter that takes a core from the shaders. Here each turn sleeps first.
 * Timers and other callbacks still run, at most a millisecond late.
 */
export async function waitPolitely<T>(promise: Promise<T>): Promise<T> {
  waiting++;
  if (!sleeping) {
    sleeping = true;
    setImmediate(sleepOneTurn);
  }
  try {
    return await promise;
  } finally {
    waiting--;
  }
}

function sleepOneTurn(): void {
  sleeping = waiting > 0;
  if (!sleeping) return;
  Atomics.wait(sleepCell, 0, 0, sleepMilliseconds);
  setImmediate(sleepOneTurn);
}
