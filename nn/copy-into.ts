/** @file Overwrites a tensor that exists, for example a parameter that an optimizer has moved into a flat buffer. */
import { bytesPerElement, zerosLike, type Tensor } from "../engine/index.ts";

/** Copies all elements of `source` into `target`, of the same size, element type and device. */
export function copyInto(op: string, target: Tensor, source: Tensor): void {
  if (target === source || target.size === 0) return;
  target.hostIntegers = undefined;
  const from = source.memory(op);
  const to = target.memory(op);
  if (from.buffer === to.buffer) {
    // WebGPU copies only between different buffers.
    const between = zerosLike(source);
    copyInto(op, between, source);
    copyInto(op, target, between);
    between.release(op);
    return;
  }
  const bytes = Math.ceil((target.size * bytesPerElement[target.dtype]) / 4) * 4;
  target.device.recorder.copy(from.buffer, from.byteOffset, to.buffer, to.byteOffset, bytes);
}
