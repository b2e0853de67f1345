/**
 * @file Prints the WebGPU adapter that Dawn opens here, as JSON, or `null`. A program of its own: the answer depends on
 * drivers, which a process looks for only once, and a broken driver may take the process down.
 */
import { create } from "webgpu";

// A global, because the process dies when the garbage collector takes Dawn's object.
const holder = /** @type {{ gpu?: GPU }} */ (globalThis);
holder.gpu = create([]);
const adapter = await holder.gpu.requestAdapter();
const info = adapter?.info;
console.log(
  JSON.stringify(
    info === undefined
      ? null
      : { name: info.description || info.device, software: info.isFallbackAdapter },
  ),
);
