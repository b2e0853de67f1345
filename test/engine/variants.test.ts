/** @file Which kernel runs: the choice by device and problem, and the hook that asks for another one. */
import { describe, expect, test } from "vitest";
import { convolutionGeometry, type Geometry } from "../../engine/ops/conv2d-geometry.ts";
import { forwardFamily } from "../../engine/ops/conv2d/forward.ts";
import { inputGradientFamily } from "../../engine/ops/conv2d/input-gradient.ts";
import { weightGradientFamily } from "../../engine/ops/conv2d/weight-gradient.ts";
import { matmulFamily, type MatmulProblem } from "../../engine/ops/matmul-kernels.ts";
import {
  defineFamily,
  observeProblems,
  setWinners,
  withVariant,
  type Abilities,
} from "../../engine/ops/variants.ts";

const device = (software: boolean, subgroupSize?: number): Abilities => ({
  adapter: { software },
  hasSubgroupsOf: (size) => size === subgroupSize,
});
const llvmpipe = device(true, 8);
const swiftShader = device(true, 4);
const gpu = device(false);

const plain: MatmulProblem = {
  ...{ batch: 1, m: 1, n: 1, k: 1, aBatch: 0, bBatch: 0 },
  ...{ transposeA: false, transposeB: false },
};

describe("matmul", () => {
  const choice = (on: Abilities, m: number, n: number, k: number, transposeA = false) =>
    matmulFamily.candidates(on, { ...plain, m, n, k, transposeA })[0];

  test("takes subgroups of 8 where the sizes come in vec4s", () => {
    expect(choice(llvmpipe, 33, 36, 8)).toBe("subgroup");
    expect(choice(llvmpipe, 33, 36, 9)).toBe("naive");
    expect(choice(llvmpipe, 33, 35, 8)).toBe("naive");
    expect(choice(llvmpipe, 33, 36, 8, true)).toBe("naive");
    expect(choice(llvmpipe, 36, 36, 8, true)).toBe("subgroup");
    expect(choice(llvmpipe, 1, 36, 8)).toBe("register");
  });

  test("packs large matrices, and those of odd sizes that would take long without", () => {
    expect(choice(llvmpipe, 1024, 1024, 1024)).toBe("packed");
    expect(choice(llvmpipe, 512, 512, 512)).toBe("subgroup");
    expect(choice(llvmpipe, 1024, 64, 4096)).toBe("subgroup");
    expect(choice(llvmpipe, 1024, 1024, 128)).toBe("subgroup");
    expect(choice(llvmpipe, 127, 129, 131)).toBe("packed");
    // Thin ones would be many times larger when packed, up to what cannot be bound.
    expect(choice(llvmpipe, 1, 3, 1_000_003)).toBe("naive");
    expect(choice(llvmpipe, 5, 301, 1001)).toBe("naive");
    const huge = { ...plain, m: 40, n: 40, k: 1_000_003 };
    expect(matmulFamily.candidates(llvmpipe, huge)).not.toContain("packed");
    expect(choice(swiftShader, 1024, 1024, 1024)).toBe("register");
    expect(choice(gpu, 1024, 1024, 1024)).not.toBe("packed");
  });

  test("takes registers on other software adapters and workgroup memory on GPUs", () => {
    expect(choice(swiftShader, 33, 36, 8)).toBe("register");
    expect(choice(gpu, 2048, 2048, 512)).toBe("tiled");
    expect(choice(gpu, 8, 8, 8)).toBe("naive");
  });

  test("halves few tiles on GPUs, and cuts their sums into parts where these are long", () => {
    expect(choice(gpu, 512, 511, 3)).toBe("tiled-32");
    expect(choice(gpu, 512, 512, 512)).toBe("tiled-32");
    expect(choice(gpu, 512, 512, 1024)).toBe("split-k");
    expect(choice(gpu, 64, 64, 25088, true)).toBe("split-k");
    expect(choice(gpu, 8, 8, 25088)).toBe("split-k");
    expect(choice(llvmpipe, 64, 64, 25088, true)).toBe("subgroup");
  });
});

