/** @file The list of ops. */
export * from "./binary.ts";
export * from "./cast.ts";
export * from "./compare.ts";
export * from "./concat.ts";
export * from "./create.ts";
export * from "./expand.ts";
export * from "./flip.ts";
export * from "./gather.ts";
export * from "./one-hot.ts";
export * from "./pad.ts";
export * from "./permute.ts";
export * from "./reduce.ts";
export * from "./reshape.ts";
export * from "./slice.ts";
export * from "./unary.ts";
export {
  defaultGenerator,
  Generator,
  manualSeed,
  randomPermutation,
  type GeneratorState,
} from "../philox.ts";
export {
  randomInteger,
  randomNormal,
  randomUniform,
  type IntegerOptions,
  type NormalOptions,
  type RandomOptions,
  type UniformOptions,
} from "./random.ts";
export * from "./dropout.ts";
