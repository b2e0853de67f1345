/**
 * @file Tensor: a shape, an element type, memory on a device, and its place on the tape. No mathematics: ops are functions,
 * `relu(add(x, y))`. Tensors are contiguous and row-major.
 */
import type { DeviceBuffer } from "./device/buffer-pool.ts";
import type { Device } from "./device/device.ts";
import {
  bytesPerElement,
  checkElements,
  decodeHostData,
  encodeHostData,
  isFloat,
  type DType,
  type HostData,
} from "./dtype.ts";
import { ArgumentError, DeviceError, DTypeError, ShapeError, UseAfterFreeError } from "./errors.ts";
import { adopt, putUnder, type Lease } from "./scope.ts";
import { formatShape, shapesEqual, sizeOf, type Shape } from "./shape.ts";
import { Storage, type StorageLease } from "./storage.ts";

/** How a tensor came to be, for `backward`; see `tape.ts`. */
export interface TapeNode {
  readonly op: string;
  readonly inputs: readonly Tensor[];
  /** Values that the gradient rule needs besides inputs and output; they belong to the node. */
  readonly saved: readonly Tensor[];
  /** One gradient for each input, or null where none is needed. */
  gradient(dy: Tensor): readonly (Tensor | null)[];
}

export class Tensor {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly device: Device;
  /** Number of elements. */
  readonly size: number;
  /** For error messages, summaries and gradients by name. */
  name: string | undefined;
  /** True for leaves that want a gradient and for everything computed from them while the tape records. */
  requiresGrad = false;
  /** Gradient of a leaf after `backward`; several calls add up. */
  grad: Tensor | undefined;
  /** The op that made this tensor, while `backward` may still need it. */
  node: TapeNode | undefined;
  /** Set by `keep`: neither scopes nor `backward` free the tensor. */
  kept = false;
  /**
   * Whole numbers as the host gave them, while no kernel has overwritten them: so that labels are checked before anything is
   * recorded. Undefined for real numbers, for computed tensors, and for more than 65,536 elements.
   */
  hostIntegers: Float64Array | undefined;
  /** Nodes of the tape, not walked yet, that have this tensor as an input. */
  uses = 0;
  #lease: StorageLease;
  #byteOffset = 0;

  private constructor(lease: StorageLease, device: Device, shape: Shape, dtype: DType) {
    this.#lease = lease;
    this.device = device;
    this.shape = shape;
    this.dtype = dtype;
    this.size = sizeOf(shape);
    adopt(this);
  }

  /** New memory, contents undefined. Throws `LimitError` beyond the adapter's limits. */
  static allocate(op: string, device: Device, shape: Shape, dtype: DType): Tensor {
    if (dtype === "f16" && !device.has("shader-f16")) {
      throw new DTypeError(
        op,
        "this adapter has no f16: the feature shader-f16 is missing",
        "Use f32",
      );
    }
    const storage = new Storage(op, device, sizeOf(shape) * bytesPerElement[dtype]);
    return new Tensor(storage.lease(), device, shape, dtype);
  }

