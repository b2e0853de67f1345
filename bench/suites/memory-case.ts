/**
 * @file Cases of ops that do little arithmetic for each byte, so that their limit is how fast memory moves. What must move is stated
 * with each: every input read once and every output written once, for each pass that the mathematics asks for.
 */
import { grad, type Device, type Shape, type Tensor } from "../../engine/index.ts";
import type { BenchCase, Prepared } from "../case.ts";

export interface MemoryCase {
  readonly suite: string;
  readonly op: string;
  readonly shape: string;
  /** Numbers of 4 bytes that must be read or written. */
  readonly numbers: number;
  readonly prepare: (device: Device) => Prepared;
}

export function memoryCase({ suite, op, shape, numbers, prepare }: MemoryCase): BenchCase {
  return { suite, op, shape, work: { bound: "memory", flops: 0, bytes: 4 * numbers }, prepare };
}

/** The activations of the first and the last stage of ResNet-34 at 224 x 224, and of a small net. */
export const activations: readonly Shape[] = [
  [8, 56, 56, 64],
  [8, 7, 7, 512],
  [64, 28, 28, 16],
];

/** How many elements of a large result are checked. */
export const samples = 2048;

export const named = (shape: Shape): string => shape.join(" x ");

/**
 * A body that walks the graph of `out` backward again and again: only the backward pass is timed. It returns the gradient of `x`.
 */
export function backwardOnly(out: Tensor, x: Tensor, dy?: Tensor): () => Tensor {
  const options = { retainGraph: true, ...(dy !== undefined && { gradient: dy }) };
  let last: Tensor | undefined;
  return () => {
    // Gradients are kept from their scope, so that of the run before is given back here.
    last?.release("bench");
    const { x: dx } = grad(out, { x }, options);
    if (dx === null) throw new Error("benchmark: x got no gradient");
    return (last = dx);
  };
}
