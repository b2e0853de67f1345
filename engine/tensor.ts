/**
 * @file Tensor: a shape, an element type, memory on a device, and its place on the tape. No mathematics: ops are functions,
 * `relu(add(x, y))`. Tensors are contiguous and row-major.
 */
import type { DeviceBuffer } from "./device/buffer-pool.ts";
import { defaultDevice, type Device } from "./device/device.ts";
import {
  bytesPerElement,
  decodeHostData,
  encodeHostData,
  isFloat,
  type DType,
  type HostData,
} from "./dtype.ts";
import { ArgumentError, DTypeError, ShapeError, UseAfterFreeError } from "./errors.ts";
import { adoptByScope, type Lease, type Scope } from "./scope.ts";
import { checkShape, formatShape, sizeOf, type Shape } from "./shape.ts";

/** A buffer shared by the tensors that view it. */
class Storage {
  readonly device: Device;
  readonly buffer: DeviceBuffer;
  #leases = 0;

  constructor(op: string, device: Device, bytes: number) {
    this.device = device;
    this.buffer = device.buffers.acquire(op, bytes);
  }

  lease(): StorageLease {
    this.#leases++;
    return new StorageLease(this);
  }

  endLease(): void {
    if (--this.#leases === 0 && !this.device.isLost) this.device.buffers.release(this.buffer);
  }
}

class StorageLease implements Lease {
  scope: Scope | undefined;
  #storage: Storage | undefined;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  get storage(): Storage | undefined {
    return this.#storage;
  }

  release(): void {
    const storage = this.#storage;
    this.#storage = undefined;
    storage?.endLease();
  }
}

