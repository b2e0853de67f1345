/** @file Winograd's convolution: where it is chosen, how much memory it takes, and the shaders as a GPU runs them. */
import { describe, expect, test } from "vitest";
import { openScope, tensor, zeros, type Device } from "../../engine/index.ts";
import type { OpCase } from "../../engine/op-case.ts";
import { convolutionGeometry, type ConvolutionOptions } from "../../engine/ops/conv2d-geometry.ts";
import * as cases from "../../engine/ops/conv2d-winograd.case.ts";
import { conv2d, conv2dWeightGradient } from "../../engine/ops/conv2d.ts";
import { forwardFamily } from "../../engine/ops/conv2d/forward.ts";
import { inputGradientFamily } from "../../engine/ops/conv2d/input-gradient.ts";
import { weightGradientFamily } from "../../engine/ops/conv2d/weight-gradient.ts";
import { withVariant, type Abilities } from "../../engine/ops/variants.ts";
import { useDevice } from "../device.ts";
import { makeInput, seededRandom } from "../inputs.ts";
import { expectClose } from "../numeric.ts";

const families = [forwardFamily, inputGradientFamily, weightGradientFamily];
const llvmpipe: Abilities = { adapter: { software: true }, hasSubgroupsOf: (size) => size === 8 };
const gpu: Abilities = { adapter: { software: false }, hasSubgroupsOf: () => false };

/** What runs a 3 x 3 convolution of square images, in each of the families. */
function choices(
  on: Abilities,
  [batch, size, channels]: readonly [number, number, number],
  options: ConvolutionOptions = { padding: 1 },
): (string | undefined)[] {
  const groups = options.groups ?? 1;
  const x = [batch, size, size, channels];
  const geometry = convolutionGeometry("test", x, [3, 3, channels / groups, channels], options);
  return families.map((family) => family.candidates(on, geometry)[0]);
}

const allThree = (name: string): string[] => families.map(() => name);

describe("the choice", () => {
  test("takes tiles of 4 where there are many channels and many tiles", () => {
    expect(choices(llvmpipe, [8, 56, 64])).toEqual(allThree("winograd-4x4"));
    expect(choices(gpu, [64, 28, 128])).toEqual(allThree("winograd-4x4"));
  });

  test("takes tiles of 2 where those of 4 would leave short sums for the weights' gradient", () => {
    const four = "winograd-4x4";
    expect(choices(llvmpipe, [8, 7, 512])).toEqual([four, four, "winograd-2x2"]);
    expect(choices(llvmpipe, [8, 8, 256])).toEqual([four, four, "winograd-2x2"]);
    expect(choices(llvmpipe, [8, 14, 256])).toEqual(allThree(four));
  });

  test("leaves few channels, and few tiles for many kernels, to the direct kernels", () => {
    expect(choices(llvmpipe, [8, 56, 16])).toEqual(allThree("subgroup"));
    expect(choices(llvmpipe, [8, 2, 512])).toEqual(allThree("subgroup"));
    expect(choices(gpu, [64, 56, 16])).toEqual(allThree("tiled"));
    expect(choices(gpu, [64, 56, 64])).toEqual(allThree("tiled"));
    expect(choices(gpu, [1, 7, 512])).toEqual(["split-k", "split-k", "tiled"]);
  });

  test("is possible for 3 x 3, stride 1, no dilation, no groups and channels in vec4s only", () => {
    const possible = (size: number, channels: number, options: ConvolutionOptions): boolean => {
      const w = [3, 3, channels / (options.groups ?? 1), channels];
      const geometry = convolutionGeometry("test", [1, size, size, channels], w, options);
      const names = families.map((family) => family.candidates(llvmpipe, geometry));
      const with4x4 = names.filter((candidates) => candidates.includes("winograd-4x4"));
      expect(with4x4.length % families.length).toBe(0);
      return with4x4.length > 0;
    };
    expect(possible(9, 8, { padding: 1 })).toBe(true);
    expect(possible(9, 8, { padding: [0, 3, 2, 1] })).toBe(true);
    expect(possible(9, 8, { stride: 2 })).toBe(false);
    expect(possible(9, 8, { stride: [1, 2] })).toBe(false);
    expect(possible(9, 8, { dilation: [2, 1] })).toBe(false);
    expect(possible(9, 8, { groups: 2 })).toBe(false);
    expect(possible(9, 6, {})).toBe(false);
    // 36 * 1024 * 1024 transformed weights are more than a binding of 128 MiB.
    expect(possible(9, 1024, {})).toBe(false);
    const wide = convolutionGeometry("test", [1, 8, 8, 8], [5, 3, 8, 8], {});
    expect(forwardFamily.candidates(llvmpipe, wide)).not.toContain("winograd-2x2");
  });
});

describe("the workspace", () => {
  const device = useDevice();

  test.each([
    ["conv2d", 5, () => conv2d(zeros([8, 96, 96, 16]), zeros([3, 3, 16, 16]), { padding: 1 })],
    [
      "conv2dWeightGradient",
      17,
      () => {
        const images = [zeros([8, 96, 96, 16]), zeros([8, 96, 96, 16])] as const;
        return conv2dWeightGradient(...images, [3, 3, 16, 16], { padding: 1 });
      },
    ],
  ] as const)("of %s is bounded, however large the batch: %s MiB", (family, most, run) => {
    const peak = (variant: string): number => {
      using _scope = openScope();
      device().buffers.resetPeak();
      const before = device().memory().liveBytes;
      withVariant(family, variant, run);
      return device().memory().peakBytes - before;
    };
    // The transformed tiles would be 8 * 24 * 24 * 36 * 32 numbers, 20 MiB, for tiles of 4, and 36 MiB for tiles of 2.
    for (const variant of ["winograd-2x2", "winograd-4x4"]) {
      expect(peak(variant) - peak("direct")).toBeLessThan(most * 2 ** 20);
    }
  });
});

/** Lets a software adapter run what a GPU would: one channel and one tile an invocation, and products in workgroup memory. */
function pretendGpu(device: Device): void {
  Object.assign(device, { adapter: { ...device.adapter, software: false } });
}

describe("as on a GPU", () => {
  const device = useDevice();
  const all = (Object.values(cases) as OpCase<unknown>[]).flatMap((record) =>
    record.samples.map(
      (sample, i) => [`${record.title} ${sample.note ?? ""}`, record, sample, i] as const,
    ),
  );

  test.for(all)("%s", async ([, record, sample, seed], { skip }) => {
    const { feature, inputs, args, tolerance = 1e-5 } = sample;
    skip(feature !== undefined && !device().has(feature), `the adapter has no ${feature ?? ""}`);
    pretendGpu(device());
    using scope = openScope();
    const random = seededRandom(seed + 1);
    const hosts = inputs.map((spec) => makeInput(spec, random));
    const tensors = hosts.map(({ data, shape }, i) =>
      tensor(data, { shape, dtype: inputs[i]?.dtype ?? "f32" }),
    );
    const data = record.run(tensors, args).data();
    scope[Symbol.dispose]();
    expectClose(await data, record.reference(hosts, args).data, tolerance, "forward");
  });
});
