/** @file Datasets: samples on the host that a loader takes in batches. */
import { ArgumentError, formatShape, ShapeError, sizeOf, type Shape } from "../engine/index.ts";

/** Numbers on the host with a shape, row-major. */
export interface HostArray<Data extends ArrayLike<number> = ArrayLike<number>> {
  readonly shape: Shape;
  readonly data: Data;
}

/** Inputs of a batch: bytes (pixels) or floats, `[size, ...shape of one sample]`. */
export type InputArray = HostArray<InputData>;

/** Targets of a batch: class indices `[size]` as integers, or values of any shape `[size, ...]` as floats. */
export type TargetArray = HostArray<Int32Array | Float32Array>;

/** Some samples on the host. */
export interface HostBatch {
  readonly x: InputArray;
  readonly y: TargetArray;
}

/** What a `DataLoader` needs of a dataset. */
export interface Dataset {
  /** Number of samples. */
  readonly length: number;
  /** Copies the samples with these indices, in this order. */
  gather(indices: Uint32Array): HostBatch;
}

/** Typed arrays that hold inputs. */
export type InputData = Uint8Array | Float32Array;

/** Typed arrays that hold targets; integers become i32 on the device. */
export type TargetData =
  Uint8Array | Int8Array | Uint16Array | Int16Array | Int32Array | Float32Array;

/** Contents of an `ArrayDataset`; the first axis of both arrays counts the samples. */
export interface ArrayDatasetOptions<X extends InputData, Y extends TargetData> {
  /** Inputs `[n, ...]`, for example images `[n, height, width, channels]` in bytes. */
  readonly x: HostArray<X>;
  /** Class indices `[n]` in integers, or float targets `[n, ...]`. */
  readonly y: HostArray<Y>;
}

/**
 * A dataset in the host's memory; PyTorch's TensorDataset. The arrays are not copied: do not change them while you load.
 */
export class ArrayDataset<
  X extends InputData = InputData,
  Y extends TargetData = TargetData,
> implements Dataset {
  readonly x: HostArray<X>;
  readonly y: HostArray<Y>;
  readonly length: number;

  /** @throws ShapeError when data do not fill their shape, or the numbers of samples differ. */
  constructor({ x, y }: ArrayDatasetOptions<X, Y>) {
    checkFilled("x", x);
    checkFilled("y", y);
    const [length = 0] = x.shape;
    if (y.shape[0] !== length) {
      throw new ShapeError(
        "ArrayDataset",
        `x and y have different numbers of samples: ${formatShape(x.shape)} and ${formatShape(y.shape)}`,
        "Make their first axes equal",
      );
    }
    this.x = x;
    this.y = y;
    this.length = length;
  }

  /** @throws ArgumentError for an index outside the dataset. */
  gather(indices: Uint32Array): HostBatch {
    const outside = indices.find((index) => index >= this.length);
    if (outside !== undefined) {
      throw new ArgumentError(
        "ArrayDataset.gather",
        `sample ${outside} of a dataset of ${this.length}`,
        `Use indices from 0 to ${this.length - 1}`,
      );
    }
    const InputType = this.x.data instanceof Uint8Array ? Uint8Array : Float32Array;
    const TargetType = this.y.data instanceof Float32Array ? Float32Array : Int32Array;
    const count = indices.length;
    return {
      x: gatherRows(this.x, indices, new InputType(count * sampleSize(this.x))),
      y: gatherRows(this.y, indices, new TargetType(count * sampleSize(this.y))),
    };
  }

  /** The samples from `begin` up to but not including `end`, sharing this dataset's memory; as `Array.slice` counts. */
  slice(begin: number, end?: number): ArrayDataset<X, Y> {
    return new ArrayDataset({ x: sliceRows(this.x, begin, end), y: sliceRows(this.y, begin, end) });
  }
}

function sampleSize({ shape }: HostArray): number {
  return sizeOf(shape.slice(1));
}

/** `out[i, ...] = rows[indices[i], ...]` */
function gatherRows<Out extends Uint8Array | Float32Array | Int32Array>(
  rows: HostArray<TargetData>,
  indices: Uint32Array,
  out: Out,
): HostArray<Out> {
  const size = sampleSize(rows);
  indices.forEach((index, i) => {
    out.set(rows.data.subarray(index * size, (index + 1) * size), i * size);
  });
  return { shape: [indices.length, ...rows.shape.slice(1)], data: out };
}

function sliceRows<Data extends TargetData>(
  rows: HostArray<Data>,
  begin: number,
  end?: number,
): HostArray<Data> {
  const [length = 0, ...rest] = rows.shape;
  const size = sizeOf(rest);
  const from = resolveIndex(begin, length);
  const to = Math.max(from, resolveIndex(end ?? length, length));
  return { shape: [to - from, ...rest], data: rows.data.subarray(from * size, to * size) as Data };
}

/** Negative indices count from the end; beyond the ends means the ends. */
function resolveIndex(index: number, length: number): number {
  if (!Number.isInteger(index)) {
    throw new ArgumentError(
      "ArrayDataset.slice",
      `an end is not a whole number: ${index}`,
      "Use integers",
    );
  }
  return Math.min(length, Math.max(0, index < 0 ? index + length : index));
}

function checkFilled(name: string, { shape, data }: HostArray): void {
  if (
    shape.length === 0 ||
    shape.some((size) => !Number.isSafeInteger(size) || size < 0) ||
    sizeOf(shape) !== data.length
  ) {
    throw new ShapeError(
      "ArrayDataset",
      `${data.length} values of ${name} do not fill the shape ${formatShape(shape)}`,
      "The first axis counts the samples; correct the shape or the data",
    );
  }
}