/** The safety net: ends the lease of a tensor that nobody released. */
const finalizer = new FinalizationRegistry<StorageLease>((lease) => {
  lease.release();
});

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
  #lease: StorageLease;
  #byteOffset = 0;
  #freedBy = "release()";

  private constructor(lease: StorageLease, device: Device, shape: Shape, dtype: DType) {
    this.#lease = lease;
    this.device = device;
    this.shape = shape;
    this.dtype = dtype;
    this.size = sizeOf(shape);
    finalizer.register(this, lease);
    adoptByScope(lease);
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
  alias(shape: Shape = this.shape): Tensor {
    const view = new Tensor(this.#storageOf("alias").lease(), this.device, shape, this.dtype);
    view.#byteOffset = this.#byteOffset;
    return view;
  }

  get lease(): Lease {
    return this.#lease;
  }

  /** True once the memory was given back. */
  get isFreed(): boolean {
    return this.#lease.storage === undefined;
  }

  /** Where the elements are, for kernels. Throws `UseAfterFreeError` or `DeviceLostError`. */
  memory(op: string): { readonly buffer: DeviceBuffer; readonly byteOffset: number } {
    const { buffer } = this.#storageOf(op);
    return { buffer, byteOffset: this.#byteOffset };
  }

  /** Gives the memory back now. Only for code that knows that nobody uses the tensor any more; twice is harmless. */
  release(by = "release()"): void {
    if (this.#lease.storage !== undefined) this.#freedBy = by;
    this.#lease.release();
  }

  /**
   * Moves the elements into `target`, which must be able to hold them, at `byteOffset` (a multiple of 256), and makes this
   * tensor a view of it. So that many parameters can be updated by one dispatch.
   */
  moveInto(target: Tensor, byteOffset: number): void {
    const bytes = Math.ceil((this.size * bytesPerElement[this.dtype]) / 4) * 4;
    const from = this.memory("moveInto");
    const storage = target.#storageOf("moveInto");
    if (byteOffset % 256 !== 0 || byteOffset + bytes > storage.buffer.byteLength) {
      throw new ArgumentError(
        "moveInto",
        `the place does not fit: offset ${byteOffset}, ${bytes} bytes`,
        "Align it to 256",
      );
    }
    this.device.recorder.copy(from.buffer, from.byteOffset, storage.buffer, byteOffset, bytes);
    const { scope } = this.#lease;
    this.#lease.release();
    this.#lease = storage.lease();
    scope?.adopt(this.#lease);
    this.#byteOffset = byteOffset;
    finalizer.register(this, this.#lease);
  }

  /** Overwrites all elements from the host. Throws `ShapeError` unless there are exactly `size` of them. */
  write(values: ArrayLike<number>): void {
    if (values.length !== this.size) {
      throw new ShapeError(
        "write",
        `the number of values does not fit: ${values.length} for the shape ${formatShape(this.shape)}`,
        `Pass ${this.size} values`,
      );
    }
    const { buffer, byteOffset } = this.memory("write");
    if (this.size > 0)
      this.device.recorder.write(buffer, byteOffset, encodeHostData(values, this.dtype));
  }

  /**
   * The elements on the host, row-major, as they are after everything recorded so far; f16 is widened to Float32Array.
   * @throws DeviceLostError, and any error that the device reported since the last wait.
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

  #storageOf(op: string): Storage {
    const { storage } = this.#lease;
    this.device.assertUsable(op);
    if (storage === undefined) {
      throw new UseAfterFreeError(
        op,
        `the tensor was already freed by ${this.#freedBy}: ${this.toString()}`,
        "Call keep(t) right after it is made, or scope.keep(t), if it must live longer",
      );
    }
    return storage;
  }
}

/** Numbers nested to any depth: `[[1, 2], [3, 4]]`. */
export type NestedNumbers = number | readonly NestedNumbers[];

export interface TensorOptions {
  /** Default: the nesting of the values, or one axis for a typed array. */
  readonly shape?: Shape;
  /** Default: f32, or the type of the typed array. */
  readonly dtype?: DType;
  /** Default: `defaultDevice()`. */
  readonly device?: Device;
  /** Track gradients for this leaf. Default: false. */
  readonly requiresGrad?: boolean;
}

type NumericArray =
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint32Array
  | Uint16Array
  | Uint8Array
  | Int16Array
  | Int8Array;

/**
 * A tensor from numbers on the host, which are copied.
 *
 * @throws ShapeError when the values are ragged or do not fill the shape.
 * @throws DTypeError when gradients are asked of an integer type.
 */
export function tensor(values: NestedNumbers | NumericArray, options: TensorOptions = {}): Tensor {
  const { device = defaultDevice("tensor"), requiresGrad = false } = options;
  const flat = ArrayBuffer.isView(values) ? values : flatten(values);
  const shape = [
    ...(options.shape ?? (ArrayBuffer.isView(values) ? [values.length] : nestingOf(values))),
  ];
  const dtype =
    options.dtype ??
    (values instanceof Int32Array ? "i32" : values instanceof Uint32Array ? "u32" : "f32");
  checkShape("tensor", shape);
  if (sizeOf(shape) !== flat.length) {
    throw new ShapeError(
      "tensor",
      `${flat.length} values do not fill the shape ${formatShape(shape)} of ${sizeOf(shape)}`,
      "Correct the shape, or make all rows equally long",
    );
  }
  device.assertUsable("tensor");
  const result = Tensor.allocate("tensor", device, shape, dtype);
  result.write(flat);
  if (requiresGrad) setRequiresGrad(result, true);
  return result;
}

/** Turns gradient tracking of a leaf on or off. Throws `DTypeError` for integers, `ArgumentError` for results of ops. */
export function setRequiresGrad(leaf: Tensor, requiresGrad: boolean): void {
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
}

function flatten(values: NestedNumbers): number[] {
  return typeof values === "number"
    ? [values]
    : ((values as readonly unknown[]).flat(Infinity) as number[]);
}

/** Sizes along the first element of each level; raggedness shows as a wrong count. */
function nestingOf(values: NestedNumbers): number[] {
  const shape: number[] = [];
  for (let level = values; typeof level !== "number"; level = level[0] ?? 0) {
    shape.push(level.length);
    if (level.length === 0) break;
  }
  return shape;
}
