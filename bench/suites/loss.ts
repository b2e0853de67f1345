/** @file Softmax and the cross-entropy of a classifier. A row fits into registers or caches, so it has to be read once. */
import { crossEntropy, setRequiresGrad, softmax, tensor, type Device } from "../../engine/index.ts";
import type { BenchCase, Prepared } from "../case.ts";
import { at, input } from "./inputs.ts";
import { backwardOnly, memoryCase, samples } from "./memory-case.ts";

/** Rows and classes: a small batch of pets, ImageNet, many rows of few classes, a vocabulary. */
const sizes: readonly (readonly [rows: number, classes: number])[] = [
  [8, 37],
  [64, 1000],
  [8192, 10],
  [32, 32000],
];

interface Problem {
  readonly rows: number;
  readonly classes: number;
  readonly logits: ReturnType<typeof input>;
  readonly labels: readonly number[];
}

function problem(device: Device, rows: number, classes: number): Problem {
  const labels = Array.from({ length: rows }, (_, row) => (row * 7919) % classes);
  return { rows, classes, logits: input(device, [rows, classes], 1), labels };
}

/** exp(x - the row's largest) and their sum. */
function exponentials({ classes, logits }: Problem, row: number) {
  const values = logits.values.subarray(row * classes, (row + 1) * classes);
  const largest = values.reduce((a, b) => Math.max(a, b));
  const each = Float64Array.from(values, (value) => Math.exp(value - largest));
  return { each, sum: each.reduce((a, b) => a + b, 0), largest };
}

function softmaxForward(device: Device, rows: number, classes: number): Prepared {
  const given = problem(device, rows, classes);
  const expected = (index: number): number => {
    const { each, sum } = exponentials(given, Math.floor(index / classes));
    return at(each, index % classes) / sum;
  };
  return {
    run: () => softmax(given.logits.tensor),
    check: { expected, samples: Math.min(samples, 256), tolerance: 1e-5 },
  };
}

function lossForward(device: Device, rows: number, classes: number): Prepared {
  const given = problem(device, rows, classes);
  const labels = tensor(Int32Array.from(given.labels), { device });
  const expected = (): number => {
    let total = 0;
    for (let row = 0; row < rows; row++) {
      const { sum, largest } = exponentials(given, row);
      const label = given.labels[row] ?? 0;
      total += Math.log(sum) + largest - at(given.logits.values, row * classes + label);
    }
    return total / rows;
  };
  return {
    run: () => crossEntropy(given.logits.tensor, labels),
    check: { expected, tolerance: 1e-5 },
  };
}

function lossBackward(device: Device, rows: number, classes: number): Prepared {
  const given = problem(device, rows, classes);
  setRequiresGrad(given.logits.tensor, true);
  const loss = crossEntropy(given.logits.tensor, tensor(Int32Array.from(given.labels), { device }));
  const expected = (index: number): number => {
    const [row, column] = [Math.floor(index / classes), index % classes];
    const { each, sum } = exponentials(given, row);
    return (at(each, column) / sum - Number(column === given.labels[row])) / rows;
  };
  return {
    run: backwardOnly(loss, given.logits.tensor),
    check: { expected, samples: 256, tolerance: 1e-5 },
  };
}

export function lossCases(): readonly BenchCase[] {
  return sizes.flatMap(([rows, classes]) => {
    const size = rows * classes;
    const common = { suite: "loss", shape: `${rows} x ${classes}` };
    return [
      memoryCase({
        ...{ ...common, op: "softmax", numbers: 2 * size },
        prepare: (device) => softmaxForward(device, rows, classes),
      }),
      memoryCase({
        ...{ ...common, op: "cross-entropy", numbers: size + 2 * rows },
        prepare: (device) => lossForward(device, rows, classes),
      }),
      memoryCase({
        ...{ ...common, op: "cross-entropy: gradient", numbers: 2 * size + rows },
        prepare: (device) => lossBackward(device, rows, classes),
      }),
    ];
  });
}
