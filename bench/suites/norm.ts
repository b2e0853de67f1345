/**
 * @file Batch norm in training, as ResNet uses it: with relu, and with relu and a residual. The moments must be complete before the
 * first element can be normalised, so x is read twice; the gradient likewise reads x and dy twice.
 */
import {
  batchNorm,
  layerNorm,
  setRequiresGrad,
  sizeOf,
  type Device,
  type Shape,
} from "../../engine/index.ts";
import type { BenchCase, Prepared } from "../case.ts";
import { at, input, type Input } from "./inputs.ts";
import { activations, backwardOnly, memoryCase, named } from "./memory-case.ts";

const eps = 1e-5;

/** Mean and 1 / standard deviation of a channel. */
function moments(values: Float32Array, channels: number, channel: number) {
  const count = values.length / channels;
  let sum = 0;
  for (let i = channel; i < values.length; i += channels) sum += at(values, i);
  const mean = sum / count;
  let squares = 0;
  for (let i = channel; i < values.length; i += channels) squares += (at(values, i) - mean) ** 2;
  return { mean, scale: 1 / Math.sqrt(squares / count + eps), count };
}

function forward(device: Device, shape: Shape, withResidual: boolean): Prepared {
  const channels = shape.at(-1) ?? 1;
  const x = input(device, shape, 1);
  const [weight, bias] = [input(device, [channels], 2), input(device, [channels], 3)];
  const residual = input(device, shape, 4);
  const options = {
    ...{ weight: weight.tensor, bias: bias.tensor, training: true, eps },
    ...{ activation: "relu" as const, ...(withResidual && { residual: residual.tensor }) },
  };
  const expected = (index: number): number => {
    const channel = index % channels;
    const { mean, scale } = moments(x.values, channels, channel);
    const normal = (at(x.values, index) - mean) * scale;
    const out = normal * at(weight.values, channel) + at(bias.values, channel);
    return Math.max(0, out + (withResidual ? at(residual.values, index) : 0));
  };
  return {
    run: () => batchNorm(x.tensor, options),
    check: { expected, samples: 64, tolerance: 1e-4 },
  };
}

/** dx = weight scale (g - mean(g) - xhat mean(g xhat)), with g = dy where relu let x through. */
function backward(device: Device, shape: Shape): Prepared {
  const channels = shape.at(-1) ?? 1;
  const x = input(device, shape, 1);
  const [weight, bias] = [input(device, [channels], 2), input(device, [channels], 3)];
  const dy = input(device, shape, 4);
  for (const leaf of [x, weight, bias]) setRequiresGrad(leaf.tensor, true);
  const affine = { weight: weight.tensor, bias: bias.tensor };
  const out = batchNorm(x.tensor, { ...affine, training: true, activation: "relu", eps });
  const expected = (index: number): number => {
    const channel = index % channels;
    const [w, b] = [at(weight.values, channel), at(bias.values, channel)];
    const { mean, scale, count } = moments(x.values, channels, channel);
    const normal = (i: number): number => (at(x.values, i) - mean) * scale;
    const g = (i: number): number => (w * normal(i) + b > 0 ? at(dy.values, i) : 0);
    let [sum, product] = [0, 0];
    for (let i = channel; i < x.values.length; i += channels) {
      sum += g(i);
      product += g(i) * normal(i);
    }
    return w * scale * (g(index) - sum / count - (normal(index) * product) / count);
  };
  return {
    run: backwardOnly(out, x.tensor, dy.tensor),
    check: { expected, samples: 32, tolerance: 1e-3 },
  };
}

function layerNormForward(device: Device, shape: Shape): Prepared {
  const channels = shape.at(-1) ?? 1;
  const x: Input = input(device, shape, 1);
  const expected = (index: number): number => {
    const row = index - (index % channels);
    const { mean, scale } = moments(x.values.subarray(row, row + channels), 1, 0);
    return (at(x.values, index) - mean) * scale;
  };
  return {
    run: () => layerNorm(x.tensor, { eps }),
    check: { expected, samples: 256, tolerance: 1e-4 },
  };
}

export function normCases(): readonly BenchCase[] {
  return activations.flatMap((shape) => {
    const size = sizeOf(shape);
    const common = { suite: "norm", shape: named(shape) };
    return [
      {
        op: "batch norm, relu",
        numbers: 3 * size,
        prepare: (d: Device) => forward(d, shape, false),
      },
      {
        op: "batch norm, residual, relu",
        numbers: 4 * size,
        prepare: (d: Device) => forward(d, shape, true),
      },
      {
        op: "batch norm, relu: gradient",
        numbers: 5 * size,
        prepare: (d: Device) => backward(d, shape),
      },
      { op: "layer norm", numbers: 2 * size, prepare: (d: Device) => layerNormForward(d, shape) },
    ].map((each) => memoryCase({ ...common, ...each }));
  });
}