  /** The same memory under another shape of the same size; both see every write. */
  alias(shape: Shape = this.shape, op = "alias"): Tensor {
    const view = new Tensor(this.#storageOf(op).lease(), this.device, shape, this.dtype);
    view.#byteOffset = this.#byteOffset;
    return view;
  }

  /** New memory with the same elements, cut off from the tape. */
  copy(op = "copy"): Tensor {
    this.#storageOf(op);
    const copy = Tensor.allocate(op, this.device, this.shape, this.dtype);
    this.#copyTo(op, copy.memory(op).buffer, 0);
    return copy;
  }

  /**
   * Overwrites all elements with those of `source`, on the device; the tensor keeps its place, for example in the flat buffer of an
   * optimizer. A graph that was recorded before and not yet walked sees the new values. Inside `noGrad`, this is how a loop of
   * one's own updates a weight: `weight.assign(sub(weight, mul(gradient, lr)))`.
   *
   * @throws ShapeError, DTypeError or DeviceError unless both have the same shape, element type and device.
   */
  assign(source: Tensor, op = "assign"): void {
    checkAssignable(op, this, source);
    if (source === this || this.size === 0) return;
    const { buffer, byteOffset } = this.memory(op);
    this.hostIntegers = undefined;
    source.#copyTo(op, buffer, byteOffset);
  }

  get lease(): Lease {
    return this.#lease;
  }

  /** True once the memory was given back. */
  get isFreed(): boolean {
    return this.#lease.storage === undefined;
  }

  /** True when other tensors view the same memory, so that a write to this one shows in them. */
  get sharesMemory(): boolean {
    return this.#lease.storage?.isShared === true;
  }

  /** Where the elements are, for kernels. Throws `UseAfterFreeError` or `DeviceLostError`. */
  memory(op: string): { readonly buffer: DeviceBuffer; readonly byteOffset: number } {
    const { buffer } = this.#storageOf(op);
    return { buffer, byteOffset: this.#byteOffset };
  }

  /** Gives the memory back now. Only for code that knows that nobody uses the tensor any more; twice is harmless. */
  release(by = "release()"): void {
    this.#lease.release(by);
  }

  /**
   * Moves the elements into `target`, from its byte `byteOffset` on, and makes this tensor a view of that place. So that many
   * parameters can be updated by one dispatch. Other views of the old memory stay behind, with their values.
   *
   * @throws ArgumentError unless `byteOffset` is a multiple of 256 from which on `target` can hold the elements.
   * @throws DeviceError when `target` lives on another device.
   */
  moveInto(target: Tensor, byteOffset: number): void {
    const op = "moveInto";
    const storage = target.#storageOf(op);
    if (target.device !== this.device) {
      throw new DeviceError(op, "the tensors live on different devices", "Create both on one");
    }
    const end = byteOffset + this.size * bytesPerElement[this.dtype];
    const capacity = target.size * bytesPerElement[target.dtype];
    if (!(byteOffset >= 0 && byteOffset % 256 === 0 && end <= capacity)) {
      throw new ArgumentError(
        op,
        `the elements do not fit: bytes ${byteOffset} to ${end} of ${capacity} bytes`,
        "Begin at a multiple of 256 and leave room for all of them",
      );
    }
    const place = target.#byteOffset + byteOffset;
    this.#copyTo(op, storage.buffer, place);
    const { scope } = this.#lease;
    this.#lease.release(op);
    this.#lease = storage.lease();
    this.#byteOffset = place;
    putUnder(scope, this);
  }

  /**
   * Overwrites all elements from the host. A graph that was recorded before and not yet walked sees the new values.
   *
   * @throws ShapeError unless there are exactly `size` values.
   * @throws ArgumentError when an integer type cannot hold one of them.
   */
  write(values: ArrayLike<number>): void {
    if (values.length !== this.size) {
      throw new ShapeError(
        "write",
        `the number of values does not fit: ${values.length} for the shape ${formatShape(this.shape)}`,
        `Pass ${this.size} values`,
      );
    }
    upload("write", this, values);
  }

  /**
   * The elements on the host, row-major, as they are after everything recorded so far; f16 is widened to Float32Array.
   *
   * @throws UseAfterFreeError when the tensor was freed.
   * @throws DeviceLostError when the device is gone before the elements are here.
   * @throws DeviceError of another kind when something recorded before failed on the device: a shader that does not compile, no
   * memory left.
   */
  async data(): Promise<HostData> {
    const { buffer, byteOffset } = this.memory("data");
    const bytes = await this.device.read(
      "data",
      buffer,
      byteOffset,
      this.size * bytesPerElement[this.dtype],
    );
    return decodeHostData(bytes, this.size, this.dtype);
  }

  /** The only element as a number. Throws `ShapeError` when there is not exactly one. */
  async item(): Promise<number> {
    if (this.size !== 1) {
      throw new ShapeError(
        "item",
        `a tensor of ${this.size} elements is no single number: ${formatShape(this.shape)}`,
        "Reduce it first, or use data()",
      );
    }
    return (await this.data())[0] ?? NaN;
  }

  toString(): string {
    const name = this.name === undefined ? "" : `${this.name}: `;
    return `Tensor(${name}${this.dtype}${formatShape(this.shape)}${this.requiresGrad ? ", requiresGrad" : ""})`;
  }

  /** What Node's `console.log` shows: the tensor, not the device behind it. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  /** Records a copy of the elements, in whole words. WebGPU copies only between different buffers, so one may need a third. */
  #copyTo(op: string, target: DeviceBuffer, byteOffset: number): void {
    const { buffer, byteOffset: start } = this.memory(op);
    if (buffer === target) {
      const between = this.copy(op);
      between.#copyTo(op, target, byteOffset);
      between.release(op);
      return;
    }
    const bytes = Math.ceil((this.size * bytesPerElement[this.dtype]) / 4) * 4;
    this.device.recorder.copy(buffer, start, target, byteOffset, bytes);
  }

  #storageOf(op: string): Storage {
    const { storage } = this.#lease;
    this.device.assertUsable(op);
    if (storage === undefined) {
      throw new UseAfterFreeError(
        op,
        `the tensor was already freed by ${this.#lease.endedBy}: ${this.toString()}`,
        "Call keep(t) right after it is made, or scope.keep(t), if it must live longer",
      );
    }
    return storage;
  }
}

function checkAssignable(op: string, target: Tensor, source: Tensor): void {
  const both = `${target.toString()} from ${source.toString()}`;
  if (target.device !== source.device) {
    throw new DeviceError(
      op,
      `the tensors live on different devices: ${both}`,
      "Create both on one",
    );
  }
  if (target.dtype !== source.dtype) {
    throw new DTypeError(op, `the element types differ: ${both}`, "Use cast on the source");
  }
  if (!shapesEqual(target.shape, source.shape)) {
    throw new ShapeError(op, `the shapes differ: ${both}`, "Use reshape or expand on the source");
  }
}

const mostHostIntegers = 65536;

/** Records the upload of as many values as `target` has elements; for who has counted them. */
export function upload(op: string, target: Tensor, values: ArrayLike<number>): void {
  const { dtype } = target;
  const { buffer, byteOffset } = target.memory(op);
  checkElements(op, values, dtype);
  const remembered = !isFloat(dtype) && target.size <= mostHostIntegers;
  target.hostIntegers = remembered ? Float64Array.from(values) : undefined;
  if (target.size > 0)
    target.device.recorder.write(buffer, byteOffset, encodeHostData(values, dtype));
}

/**
 * Turns gradient tracking of a leaf on or off, and returns the leaf. Throws `DTypeError` for integers, `ArgumentError` for
 * results of ops.
 */
export function setRequiresGrad(leaf: Tensor, requiresGrad: boolean): Tensor {
  if (requiresGrad && !isFloat(leaf.dtype)) {
    throw new DTypeError(
      "requiresGrad",
      `integers have no gradient: ${leaf.toString()}`,
      "Use f32",
    );
  }
  if (leaf.node !== undefined) {
    throw new ArgumentError(
      "requiresGrad",
      `only leaves can be set: ${leaf.toString()} was computed`,
      "Use detach(t)",
    );
  }
  leaf.requiresGrad = requiresGrad;
  return leaf;
}
