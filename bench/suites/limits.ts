/** @file The limits of the adapter, by kernels that do nothing else: arithmetic in registers, and copies. */
import { defineKernel, linearGrid, type Device } from "../../engine/index.ts";
import { defineFamily, type Variant } from "../../engine/ops/variants.ts";
import { Tensor } from "../../engine/tensor.ts";
import type { BenchCase } from "../case.ts";
import copySource from "../limits/copy.wgsl";
import fmaSource from "../limits/fma.wgsl";
import { at, input } from "./inputs.ts";

const workgroup = 64;
const iterations = 2048;
/** 16 chains, two steps of each, a multiplication and an addition. */
const flopsPerIteration = 64;

function fmaCase(device: Device): BenchCase {
  // Enough workgroups for every core of a GPU, few enough for a software adapter.
  const groups = device.adapter.software ? 256 : 16384;
  const size = groups * workgroup;
  const fma = defineKernel({
    name: "limits/fma",
    source: fmaSource,
    overrides: { ITERATIONS: iterations },
    grid: () => [groups, 1, 1],
  });
  return {
    suite: "limits",
    op: "fma",
    shape: `${size} x 16 chains`,
    work: { bound: "compute", flops: size * iterations * flopsPerIteration, bytes: 4 * size },
    prepare: () => ({
      run: () => {
        const out = Tensor.allocate("bench", device, [size], "f32");
        fma({ out });
        return out;
      },
      check: { expected: chains, samples: 64, tolerance: 1e-3 },
    }),
  };
}

/** What the 16 chains of an invocation add up to. */
function chains(invocation: number): number {
  const x = 0.999 + (invocation & 7) * 1e-5;
  let total = 0;
  for (let chain = 0; chain < 16; chain++) {
    let sum = chain / 10;
    for (let i = 0; i < 2 * iterations; i++) sum = sum * x + 1e-3;
    total += sum;
  }
  return total;
}

interface CopyTensors extends Readonly<Record<string, Tensor>> {
  readonly x: Tensor;
  readonly out: Tensor;
}

const copy = defineKernel({
  name: "limits/copy",
  source: copySource,
  grid: ({ size }, { PER_INVOCATION = 4 }) =>
    linearGrid(size as number, workgroup * PER_INVOCATION),
});

function copyVariant(type: "f32" | "vec4f", perInvocation: number): Variant<CopyTensors, number> {
  const options = { types: { T: type }, overrides: { PER_INVOCATION: perInvocation } };
  return {
    name: `${type} x ${perInvocation}`,
    canRun: () => true,
    run: (tensors, size) => {
      copy(tensors, { size: type === "f32" ? size : size / 4 }, options);
    },
  };
}

/** Copies of `problem` numbers, a multiple of 4. */
const copyFamily = defineFamily<CopyTensors, number>({
  name: "copy",
  variants: [
    copyVariant("f32", 1),
    copyVariant("vec4f", 1),
    copyVariant("vec4f", 4),
    copyVariant("vec4f", 8),
  ],
  prefer: () => ["vec4f x 4"],
  describe: String,
});

function copyCase(mebibytes: number): BenchCase {
  const size = mebibytes * 2 ** 18;
  return {
    suite: "limits",
    op: "copy",
    shape: `${mebibytes} MiB`,
    family: "copy",
    work: { bound: "memory", flops: 0, bytes: 8 * size },
    variants: (device) => copyFamily.candidates(device, size),
    prepare: (device) => {
      const { tensor: x, values } = input(device, [size], 1);
      return {
        run: () => {
          const out = Tensor.allocate("bench", device, [size], "f32");
          copyFamily.run(device, { x, out }, size);
          return out;
        },
        check: { expected: (i) => at(values, i), samples: 4096, tolerance: 0 },
      };
    },
  };
}

/** From what fits into caches to what does not. */
const copySizes = [1, 4, 16, 64];

export function limitCases(device: Device): readonly BenchCase[] {
  return [fmaCase(device), ...copySizes.map(copyCase)];
}
