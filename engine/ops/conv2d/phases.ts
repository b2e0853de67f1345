/** @file The input gradient phase by phase: see `phasesOf`. By phases no kernel multiplies by the zeros between strides. */
import type { Tensor } from "../../tensor.ts";
import { phasesOf, type Geometry, type Phase } from "../conv2d-geometry.ts";
import { fillWith } from "../fill.ts";
import { byGeometry } from "./launch.ts";

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
