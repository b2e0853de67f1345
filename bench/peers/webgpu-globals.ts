/**
 * @file Makes Node look to libraries for browsers as if it had WebGPU: they ask `navigator.gpu` only. Import it before them.
 */
import { cpus } from "node:os";
import { globals } from "webgpu";
import { nodeGpu, waitPolitely } from "../../engine/node.ts";

Object.assign(globalThis, globals);
Object.defineProperty(globalThis, "navigator", {
  value: { gpu: nodeGpu(), userAgent: "Node", hardwareConcurrency: cpus().length },
  configurable: true,
});

/** The adapter that a library gets, in words. */
export async function adapterName(): Promise<string> {
  const adapter = await nodeGpu().requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null) throw new Error("no WebGPU adapter on this machine");
  const { vendor, architecture, description } = adapter.info;
  return [vendor, architecture, description].filter((part) => part !== "").join(", ");
}

/**
 * Resolves when the queue has done everything submitted. It waits as wgrad does, asleep between polls, since a busy loop would take
 * one of its cores from a software adapter.
 */
export async function queueDone({ queue }: { readonly queue: GPUQueue }): Promise<void> {
  await waitPolitely(queue.onSubmittedWorkDone());
}
