/**
 * @file Cases: what an op means, written a second time in plain float64, with the inputs that are likely to break it. The tests
 * are derived from these records (`test/ops.test.ts`): forward against the reference, gradients against central
 * differences of the reference, and every wrong call against its message.
 */
import type { DType } from "./dtype.ts";
import type { HostTensor } from "./host-tensor.ts";
import type { Shape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** How to make one input: `values`, or seeded random numbers in `range`. */
export interface InputSpec {
  readonly shape: Shape;
  /** Default: f32. */
  readonly dtype?: DType;
  /** Explicit elements, row-major. */
  readonly values?: readonly number[];
  /** Random numbers lie in here. Default: [-1.5, 1.5] for floats, [0, 9] (whole, both ends) for integers. */
  readonly range?: readonly [number, number];
  /** Random numbers keep this distance from each other's value, for ops with kinks where elements are equal. Default: 0. */
  readonly apart?: number;
}

export interface OpSample<A> {
  /** What is special about it, for the test's title. */
  readonly note?: string;
  readonly inputs: readonly InputSpec[];
  readonly args: A;
  /** Which inputs to check gradients of: all f32 ones (true, the default), none (false), or their positions. */
  readonly gradient?: boolean | readonly number[];
  /** Largest allowed |result - reference| / (1 + |reference|). Default: 1e-5. */
  readonly tolerance?: number;
  /** The same for gradients. Default: 10 times `tolerance`, at least 1e-4. */
  readonly gradientTolerance?: number;
  /** Skip, visibly, on devices without it. */
  readonly feature?: GPUFeatureName;
}

/** A wrong call; the test pins the message of the error that `run` throws. */
export interface OpError {
  readonly what: string;
  run(): unknown;
}

export interface OpCase<A> {
  /** The name given to `defineOp`, or names, when one public function serves several ops. */
  readonly ops: readonly string[];
  /** The title of the tests. */
  readonly title: string;
  /** Calls the public function. */
  run(inputs: readonly Tensor[], args: A): Tensor;
  /** The definition: plain loops in float64. Read it before the kernel. */
  reference(inputs: readonly HostTensor[], args: A): HostTensor;
  readonly samples: readonly OpSample<A>[];
  readonly errors?: readonly OpError[];
}

/** Checks the record's types; returns it. */
export function opCase<A>(record: OpCase<A>): OpCase<A> {
  return record;
}
