/** @file The input gradient phase by phase: so no kernel multiplies by the zeros between strides. */
import { ceilDiv } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import type { Geometry } from "../conv2d-geometry.ts";
import { fillWith } from "../fill.ts";
import { byGeometry } from "./launch.ts";

/**
 * Along one axis, the pixels `first, first + stride, ...` of x and the taps that reach them: `tap, tap + tapStep, ...`, none
 * where `tap` is the kernel's size. Pixel number p of the phase is reached through `tap` from pixel `p + shift` of out, through each
 * next tap from `shiftStep` pixels before that.
 */
export interface Phase {
  readonly first: number;
  readonly count: number;
  readonly tap: number;
  readonly tapStep: number;
  readonly shift: number;
  readonly shiftStep: number;
}

/** A phase of the rows and one of the columns. */
export type PhasePair = readonly [Phase, Phase];

const phasePairs = byGeometry((geometry): readonly PhasePair[] => {
  const columns = phasesOf(geometry, 1);
  return phasesOf(geometry, 0).flatMap((y) => columns.map((x) => [y, x] as const));
});

/** The phases that taps reach; the rest of dx is zero, and set so here. */
export function reachedPhases(geometry: Geometry, dx: Tensor): readonly PhasePair[] {
  const phases = phasePairs(geometry);
  const reached = phases.filter(
    ([y, x]) => y.tap < geometry.kernel[0] && x.tap < geometry.kernel[1],
  );
  if (reached.length < phases.length) fillWith(dx, 0);
  return reached;
}

/**
 * Pixels of x with the same remainder modulo the stride are reached by the same taps, so a kernel that makes one such phase
 * multiplies by no zeros. Tap k reaches pixel y from `(y + pad - k dilation) / stride`, if that is a whole number.
 */
function phasesOf(geometry: Geometry, axis: 0 | 1): Phase[] {
  const size = [geometry.height, geometry.width][axis] ?? 0;
  const stride = geometry.stride[axis];
  const dilation = geometry.dilation[axis];
  const kernel = geometry.kernel[axis];
  const tapStep = stride / greatestCommonDivisor(stride, dilation);
  const phases: Phase[] = [];
  for (let first = 0; first < Math.min(stride, size); first++) {
    const reach = first + geometry.pad[axis];
    let tap = 0;
    while (tap < Math.min(tapStep, kernel) && (reach - tap * dilation) % stride !== 0) tap++;
    const reached = tap < Math.min(tapStep, kernel);
    phases.push({
      first,
      count: ceilDiv(size - first, stride),
      tap: reached ? tap : kernel,
      tapStep,
      shift: reached ? (reach - tap * dilation) / stride : 0,
      shiftStep: (tapStep * dilation) / stride,
    });
  }
  return phases;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
