/** @file Sets every element of existing memory to one value. */
import source from "../../shaders/create/fill.wgsl";
import { bytesPerElement, encodeHostData } from "../dtype.ts";
import { defineKernel } from "../kernel.ts";
import type { Tensor } from "../tensor.ts";
import { vectorGrid, vectorsOn } from "./vectors.ts";

const kernel = defineKernel({ name: "fill", source, grid: vectorGrid });

/** Overwrites every element of `out`; returns it. 0 needs no kernel: the queue clears memory by itself. */
export function fillWith(out: Tensor, value: number): Tensor {
  if (out.size === 0) return out;
  const elementBytes = bytesPerElement[out.dtype];
  const words = Math.ceil((out.size * elementBytes) / 4);
  if (Object.is(value, 0)) {
    const { buffer, byteOffset } = out.memory("fill");
    out.device.recorder.clear(buffer, byteOffset, 4 * words);
    return out;
  }
  const bytes = encodeHostData(new Array<number>(4 / elementBytes).fill(value), out.dtype);
  const [word = 0] = new Uint32Array(bytes.buffer);
  kernel({ out }, { size: words, word }, { overrides: { VECTORS: vectorsOn(out.device) } });
  return out;
}
