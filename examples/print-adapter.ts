/** @file What every example says first: which adapter computes. */
import type { Device } from "../engine/index.ts";

export function printAdapter({ adapter }: Device): void {
  console.log(`Adapter: ${adapter.description || `${adapter.vendor} ${adapter.device}`}`);
  if (adapter.software) {
    console.log("This is a software adapter: the shaders run on the CPU. A GPU is much faster.");
  }
}
