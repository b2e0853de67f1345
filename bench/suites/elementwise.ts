/** @file Elementwise ops and movements of whole tensors. */
import {
  add,
  cast,
  greater,
  mul,
  permute,
  relu,
  sigmoid,
  sizeOf,
  type Shape,
  type Tensor,
} from "../../engine/index.ts";
import type { BenchCase } from "../case.ts";
import { at, input } from "./inputs.ts";
import { activations, memoryCase, named, samples } from "./memory-case.ts";

interface Elementwise {
  readonly op: string;
  /** Numbers read and written for each element. */
  readonly moved: number;
  readonly run: (a: Tensor, b: Tensor, row: Tensor) => Tensor;
  readonly expected: (a: number, b: number, row: number) => number;
}

const ops: readonly Elementwise[] = [
  { op: "relu", moved: 2, run: (a) => relu(a), expected: (a) => Math.max(a, 0) },
  { op: "add", moved: 3, run: (a, b) => add(a, b), expected: (a, b) => a + b },
  { op: "add a row", moved: 2, run: (a, _, row) => add(a, row), expected: (a, _, row) => a + row },
  { op: "mul by a number", moved: 2, run: (a) => mul(a, 3), expected: (a) => 3 * a },
  { op: "greater", moved: 3, run: (a, b) => greater(a, b), expected: (a, b) => Number(a > b) },
  { op: "sigmoid", moved: 2, run: (a) => sigmoid(a), expected: (a) => 1 / (1 + Math.exp(-a)) },
  { op: "cast to i32", moved: 2, run: (a) => cast(a, "i32"), expected: (a) => Math.trunc(a) },
];

function elementwiseCase({ op, moved, run, expected }: Elementwise, shape: Shape): BenchCase {
  const channels = shape.at(-1) ?? 1;
  return memoryCase({
    suite: "elementwise",
    op,
    shape: named(shape),
    numbers: moved * sizeOf(shape),
    prepare: (device) => {
      const a = input(device, shape, 1);
      const b = input(device, shape, 2);
      const row = input(device, [channels], 3);
      const wanted = (i: number): number =>
        expected(at(a.values, i), at(b.values, i), at(row.values, i % channels));
      return {
        run: () => run(a.tensor, b.tensor, row.tensor),
        check: { expected: wanted, samples, tolerance: 1e-5 },
      };
    },
  });
}

/** Images to channels first, as other frameworks want them. */
function permuteCase(shape: Shape): BenchCase {
  const [, height = 1, width = 1, channels = 1] = shape;
  const pixels = height * width;
  return memoryCase({
    suite: "elementwise",
    op: "permute to channels first",
    shape: named(shape),
    numbers: 2 * sizeOf(shape),
    prepare: (device) => {
      const x = input(device, shape, 1);
      const expected = (index: number): number => {
        const plane = Math.floor(index / pixels);
        const image = Math.floor(plane / channels);
        const pixel = image * pixels + (index % pixels);
        return at(x.values, pixel * channels + (plane % channels));
      };
      return {
        run: () => permute(x.tensor, [0, 3, 1, 2]),
        check: { expected, samples, tolerance: 0 },
      };
    },
  });
}

export function elementwiseCases(): readonly BenchCase[] {
  return activations.flatMap((shape) => [
    ...ops.map((op) => elementwiseCase(op, shape)),
    permuteCase(shape),
  ]);
}
