/**
 * @file Ops: the one place where a shape rule, kernels and the tape meet. An op says what its result looks like, how to
 * compute it, and how a gradient of the result becomes gradients of the inputs; everything else is done here.
 */
import { sameDevice } from "./device/device.ts";
import { bytesPerElement, type DType } from "./dtype.ts";
import { openScope, ownedBy, type Scope } from "./scope.ts";
import { checkShape, type Shape } from "./shape.ts";
import { announce, isRecording, noGrad } from "./tape.ts";
import { Tensor } from "./tensor.ts";

/** Tensors that a gradient rule needs besides inputs and output, by name. */
export type Saved = Readonly<Record<string, Tensor>>;

/** What a gradient rule may look at. */
export interface GradientContext<I extends readonly Tensor[], A, S> {
  readonly inputs: I;
  /** The op's result. */
  readonly out: Tensor;
  readonly attributes: A;
  readonly saved: S;
  /** Which inputs want a gradient; a rule may skip the others with null. */
  readonly needs: readonly boolean[];
}

export interface OpDefinition<I extends readonly Tensor[], A, S extends Saved> {
  /** Name in errors, profiles and the tape. */
  readonly name: string;
  /** Checks inputs and attributes and says what the result looks like; dtype defaults to that of the first input. */
  output(inputs: I, attributes: A): { readonly shape: Shape; readonly dtype?: DType };
  /**
   * Records the kernels that fill `out`. Tensors made here are freed at once, except those returned: these are saved for the
   * gradient rule. Not called for views, and not when `out` has no elements: then nothing is saved.
   */
  forward(inputs: I, out: Tensor, attributes: A): S;
  /**
   * Gradients of the inputs, one for each: of the input's shape or of the broadcast one (the tape sums it back), null for inputs
   * that take none. `null` instead of a function: the op is not differentiable and cuts the tape.
   */
  readonly gradient:
    ((dy: Tensor, context: GradientContext<I, A, S>) => readonly (Tensor | null)[]) | null;
  /** The result shares the memory of the first input: `forward` has nothing to do. Default: false. */
  readonly view?: boolean;
}

/** A result together with what the forward pass saved, for ops with more than one result. */
export interface OpResult<S> {
  readonly out: Tensor;
  readonly saved: S;
}

export interface Op<I extends readonly Tensor[], A, S> {
  (inputs: I, attributes: A): Tensor;
  readonly opName: string;
  /** The result and the saved tensors; these live as long as the result's graph, unless they are kept. */
  withSaved(inputs: I, attributes: A): OpResult<S>;
}

/** Every op defined so far, for tests that check that each has a case. */
export const definedOps = new Set<string>();

/** Makes an op of its definition; public, so that ops can be added outside the engine. */
export function defineOp<I extends readonly Tensor[], A, S extends Saved = Saved>(
  definition: OpDefinition<I, A, S>,
): Op<I, A, S> {
  definedOps.add(definition.name);
  const withSaved = (inputs: I, attributes: A): OpResult<S> =>
    apply(definition, inputs, attributes);
  const op = (inputs: I, attributes: A): Tensor => {
    const { out, saved } = withSaved(inputs, attributes);
    if (out.node === undefined) for (const name in saved) saved[name]?.release(definition.name);
    return out;
  };
  return Object.assign(op, { opName: definition.name, withSaved });
}

function apply<I extends readonly Tensor[], A, S extends Saved>(
  definition: OpDefinition<I, A, S>,
  inputs: I,
  attributes: A,
): OpResult<S> {
  const { name } = definition;
  const device = sameDevice(
    name,
    inputs.map((input) => input.device),
  );
  for (const input of inputs) input.memory(name);
  const { shape, dtype = inputs[0]?.dtype ?? "f32" } = definition.output(inputs, attributes);
  checkShape(name, shape);
  const first = inputs[0];
  const out =
    definition.view === true && first !== undefined
      ? first.alias(shape)
      : Tensor.allocate(name, device, shape, dtype);
  const saved = runForward(definition, inputs, out, attributes);
  announce(out, name, "output");
  if (definition.gradient !== null && isRecording() && inputs.some((input) => input.requiresGrad)) {
    recordNode(definition, inputs, out, attributes, saved);
  }
  return { out, saved };
}

function runForward<I extends readonly Tensor[], A, S extends Saved>(
  definition: OpDefinition<I, A, S>,
  inputs: I,
  out: Tensor,
  attributes: A,
): S {
  if (definition.view === true || out.size === 0) return {} as S;
  const scope = openScope();
  try {
    return owned(
      scope,
      noGrad(() => definition.forward(inputs, out, attributes)),
    ) as S;
  } finally {
    // Not `using`: what it is compiled to takes longer than the dispatch.
    scope[Symbol.dispose]();
  }
}

/** What was saved, kept out of the scope that it was made in, with views in place of what was made elsewhere. */
function owned(scope: Scope, saved: Saved): Saved {
  const kept: Record<string, Tensor> = {};
  for (const name in saved) {
    const value = saved[name];
    if (value !== undefined) kept[name] = scope.keep(ownedBy(scope, value));
  }
  return kept;
}

function recordNode<I extends readonly Tensor[], A, S extends Saved>(
  definition: OpDefinition<I, A, S>,
  inputs: I,
  out: Tensor,
  attributes: A,
  saved: S,
): void {
  const { name, gradient } = definition;
  const needs = inputs.map((input) => input.requiresGrad);
  for (const input of inputs) input.uses++;
  out.requiresGrad = true;
  out.node = {
    op: name,
    inputs,
    saved: Object.values(saved),
    gradient: (dy) => {
      if (out.size === 0)
        return inputs.map((input, i) => (needs[i] === true ? zerosLike(input) : null));
      return noGrad(() => gradient?.(dy, { inputs, out, attributes, saved, needs }) ?? []);
    },
  };
}

/** A tensor of zeros with the shape and type of another. */
export function zerosLike(like: Tensor): Tensor {
  return allocateZeros("zerosLike", like.device, like.shape, like.dtype);
}

/** Memory set to zero, which is 0 in every element type. */
function allocateZeros(op: string, device: Tensor["device"], shape: Shape, dtype: DType): Tensor {
  const zeros = Tensor.allocate(op, device, shape, dtype);
  const { buffer, byteOffset } = zeros.memory(op);
  device.recorder.clear(
    buffer,
    byteOffset,
    Math.ceil((zeros.size * bytesPerElement[dtype]) / 4) * 4,
  );
  return zeros;
}