describe("conv2d", () => {
  const channels = (inChannels: number, outChannels: number, groups = 1): Geometry =>
    convolutionGeometry("test", [1, 8, 8, inChannels], [5, 5, inChannels / groups, outChannels], {
      groups,
    });

  test.each([
    [llvmpipe, channels(16, 16), "subgroup", "subgroup", "subgroup"],
    [llvmpipe, channels(1, 16), "subgroup-narrow", "direct", "subgroup"],
    [llvmpipe, channels(3, 5), "direct", "direct", "direct"],
    [llvmpipe, channels(8, 8, 2), "register", "register", "direct"],
    [llvmpipe, channels(8, 8, 8), "depthwise", "depthwise", "depthwise"],
    [gpu, channels(8, 8, 8), "depthwise", "depthwise", "depthwise"],
    [llvmpipe, channels(16, 4), "register", "subgroup", "register"],
    [llvmpipe, channels(4, 16), "subgroup", "subgroup", "subgroup"],
    [swiftShader, channels(16, 16), "register", "register", "register"],
    [swiftShader, channels(1, 16), "direct", "direct", "direct"],
    [gpu, channels(64, 64), "split-k", "split-k", "tiled"],
    [gpu, channels(8, 4), "tiled-32", "tiled-32", "tiled"],
  ] as const)("case %#: %o %o", (on, of, forward, inputGradient, weightGradient) => {
    expect(forwardFamily.candidates(on, of)[0]).toBe(forward);
    expect(inputGradientFamily.candidates(on, of)[0]).toBe(inputGradient);
    expect(weightGradientFamily.candidates(on, of)[0]).toBe(weightGradient);
  });

  test("takes the matrix of patches where it is worth its copies", () => {
    const strided = (batch: number, size: number, inChannels: number, outChannels: number) =>
      convolutionGeometry(
        "test",
        [batch, size, size, inChannels],
        [3, 3, inChannels, outChannels],
        {
          ...{ stride: 2, padding: 1 },
        },
      );
    const choice = (on: Abilities, of: Geometry) => forwardFamily.candidates(on, of)[0];
    expect(choice(llvmpipe, strided(8, 28, 128, 256))).toBe("im2col");
    expect(choice(llvmpipe, strided(8, 56, 64, 128))).toBe("subgroup");
    expect(choice(llvmpipe, strided(8, 224, 3, 64))).toBe("im2col");
    expect(choice(llvmpipe, strided(8, 4, 256, 512))).toBe("subgroup");
    expect(choice(swiftShader, strided(8, 28, 128, 256))).toBe("register");
    expect(choice(gpu, strided(8, 28, 128, 256))).not.toBe("im2col");
  });

  test("makes the input gradient of few channels from that of the matrix of patches", () => {
    const choice = (on: Abilities, batch: number, size: number, channels: number, out = 64) => {
      const [x, w] = [
        [batch, size, size, channels],
        [3, 3, channels, out],
      ];
      const of = convolutionGeometry("test", x, w, { padding: 1 });
      return inputGradientFamily.candidates(on, of)[0];
    };
    for (const on of [llvmpipe, swiftShader, gpu]) {
      expect(choice(on, 8, 32, 3)).toBe("col2im");
      expect(choice(on, 8, 32, 4)).toBe("col2im");
      expect(choice(on, 1, 4, 3)).toBe("direct");
      expect(choice(on, 8, 32, 48)).not.toBe("col2im");
    }
    // Not in vec4s: packing needs subgroups, and rows to fill its blocks.
    expect(choice(llvmpipe, 1, 33, 3)).toBe("col2im");
    expect(choice(swiftShader, 1, 33, 3)).toBe("direct");
    expect(choice(llvmpipe, 1, 33, 1)).toBe("direct");
    expect(choice(llvmpipe, 8, 32, 8)).toBe("subgroup");
    expect(choice(gpu, 8, 32, 8)).toBe("col2im");
    // A matrix of one image that not every device can bind.
    expect(choice(gpu, 1, 2048, 3)).toBe("direct");
  });

  test("takes whole tiles on GPUs where there are many", () => {
    const of = convolutionGeometry("test", [8, 56, 56, 64], [5, 5, 64, 64], { padding: 2 });
    expect(forwardFamily.candidates(gpu, of)[0]).toBe("tiled");
    expect(inputGradientFamily.candidates(gpu, of)[0]).toBe("tiled");
  });

  test("takes Winograd for 3 x 3 kernels where enough tiles fill the matrix products", () => {
    const blockOf = (size: number, channels: number) =>
      convolutionGeometry("test", [8, size, size, channels], [3, 3, channels, channels], {
        padding: 1,
      });
    for (const family of [forwardFamily, inputGradientFamily, weightGradientFamily]) {
      expect(family.candidates(llvmpipe, blockOf(56, 64))[0]).toBe("winograd-4x4");
      expect(family.candidates(llvmpipe, blockOf(2, 512))[0]).toBe("subgroup");
    }
  });

  test("direct can always be asked for, so every kernel can be compared with the definition", () => {
    for (const on of [llvmpipe, swiftShader, gpu]) {
      for (const of of [channels(1, 1), channels(16, 16), channels(3, 16), channels(8, 8, 4)]) {
        expect(forwardFamily.candidates(on, of)).toContain("direct");
        expect(inputGradientFamily.candidates(on, of)).toContain("direct");
        expect(weightGradientFamily.candidates(on, of)).toContain("direct");
      }
    }
  });
});

