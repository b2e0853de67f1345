/**
 * @file Are the results of the peers the same? Each peer sends a fingerprint of its results instead of all of them: a few elements, and
 * two sums over all. Elements of products and convolutions are computed here again in float64; the rest must agree among the peers.
 */
import { seededRandom } from "../../test/inputs.ts";
import type { HostArray } from "../../test/oracles/layout.ts";
import { sizeOf, type Shape } from "../../engine/index.ts";
import { convolutionElement, matmulElement } from "./reference.ts";
import { inputsOf, type Work } from "./work.ts";

/** Of one result. */
export interface Fingerprint {
  readonly shape: Shape;
  /** The elements at `samplePositions(shape)`. */
  readonly samples: readonly number[];
  readonly sum: number;
  /** The sum of the absolute values. */
  readonly magnitude: number;
}

const sampleCount = 64;

/** The first, the last, and seeded positions between. */
function samplePositions(shape: Shape): number[] {
  const size = sizeOf(shape);
  const random = seededRandom(5);
  const between = Array.from({ length: sampleCount - 2 }, () => Math.floor(random() * size));
  return [0, ...between, size - 1];
}

export function fingerprint({ shape, data }: HostArray): Fingerprint {
  let [sum, magnitude] = [0, 0];
  for (const value of data) {
    sum += value;
    magnitude += Math.abs(value);
  }
  const samples = samplePositions(shape).map((position) => data[position] ?? NaN);
  return { shape, samples, sum, magnitude };
}

/** Where two sets of results differ by more than `tolerance` of their typical size, in words; undefined where nowhere. */
export function difference(
  actual: readonly Fingerprint[],
  expected: readonly Fingerprint[],
  tolerance: number,
): string | undefined {
  if (actual.length !== expected.length) {
    return `${actual.length} results instead of ${expected.length}`;
  }
  for (const [i, one] of actual.entries()) {
    const other = expected[i];
    if (other === undefined) continue;
    const where = `result ${i + 1} of ${actual.length}`;
    if (one.shape.join() !== other.shape.join()) {
      return `${where} has the shape [${one.shape.join(", ")}], not [${other.shape.join(", ")}]`;
    }
    const sampled = sampleDifference(one, other.samples, tolerance);
    if (sampled !== undefined) return `${where}: ${sampled}`;
    // Sums forget the order of the elements, but no element.
    for (const total of ["sum", "magnitude"] as const) {
      const error = Math.abs(one[total] - other[total]) / other.magnitude;
      if (!(error <= tolerance)) return `${where}: the ${total} is off by ${percent(error)}`;
    }
  }
  return undefined;
}

/** The same for elements alone. */
function sampleDifference(
  { shape, samples }: Fingerprint,
  expected: readonly number[],
  tolerance: number,
): string | undefined {
  const squares = expected.reduce((sum, value) => sum + value * value, 0);
  const typical = Math.sqrt(squares / expected.length);
  const positions = samplePositions(shape);
  for (const [i, value] of samples.entries()) {
    const wanted = expected[i] ?? NaN;
    if (!(Math.abs(value - wanted) <= tolerance * typical)) {
      return `element ${positions[i] ?? 0} is ${value.toPrecision(4)}, not ${wanted.toPrecision(4)}`;
    }
  }
  return undefined;
}

/** Where results differ from float64, in words. Work of which whole networks are made has no float64 reference. */
export function referenceDifference(
  work: Work,
  results: readonly Fingerprint[],
  tolerance: number,
): string | undefined {
  const elements = referenceElements(work);
  if (elements === undefined) return undefined;
  for (const [i, result] of results.entries()) {
    const expected = samplePositions(result.shape).map((position) => elements(i, position));
    const found = sampleDifference(result, expected, tolerance);
    if (found !== undefined) return `result ${i + 1} of ${results.length}: ${found}`;
  }
  return undefined;
}

type ReferenceElements = (result: number, position: number) => number;

function referenceElements(work: Work): ReferenceElements | undefined {
  switch (work.kind) {
    case "matmul":
      return matmulElement(inputsOf(work), work.size);
    case "convolution":
      return convolutionElement(inputsOf(work), work.convolution);
    case "chain":
    case "inference":
    case "training":
      return undefined;
  }
}

/** How far apart f32 results may be, in parts of their typical size. */
export function toleranceOf({ kind }: Work): number {
  switch (kind) {
    case "matmul":
    case "convolution":
    case "inference":
      return 1e-3;
    case "chain":
      return 1e-5;
    case "training":
      // A unit in front of a relu may be 0 but for rounding; then one peer lets a gradient through, and another does not.
      return 2e-2;
  }
}

function percent(part: number): string {
  return `${(100 * part).toPrecision(2)} %`;
}
