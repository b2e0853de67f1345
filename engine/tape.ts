/**
 * @file Reverse-mode automatic differentiation. There is no list of operations: every result points to the node that made it,
 * every node to its inputs, and `walkBackward` visits that graph from the loss to the leaves.
 *
 *     gradient of an input += (what the op's rule makes of the gradient of its output)
 *
 * Source of the method: Griewank and Walther, Evaluating Derivatives (2008), chapter 3; the form follows micrograd.
 */
import { ArgumentError } from "./errors.ts";
import { addCaptureContext, invalidateCaptures, onReplay } from "./replay.ts";
import { openScope, ownedBy } from "./scope.ts";
import { shapesEqual, type Shape } from "./shape.ts";
import type { TapeNode, Tensor } from "./tensor.ts";

let recordingOff = 0;
addCaptureContext(isRecording);

/** False inside `noGrad`. */
export function isRecording(): boolean {
  return recordingOff === 0;
}

/** Runs synchronous `body` without recording: its results have no gradient and keep nothing alive. */
export function noGrad<T>(body: () => T): T {
  recordingOff++;
  try {
    return body();
  } finally {
    recordingOff--;
  }
}

/** Told of every tensor that an op computes and of every gradient that a rule computes; see `observeTensors`. */
export type TensorObserver = (tensor: Tensor, op: string, phase: "output" | "gradient") => void;

const observers = new Set<TensorObserver>();
let announcing = false;

/**
 * Calls `observer` after each op and each gradient rule, in order; the result stops it. For guards and visualisation. The ops
 * that an observer itself calls are not observed.
 */
export function observeTensors(observer: TensorObserver): () => void {
  observers.add(observer);
  invalidateCaptures();
  return () => observers.delete(observer);
}

/** Tells the observers. */
export function announce(tensor: Tensor, op: string, phase: "output" | "gradient"): void {
  if (announcing || observers.size === 0) return;
  onReplay(() => ({ isValid: () => observers.size === 0 }));
  announcing = true;
  try {
    for (const observer of observers) observer(tensor, op, phase);
  } finally {
    announcing = false;
  }
}

/** The two operations on gradients that the walk needs; the ops supply them. */
export interface GradientArithmetic {
  add(a: Tensor, b: Tensor): Tensor;
  /** Sums a gradient back to the shape that was broadcast. */
  sumTo(gradient: Tensor, shape: Shape): Tensor;
}

export interface WalkOptions {
  /** Keep the graph, so that it can be walked again. Default: false. */
  readonly retainGraph?: boolean;
}

/** Stands in for the node of a tensor whose graph was freed, so that a second walk can say so. */
const freedNode: TapeNode = { op: "freed", inputs: [], saved: [], gradient: () => [] };

/**
 * Carries `seed`, the gradient of `root`, back to the leaves and calls `deliver` once for each leaf that wants a gradient, which
 * shares its memory with nothing else. Frees each intermediate value and gradient after its last use, except `root`, its direct
 * inputs, and what was kept.
 */
export function walkBackward(
  root: Tensor,
  seed: Tensor,
  arithmetic: GradientArithmetic,
  deliver: (leaf: Tensor, gradient: Tensor) => void,
  { retainGraph = false }: WalkOptions = {},
): void {
  const gradients = new Map<Tensor, Tensor>([[root, seed]]);
  const spared = new Set<Tensor>([root, ...(root.node?.inputs ?? [])]);
  for (const tensor of topologicalOrder(root).reverse()) {
    const { node } = tensor;
    const dy = gradients.get(tensor);
    gradients.delete(tensor);
    if (node === undefined) {
      if (dy !== undefined) deliver(tensor, unshared(dy, dy === seed));
      continue;
    }
    if (dy !== undefined) {
      propagate(node, dy, gradients, arithmetic);
      if (dy !== seed) dy.release("backward");
    }
    if (!retainGraph) freeNode(tensor, node, spared);
  }
}

/** A rule may hand `dy` through to several inputs; leaves must not see each other's gradients change. The seed is the caller's. */
function unshared(gradient: Tensor, isSeed: boolean): Tensor {
  if (!isSeed && !gradient.sharesMemory) return gradient;
  const copy = gradient.copy("backward");
  if (!isSeed) gradient.release("backward");
  return copy;
}

/** One step of the chain rule: `dy` of a node's output becomes gradients of its inputs. */
function propagate(
  node: TapeNode,
  dy: Tensor,
  gradients: Map<Tensor, Tensor>,
  arithmetic: GradientArithmetic,
): void {
  const { inputs } = node;
  const scope = openScope();
  try {
    const results = node.gradient(dy);
    if (results.length < inputs.length) throw shortRuleError(node, results.length);
    for (const [i, input] of inputs.entries()) {
      const result = results[i];
      if (!input.requiresGrad || result === undefined || result === null) continue;
      // A rule may hand dy, an input or one tensor twice through; the walk frees what it gets, so it needs views of its own.
      const own = ownedBy(scope, result);
      const fitted = shapesEqual(own.shape, input.shape) ? own : arithmetic.sumTo(own, input.shape);
      announce(fitted, node.op, "gradient");
      const earlier = gradients.get(input);
      const sum = earlier === undefined ? fitted : arithmetic.add(earlier, fitted);
      gradients.set(input, scope.keep(sum));
      earlier?.release("backward");
    }
  } finally {
    // Not `using`: what it is compiled to takes longer than a dispatch.
    scope[Symbol.dispose]();
  }
}

function freeNode(tensor: Tensor, node: TapeNode, spared: ReadonlySet<Tensor>): void {
  for (const saved of node.saved) if (!saved.kept) saved.release("backward");
  for (const input of node.inputs) input.uses--;
  tensor.node = freedNode;
  if (!tensor.kept && !spared.has(tensor)) tensor.release("backward()");
}

/** All tensors that `root` was computed from and that want a gradient, inputs before results. */
function topologicalOrder(root: Tensor): Tensor[] {
  const order: Tensor[] = [];
  const visited = new Set<Tensor>();
  const stack: { tensor: Tensor; next: number }[] = [{ tensor: root, next: 0 }];
  visited.add(root);
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    if (top.tensor.node === freedNode) throw freedGraphError(top.tensor);
    const input = top.tensor.node?.inputs[top.next++];
    if (input === undefined) {
      order.push(top.tensor);
      stack.pop();
    } else if (input.requiresGrad && !visited.has(input)) {
      visited.add(input);
      stack.push({ tensor: input, next: 0 });
    }
  }
  return order;
}

function shortRuleError({ op, inputs }: TapeNode, count: number): ArgumentError {
  return new ArgumentError(
    op,
    `the gradient rule gave too few gradients: ${count} for ${inputs.length} inputs`,
    "Return one for each input, null for those that take none",
  );
}

function freedGraphError(tensor: Tensor): ArgumentError {
  return new ArgumentError(
    "backward",
    `the graph behind ${tensor.toString()} was already freed by an earlier backward`,
    "Compute the loss again, or pass { retainGraph: true } to the first call",
  );
}
