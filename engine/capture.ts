/**
 * @file Captured steps: recorded once, replayed from then on. A replay hands the same commands over again, on the same memory, and runs
 * none of the code that recorded them: what is left of the host's work is to encode. The idea is that of CUDA graphs; WebGPU cannot
 * keep an encoded compute pass, so commands are encoded again. Why it is built as it is: docs/adr/0011-captured-steps.md.
 */
import type { Reservation } from "./device/buffer-pool.ts";
import type { Capture } from "./device/captured-commands.ts";
import { sameDevice, type Device } from "./device/device.ts";
import { ArgumentError } from "./errors.ts";
import { captureContext, captureVersion, collectHostParts, type HostPart } from "./replay.ts";
import { keep, openScope } from "./scope.ts";
import { formatShape } from "./shape.ts";
import { mapResult, tensorsIn, viewsOf, type StepResult } from "./step-result.ts";
import { noGrad } from "./tape.ts";
import { Tensor } from "./tensor.ts";

/** A step that is replayed where it can be. */
export interface CapturedStep<I extends readonly Tensor[], R extends StepResult> {
  (...inputs: I): R;
  /** Calls so far that were replays. */
  readonly replays: number;
  /** Gives the memory back that is set apart for the step. The next call captures it anew. */
  release(): void;
}

/** One capture of a step, and what it needs to be replayed. */
interface Captured<R> {
  readonly device: Device;
  readonly signature: string;
  readonly version: number;
  readonly inputs: readonly Tensor[];
  readonly results: R;
  readonly parts: readonly HostPart[];
  readonly commands: Capture;
  readonly reservation: Reservation;
}

/**
 * Makes a step that is recorded once and then replayed, which takes the host a fraction of the time: for steps whose kernels are faster
 * than the host can record them. The first call runs `step` as it is, the second one captures it, later ones replay.
 *
 * ```ts
 * const step = capture((x: Tensor, y: Tensor) => {
 *   const loss = crossEntropy(model.forward(x), y);
 *   backward(loss);
 *   optimizer.step();
 *   optimizer.zeroGrad();
 *   return loss;
 * });
 * for (const { x, y } of loader.epoch(0)) step(x, y);
 * ```
 *
 * What a replay does is what `step` would do: learning rates and other hypers may change, dropout draws new masks, labels are checked.
 * `step` runs again, and is captured again, when the inputs have other shapes, when the model changes between training and evaluation,
 * when what the optimizer updates changes, or when memory that the step uses was freed. Code of one's own in `step` runs only when it is
 * captured: it must not do anything on the host that has to happen each time, nor decide anew what to record. Hand what differs from
 * call to call over as an input. The results are overwritten by the next call: read them, or `keep(t.copy())` them, before.
 *
 * The memory that a step needs is set apart for it until `release`.
 *
 * @throws ArgumentError when `step` reads results, or frees or replaces tensors that were made before it: gradients that are not set to zero
 * at the end, a running mean that is not updated by `assign`.
 */
export function capture<I extends readonly Tensor[], R extends StepResult>(
  step: (...inputs: I) => R,
): CapturedStep<I, R> {
  const state = new StepState(step);
  const call = (...inputs: I): R => state.call(inputs);
  return Object.defineProperties(call, {
    replays: { get: () => state.replays },
    release: {
      value: () => {
        state.release();
      },
    },
  }) as CapturedStep<I, R>;
}

class StepState<I extends readonly Tensor[], R extends StepResult> {
  readonly #step: (...inputs: I) => R;
  #captured: Captured<R> | undefined;
  /** Of the call before. */
  #signature: string | undefined;
  replays = 0;

  constructor(step: (...inputs: I) => R) {
    this.#step = step;
  }