describe("a family", () => {
  let ran = "";
  const record = (name: string, canRun: boolean) => ({
    name,
    canRun: () => canRun,
    run: () => {
      ran = name;
    },
  });
  const family = defineFamily<Record<string, never>, number>({
    name: "family",
    variants: [
      record("plain", true),
      record("slow", true),
      record("fast", true),
      record("impossible", false),
    ],
    prefer: () => ["impossible", "fast", "plain"],
    describe: (problem) => `${problem}`,
  });
  const choose = (): string => {
    family.run(gpu, {}, 7);
    return ran;
  };

  test("prefers what can run, and knows the rest", () => {
    expect(choose()).toBe("fast");
    expect(family.candidates(gpu, 7)).toEqual(["fast", "plain", "slow"]);
  });

  test("withVariant asks for a variant while the body runs, nested or failing", () => {
    expect(withVariant("family", "slow", choose)).toBe("slow");
    expect(withVariant("other", "slow", choose)).toBe("fast");
    withVariant("family", "slow", () => {
      expect(withVariant("family", "fast", choose)).toBe("fast");
      expect(choose()).toBe("slow");
    });
    const failing = (): never => {
      throw new Error("in the body");
    };
    expect(() => withVariant("family", "slow", failing)).toThrow("in the body");
    expect(choose()).toBe("fast");
  });

  test("keeps the usual choice where the variant cannot run", () => {
    expect(withVariant("family", "impossible", choose)).toBe("fast");
  });

  test("takes a measured winner, on its device and for its problem alone", () => {
    setWinners(gpu, (name, problem) => (name === "family" && problem === "7" ? "slow" : undefined));
    expect(choose()).toBe("slow");
    expect(withVariant("family", "plain", choose)).toBe("plain");
    family.run(llvmpipe, {}, 7);
    expect(ran).toBe("fast");
    family.run(gpu, {}, 8);
    expect(ran).toBe("fast");
    setWinners(gpu, () => "impossible");
    expect(choose()).toBe("fast");
    setWinners(gpu, undefined);
    expect(choose()).toBe("fast");
  });

  test("tells an observer of the problems", () => {
    const seen: unknown[] = [];
    const stop = observeProblems((of, _tensors, problem) => seen.push([of.name, problem]));
    choose();
    stop();
    choose();
    expect(seen).toEqual([["family", 7]]);
  });
});
