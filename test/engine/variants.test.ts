/** @file Which kernel runs: the choice by device and problem, and the hook that asks for another one. */
import { describe, expect, test } from "vitest";
import {
  forwardVariants,
  inputGradientVariants,
  weightGradientVariants,
} from "../../engine/ops/conv2d-kernels.ts";
import { matmulVariants } from "../../engine/ops/matmul-kernels.ts";
import { chooseVariant, withVariant, type Abilities } from "../../engine/ops/variants.ts";

const device = (software: boolean, subgroupSize?: number): Abilities => ({
  adapter: { software },
  hasSubgroupsOf: (size) => size === subgroupSize,
});
const llvmpipe = device(true, 8);
const swiftShader = device(true, 4);
const gpu = device(false);

describe("matmul", () => {
  const choice = (on: Abilities, m: number, n: number, k: number, transposeA = false) =>
    matmulVariants(on, { m, n, k, transposeA })[0];

  test("takes subgroups of 8 where the sizes come in vec4s", () => {
    expect(choice(llvmpipe, 33, 36, 8)).toBe("subgroup");
    expect(choice(llvmpipe, 33, 36, 9)).toBe("naive");
    expect(choice(llvmpipe, 33, 35, 8)).toBe("naive");
    expect(choice(llvmpipe, 33, 36, 8, true)).toBe("naive");
    expect(choice(llvmpipe, 36, 36, 8, true)).toBe("subgroup");
    expect(choice(llvmpipe, 1, 36, 8)).toBe("register");
  });

  test("takes registers on other software adapters and workgroup memory on GPUs", () => {
    expect(choice(swiftShader, 33, 36, 8)).toBe("register");
    expect(choice(gpu, 512, 512, 512)).toBe("tiled");
    expect(choice(gpu, 512, 511, 3)).toBe("tiled");
    expect(choice(gpu, 8, 8, 8)).toBe("naive");
  });
});

describe("conv2d", () => {
  const channels = (inChannels: number, outChannels: number, groups = 1) => ({
    inChannels,
    outChannels,
    groups,
  });

  test.each([
    [llvmpipe, channels(16, 16), "subgroup", "subgroup", "subgroup"],
    [llvmpipe, channels(1, 16), "subgroup-narrow", "direct", "subgroup"],
    [llvmpipe, channels(3, 5), "direct", "direct", "direct"],
    [llvmpipe, channels(8, 8, 2), "register", "register", "direct"],
    [llvmpipe, channels(8, 8, 8), "direct", "direct", "direct"],
    [llvmpipe, channels(16, 4), "register", "subgroup", "register"],
    [llvmpipe, channels(4, 16), "subgroup", "register", "subgroup"],
    [swiftShader, channels(16, 16), "register", "register", "register"],
    [swiftShader, channels(1, 16), "direct", "direct", "direct"],
    [gpu, channels(64, 64), "register", "register", "register"],
  ] as const)("case %#: %o %o", (on, of, forward, inputGradient, weightGradient) => {
    expect(forwardVariants(on, of)[0]).toBe(forward);
    expect(inputGradientVariants(on, of)[0]).toBe(inputGradient);
    expect(weightGradientVariants(on, of)[0]).toBe(weightGradient);
  });

  test("direct can always be asked for, so every kernel can be compared with the definition", () => {
    for (const on of [llvmpipe, swiftShader, gpu]) {
      for (const of of [channels(1, 1), channels(16, 16), channels(3, 16), channels(8, 8, 4)]) {
        expect(forwardVariants(on, of)).toContain("direct");
        expect(inputGradientVariants(on, of)).toContain("direct");
        expect(weightGradientVariants(on, of)).toContain("direct");
      }
    }
  });
});

describe("withVariant", () => {
  const candidates = ["fast", "slow"] as const;
  const choose = (): string => chooseVariant("family", candidates);

  test("asks for a variant of one family while the body runs, nested or failing", () => {
    expect(choose()).toBe("fast");
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
});
