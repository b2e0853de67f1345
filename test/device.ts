/** @file The device of the tests: one for each test file, on whatever adapter the environment offers (see docs/development.md). */
import { afterAll, beforeAll } from "vitest";
import { setDefaultDevice, type Device } from "../engine/index.ts";
import { openNodeDevice } from "../engine/node.ts";

/**
 * Opens a device before the tests of a file and closes it afterwards; the result gives it to the tests. Errors that the device
 * reported and that no test awaited fail the file.
 */
export function useDevice(options: Parameters<typeof openNodeDevice>[0] = {}): () => Device {
  let device: Device | undefined;
  beforeAll(async () => {
    device = await openNodeDevice(options);
    setDefaultDevice(device);
  });
  afterAll(async () => {
    if (device === undefined || device.isLost) return;
    await device.synchronize();
    await device.close();
  });
  return () => {
    if (device === undefined)
      throw new Error("useDevice: the device is opened before the tests, not before the file");
    return device;
  };
}