  call(inputs: I): R {
    const device = sameDevice(
      "capture",
      inputs.map((input) => input.device),
    );
    // Part of another step, which takes down what this one records.
    if (device.recorder.isCapturing) return this.#step(...inputs);
    const signature = signatureOf(inputs);
    const isRepeated = signature === this.#signature;
    this.#signature = signature;
    const captured = this.#captured;
    if (captured?.signature === signature && isValid(captured)) {
      return this.#replay(captured, inputs);
    }
    // What a step does the first time, such as making its state, it must not do at each replay.
    const isInvalid = captured?.signature === signature;
    if (isInvalid || !isRepeated) {
      if (isInvalid) this.release();
      return this.#step(...inputs);
    }
    this.release();
    this.#captured = captureStep(device, signature, inputs, this.#step);
    return viewsOf(this.#captured.results);
  }

  release(): void {
    if (this.#captured !== undefined) freeMemory(this.#captured);
    this.#captured = undefined;
  }

  #replay(captured: Captured<R>, inputs: I): R {
    const { device, parts, commands, results } = captured;
    setInputs(captured.inputs, inputs);
    for (const { run } of parts) run?.();
    device.recorder.replay(commands);
    this.replays++;
    return viewsOf(results);
  }
}

/** Runs the step on inputs of its own and takes down what it does. */
function captureStep<I extends readonly Tensor[], R extends StepResult>(
  device: Device,
  signature: string,
  given: I,
  step: (...inputs: I) => R,
): Captured<R> {
  const { buffers } = device;
  const reservation = buffers.beginReserving();
  const inputs: Tensor[] = [];
  let results: R | undefined;
  try {
    for (const input of given) inputs.push(ownInput(input));
    setInputs(inputs, given);
    const taken = takeDown(device, () => inScope(step, inputs as unknown as I));
    results = taken.results;
    buffers.endReserving(reservation);
    const version = captureVersion();
    const captured = { ...taken, device, signature, version, inputs, reservation };
    refuseReads(captured.commands);
    refuseReplaced(captured);
    refuseLeftovers(captured);
    return captured;
  } catch (error) {
    buffers.endReserving(reservation);
    freeMemory({ device, inputs, results, reservation });
    throw error;
  }
}

/** Runs `body` and takes down the commands that it records and the host work that it tells of. */
function takeDown<R>(
  device: Device,
  body: () => R,
): Pick<Captured<R>, "results" | "parts" | "commands"> {
  const { recorder } = device;
  recorder.beginCapture();
  let commands: Capture | undefined;
  try {
    const { result: results, parts } = collectHostParts(body);
    commands = recorder.endCapture();
    return { results, parts, commands };
  } finally {
    if (commands === undefined) recorder.endCapture();
  }
}

/** Gives everything back that was set apart. */
function freeMemory({
  device,
  inputs,
  results,
  reservation,
}: Pick<Captured<StepResult>, "device" | "inputs" | "results" | "reservation">): void {
  if (device.isLost) return;
  for (const tensor of [...inputs, ...tensorsIn(results)]) tensor.release();
  device.buffers.cancelReservation(reservation);
}

/** Shapes, types, and the state around the step. */
function signatureOf(inputs: readonly Tensor[]): string {
  const tensors = inputs.map(
    ({ shape, dtype, requiresGrad }) => `${dtype}${formatShape(shape)}${requiresGrad ? "g" : ""}`,
  );
  return `${tensors.join(" ")}; ${captureContext()}`;
}

/** Memory of the same shape, for the step alone. */
function ownInput(given: Tensor): Tensor {
  refuseComputed(given);
  using _scope = openScope();
  const own = keep(Tensor.allocate("capture", given.device, given.shape, given.dtype));
  own.requiresGrad = given.requiresGrad;
  return own;
}

function setInputs(own: readonly Tensor[], given: readonly Tensor[]): void {
  given.forEach((input, i) => {
    refuseComputed(input);
    noGrad(() => own[i]?.assign(input, "capture"));
    const target = own[i];
    if (target !== undefined) target.hostIntegers = input.hostIntegers;
  });
}

/** Nothing that the step would record now is another thing than what was captured. */
function isValid({ device, version, parts, commands, reservation }: Captured<unknown>): boolean {
  if (device.isLost || version !== captureVersion()) return false;
  for (const { isValid: holds } of parts) if (holds?.() === false) return false;
  return isUnchanged(commands, reservation);
}

/** Tensors that were made before the step still have their memory. */
function isUnchanged({ buffers }: Capture, { buffers: own }: Reservation): boolean {
  for (const [buffer, lives] of buffers) {
    if (buffer.lives !== lives && !own.has(buffer)) return false;
  }
  return true;
}

function refuseReads({ reads }: Capture): void {
  if (!reads) return;
  throw new ArgumentError(
    "capture",
    "the step reads a result by data() or item(), which a replay would not",
    "Return the tensor from the step, and read it outside",
  );
}

function refuseReplaced(captured: Captured<unknown>): void {
  if (isUnchanged(captured.commands, captured.reservation)) return;
  throw new ArgumentError(
    "capture",
    "the step frees or replaces tensors that were made before it, so a replay would read what is no longer there",
    "Set gradients to zero at its end (optimizer.zeroGrad()), and update what lives on with target.assign(...)",
  );
}

/** Tensors and gradients that outlive the step on the host: a replay would not make them. */
function refuseLeftovers({ inputs, results, parts, reservation }: Captured<StepResult>): void {
  const leavings = new Set(parts.flatMap(({ leaves }) => leaves?.() ?? []));
  const expected = new Set(
    [...inputs, ...tensorsIn(results)].map((tensor) => tensor.memory("capture").buffer),
  );
  const free = new Set([...reservation.free.values()].flat());
  const kept = [...reservation.buffers].filter((b) => !free.has(b) && !expected.has(b));
  const keptBytes = kept.reduce((sum, { byteLength }) => sum + byteLength, 0);
  if (kept.length > 0) leavings.add(`kept tensors, ${kept.length} with ${keptBytes} bytes`);
  if (leavings.size === 0) return;
  throw new ArgumentError(
    "capture",
    `the step leaves something behind, which a replay would not: ${[...leavings].join("; ")}`,
    "Return what is used outside, free the rest, and set gradients to zero at the end (optimizer.zeroGrad())",
  );
}

function refuseComputed(input: Tensor): void {
  if (input.node === undefined) return;
  throw new ArgumentError(
    "capture",
    `an input is part of a graph, which a replay cannot continue: ${input.toString()}`,
    "Compute it inside of the step, or pass detach(t)",
  );
}

/** Runs the step and frees what it made but the results, as views that keep their memory alive. */
function inScope<I extends readonly Tensor[], R extends StepResult>(
  step: (...inputs: I) => R,
  inputs: I,
): R {
  using _scope = openScope();
  return mapResult(step(...inputs), (tensor) => keep(tensor.alias(tensor.shape, "capture")));
}
