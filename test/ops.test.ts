/**
 * @file Every op against its case: forward against the float64 reference, gradients against central differences of that
 * reference, wrong calls against their messages; and no op without a case.
 */
import { describe, expect, test } from "vitest";
import { backward, formatShape, openScope, tensor, type Tensor } from "../engine/index.ts";
import { definedOps } from "../engine/op.ts";
import type { InputSpec, OpCase, OpSample } from "../engine/op-case.ts";
import * as cases from "../engine/ops/cases.ts";
import { hostTensor, type HostTensor } from "../engine/host-tensor.ts";
import { useDevice } from "./device.ts";
import { makeInput, seededRandom } from "./inputs.ts";
import { expectClose } from "./numeric.ts";

const device = useDevice();
const all: OpCase<unknown>[] = Object.values(cases).flat();

test("every op has a case", () => {
  const covered = new Set(all.flatMap(({ ops }) => ops));
  expect([...definedOps].filter((op) => !covered.has(op))).toEqual([]);
});

describe.each(all.map((record) => [record.title, record] as const))("%s", (_title, record) => {
  const samples = record.samples.map((sample, i) => [describeSample(sample), sample, i] as const);

  test.for(samples)("forward %s", async ([, sample, i], { skip }) => {
    skip(isMissing(sample), `the adapter has no ${sample.feature ?? ""}`);
    using scope = openScope();
    const hosts = hostInputs(sample, i);
    const out = record.run(tensors(sample, hosts), sample.args);
    const expected = record.reference(hosts, sample.args);
    expect(formatShape(out.shape)).toBe(formatShape(expected.shape));
    const data = out.data();
    scope[Symbol.dispose]();
    expectClose(await data, expected.data, sample.tolerance ?? 1e-5, "forward");
  });

  const differentiable = samples.filter(([, sample]) => gradientInputs(sample).length > 0);
  if (differentiable.length > 0) {
    test.for(differentiable)("gradient %s", async ([, sample, i], { skip }) => {
      skip(isMissing(sample), `the adapter has no ${sample.feature ?? ""}`);
      await checkGradients(record, sample, i);
    });
  }

  const errors = (record.errors ?? []).map((error) => [error.what, error] as const);
  if (errors.length > 0) {
    test.each(errors)("refuses %s", (_what, error) => {
      expect(() => error.run()).toThrowErrorMatchingSnapshot();
    });
  }
});

/** True when the device lacks what the sample needs. */
function isMissing({ feature }: OpSample<unknown>): boolean {
  return feature !== undefined && !device().has(feature);
}

function describeSample({ note, inputs }: OpSample<unknown>): string {
  const shapes = inputs
    .map(({ shape, dtype = "f32" }) => `${dtype}${formatShape(shape)}`)
    .join(" ");
  return note === undefined ? shapes : `${note}: ${shapes}`;
}

function hostInputs(sample: OpSample<unknown>, seed: number): HostTensor[] {
  const random = seededRandom(seed + 1);
  return sample.inputs.map((spec) => makeInput(spec, random));
}

function tensors(
  { inputs }: OpSample<unknown>,
  hosts: readonly HostTensor[],
  requiresGrad: readonly number[] = [],
): Tensor[] {
  return inputs.map(({ dtype = "f32" }: InputSpec, i) => {
    const { shape, data } = hosts[i] ?? hostTensor([0], []);
    return tensor(data, { shape, dtype, requiresGrad: requiresGrad.includes(i) });
  });
}

function gradientInputs({ gradient = true, inputs }: OpSample<unknown>): readonly number[] {
  if (gradient === false) return [];
  if (gradient !== true) return gradient;
  return inputs.flatMap(({ dtype = "f32" }, i) => (dtype === "f32" ? [i] : []));
}

/** Inputs with more elements are probed at this many places. */
const probesPerInput = 40;

async function checkGradients(
  record: OpCase<unknown>,
  sample: OpSample<unknown>,
  seed: number,
): Promise<void> {
  const wanted = gradientInputs(sample);
  const hosts = hostInputs(sample, seed);
  using scope = openScope();
  const inputs = tensors(sample, hosts, wanted);
  const out = record.run(inputs, sample.args);
  const random = seededRandom(seed + 1000);
  // f32 numbers, so that device and reference weigh with the same.
  const weights = Float32Array.from({ length: out.size }, () => 0.2 + random() * 1.6 - 0.8);
  backward(out, { gradient: tensor(weights, { shape: out.shape, dtype: out.dtype }) });
  const reading = wanted.map(async (i) => inputs[i]?.grad?.data());
  scope[Symbol.dispose]();
  const gradients = await Promise.all(reading);
  const tolerance = sample.gradientTolerance ?? Math.max(1e-4, 10 * (sample.tolerance ?? 1e-5));
  for (const [position, i] of wanted.entries()) {
    const analytic = gradients[position];
    const host = hosts[i];
    if (analytic === undefined || host === undefined) expect.fail(`input ${i} got no gradient`);
    expect(analytic.length).toBe(host.data.length);
    const places = probePlaces(host.data.length, random);
    const numeric = places.map((place) =>
      centralDifference(record, sample, hosts, i, place, weights),
    );
    const probed = places.map((place) => analytic[place] ?? NaN);
    expectClose(
      probed,
      numeric,
      tolerance,
      `gradient of input ${i} at elements ${places.slice(0, 5).join(", ")} ...`,
    );
  }
}

function probePlaces(size: number, random: () => number): number[] {
  if (size <= probesPerInput) return Array.from({ length: size }, (_, i) => i);
  return Array.from({ length: probesPerInput }, () => Math.floor(random() * size));
}

/** `(L(x + h) - L(x - h)) / 2h` of the float64 reference, where L weighs the elements of the result. */
function centralDifference(
  record: OpCase<unknown>,
  sample: OpSample<unknown>,
  hosts: readonly HostTensor[],
  input: number,
  place: number,
  weights: ArrayLike<number>,
): number {
  const step = 1e-5;
  const objective = (sign: number): number => {
    const moved = hosts.map((host, i) => (i === input ? hostTensor(host.shape, host.data) : host));
    const { data } = moved[input] ?? hostTensor([0], []);
    data[place] = (data[place] ?? 0) + sign * step;
    const result = record.reference(moved, sample.args).data;
    return result.reduce((sum, value, j) => sum + value * (weights[j] ?? 0), 0);
  };
  return (objective(1) - objective(-1)) / (2 * step);
}
