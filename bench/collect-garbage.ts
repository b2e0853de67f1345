/** @file Frees the device memory of what earlier cases left behind, which only the garbage collector can: parameters are kept. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Device } from "../engine/index.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Collects until nothing more is freed. Finalizers run between two turns of the event loop, so some rounds may free nothing. */
export async function collectGarbage(device: Device): Promise<void> {
  let idleRounds = 0;
  while (idleRounds < 3) {
    const before = device.memory().liveBytes;
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
    idleRounds = device.memory().liveBytes < before ? 0 : idleRounds + 1;
  }
}
