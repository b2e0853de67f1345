/** @file A model here and its ONNX file in onnxruntime, on the same images. */
import { afterAll, expect } from "vitest";
import { noGrad, tensor } from "../../engine/index.ts";
import type { Module } from "../../nn/index.ts";
import { encodeOnnx, type OnnxOptions } from "../../vision/index.ts";
import { seededRandom } from "../inputs.ts";
import { randomArray, toNchw, toNhwc, type HostArray } from "../oracles/layout.ts";
import { runOnnxFile } from "../oracles/onnx-model.ts";

/** [batch, height, width, channels] */
type ImageShape = readonly [number, number, number, number];

/** Gives all parameters and statistics values that a fresh model does not have: norms that shift, variances that are not 1. */
export function scramble(model: Module, seed = 1): void {
  const random = seededRandom(seed);
  for (const [name, { tensor: state }] of model.stateEntries()) {
    if (name.endsWith("num_batches_tracked") || state.shape.length > 1) continue;
    const [low, high] =
      name.endsWith("running_var") || /(bn|norm)\S*weight$/.test(name) ? [0.5, 1.5] : [-0.5, 0.5];
    state.write(Float32Array.from({ length: state.size }, () => low + (high - low) * random()));
  }
}

/**
 * Compares, and prints one line at the end of the file: the worst difference of each group, relative to the largest number of the result.
 * Networks are groups of their own name.
 */
export function compareOnnx(): (
  what: string,
  model: Module,
  shapes: readonly ImageShape[],
  options?: OnnxOptions & { readonly tolerance?: number; readonly group?: string },
) => Promise<void> {
  const worst = new Map<string, number>();
  afterAll(() => {
    const groups = Array.from(worst, ([group, found]) => `${group} ${found.toExponential(1)}`);
    process.stdout.write(
      `onnx: worst differences from onnxruntime relative to the largest output: ${groups.join(", ")}\n`,
    );
  });
  return async (what, model, shapes, { tolerance = 1e-5, group = "layers", ...options } = {}) => {
    model.eval();
    const random = seededRandom(2);
    const images = shapes.map((shape) => randomArray(shape, random));
    const bytes = await encodeOnnx(model, options);
    const theirs = await runOnnxFile(
      bytes,
      images.map((image) => ({ [options.input ?? "image"]: toNchw(image) })),
    );
    for (const [i, image] of images.entries()) {
      const ours = noGrad(() => model.forward(tensor(image.data, { shape: image.shape })));
      const difference = relativeDifference(
        { shape: ours.shape, data: (await ours.data()) as Float32Array },
        inOurOrder(theirs[i]),
      );
      if (!(difference <= (worst.get(group) ?? 0))) worst.set(group, difference);
      expect(difference, `${what} ${image.shape.join(" x ")}`).toBeLessThan(tolerance);
    }
  };
}

function inOurOrder(result: HostArray | undefined): HostArray {
  if (result === undefined) throw new Error("onnxruntime gave no result");
  return result.shape.length === 4 ? toNhwc(result) : result;
}

export function relativeDifference(actual: HostArray, expected: HostArray): number {
  expect(actual.shape).toEqual(expected.shape);
  let [largest, worst] = [0, 0];
  for (const [i, value] of expected.data.entries()) {
    largest = Math.max(largest, Math.abs(value));
    worst = Math.max(worst, Math.abs(value - (actual.data[i] ?? NaN)));
  }
  return worst === 0 ? 0 : worst / largest;
}
