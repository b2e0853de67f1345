/**
 * @file Storage buffers and their reuse. A training step asks for the same sizes again and again, so a released buffer
 * waits in the free list of its size class instead of going back to the driver.
 */
import { LimitError } from "../errors.ts";

/** A storage buffer of the pool. `byteLength` is the size of its class, at least what was asked for. */
export interface DeviceBuffer {
  readonly id: number;
  readonly gpu: GPUBuffer;
  readonly byteLength: number;
  /** Serial of the last recording that uses the buffer; the recorder keeps it. */
  lastUse: number;
  /** How many times it was given back so far. */
  lives: number;
  /** Who gets it back instead of everybody. */
  reservation: Reservation | undefined;
}

/**
 * Buffers set apart for a captured step, which writes to them whenever it is replayed: nobody else may own them in between. While the
 * reservation is filled, each buffer that is acquired comes under it.
 */
export interface Reservation {
  readonly buffers: Set<DeviceBuffer>;
  readonly free: FreeLists;
  /** True until all that the step needs has come under it. */
  filling: boolean;
}

/** Buffers by the size of their class. */
type FreeLists = Map<number, DeviceBuffer[]>;

/** What `device.memory()` reports, in buffers and bytes. */
export interface MemoryReport {
  /** Buffers that tensors own now. */
  readonly liveBuffers: number;
  readonly liveBytes: number;
  /** Buffers that wait for reuse. */
  readonly pooledBuffers: number;
  readonly pooledBytes: number;
  /** The most bytes that were live at one time. */
  readonly peakBytes: number;
}

/** Kernels load and store whole vec4s at the end of a tensor, so every buffer is padded to this many bytes. */
const granularity = 256;

/**
 * Live and pooled bytes beyond so many times the largest live set, and this much more, are given back to the driver. Not 1: a step that
 * needs many sizes, one after the other, has more buffers than it holds at one time, and would make all of them anew each time.
 */
const [mostOfPeak, slackBytes] = [2, 256 * 2 ** 20];

/** Rounds `padded` up to one of eight classes an octave: at most 12.5 % are wasted, and near sizes share a class. */
function sizeClass(padded: number, limit: number): number {
  const step = Math.max(granularity, 2 ** Math.floor(Math.log2(padded)) / 8);
  return Math.min(Math.ceil(padded / step) * step, limit);
}

export class BufferPool {
  readonly #gpu: GPUDevice;
  readonly #free: FreeLists = new Map();
  /** The one that is being filled. */
  #reservation: Reservation | undefined;
  readonly #canDestroy: (buffer: DeviceBuffer) => boolean;
  readonly #onDestroy: () => void;
  /** The largest size that can be bound. */
  readonly #limit: number;
  #nextId = 1;
  #liveBuffers = 0;
  #liveBytes = 0;
  #pooledBuffers = 0;
  #pooledBytes = 0;
  #peakBytes = 0;

  /**
   * @param canDestroy false while a recorded command that is not yet submitted names the buffer.
   * @param onDestroy called when buffers went away, so that caches which name them can forget.
   */
  constructor(
    gpu: GPUDevice,
    canDestroy: (buffer: DeviceBuffer) => boolean,
    onDestroy: () => void,
  ) {
    const { maxStorageBufferBindingSize, maxBufferSize } = gpu.limits;
    const most = Math.min(maxStorageBufferBindingSize, maxBufferSize);
    this.#gpu = gpu;
    this.#limit = most - (most % granularity);
    this.#canDestroy = canDestroy;
    this.#onDestroy = onDestroy;
  }

  /** A buffer of at least `bytes`, its contents undefined. Throws `LimitError` before allocating what cannot be bound. */
  acquire(op: string, bytes: number): DeviceBuffer {
    const limit = this.#limit;
    const padded = Math.max(granularity, Math.ceil(bytes / granularity) * granularity);
    if (padded > limit) {
      throw new LimitError(
        op,
        `one tensor needs ${formatBytes(bytes)}, more than the ${formatBytes(limit)} that the adapter can bind`,
        `Use a batch or an image at least ${Math.ceil((bytes / limit) * 10) / 10} times smaller`,
      );
    }
    const byteLength = sizeClass(padded, limit);
    const reused =
      this.#reservation?.free.get(byteLength)?.pop() ?? this.#free.get(byteLength)?.pop();
    if (reused !== undefined) this.#countPooled(reused, -1);
    const buffer = reused ?? this.#create(op, byteLength);
    this.#countLive(buffer, 1);
    if (this.#reservation !== undefined) {
      buffer.reservation = this.#reservation;
      this.#reservation.buffers.add(buffer);
    }
    return buffer;
  }

  /** Takes the buffer back for reuse. Commands already recorded still see its old contents: the queue keeps the order. */
  release(buffer: DeviceBuffer): void {
    const { reservation } = buffer;
    buffer.lives++;
    insert(reservation?.free ?? this.#free, buffer);
    // What is set apart for good counts as live.
    if (reservation?.filling === false) return;
    this.#countLive(buffer, -1);
    this.#countPooled(buffer, 1);
  }

  /** Sets apart whatever is acquired from now on, until `endReserving`. */
  beginReserving(): Reservation {
    this.#reservation = { buffers: new Set(), free: new Map(), filling: true };
    return this.#reservation;
  }

  /** Nothing more comes under the reservation, and what it has counts as live. Twice is harmless. */
  endReserving(reservation: Reservation): void {
    if (!reservation.filling) return;
    this.#reservation = undefined;
    reservation.filling = false;
    for (const buffer of [...reservation.free.values()].flat()) {
      this.#countPooled(buffer, -1);
      this.#countLive(buffer, 1);
    }
  }

  /** Gives what was set apart to everybody again; tensors keep what they have. */
  cancelReservation(reservation: Reservation): void {
    for (const buffer of reservation.buffers) buffer.reservation = undefined;
    for (const buffer of [...reservation.free.values()].flat()) {
      insert(this.#free, buffer);
      this.#countLive(buffer, -1);
      this.#countPooled(buffer, 1);
    }
    reservation.free.clear();
  }

  /** Gives every pooled buffer that no unsubmitted command uses back to the driver. */
  trim(): void {
    const before = this.#pooledBuffers;
    for (const [byteLength, list] of this.#free) {
      const kept = list.filter((buffer) => {
        if (!this.#canDestroy(buffer)) return true;
        buffer.gpu.destroy();
        this.#countPooled(buffer, -1);
        return false;
      });
      if (kept.length > 0) this.#free.set(byteLength, kept);
      else this.#free.delete(byteLength);
    }
    if (this.#pooledBuffers < before) this.#onDestroy();
  }

  memory(): MemoryReport {
    return {
      liveBuffers: this.#liveBuffers,
      liveBytes: this.#liveBytes,
      pooledBuffers: this.#pooledBuffers,
      pooledBytes: this.#pooledBytes,
      peakBytes: this.#peakBytes,
    };
  }

  /** Starts a new measurement of `peakBytes`. */
  resetPeak(): void {
    this.#peakBytes = this.#liveBytes;
  }

  #create(op: string, byteLength: number): DeviceBuffer {
    // Sizes that are no longer asked for (the short last batch, another image size) must not pile up.
    const most = mostOfPeak * this.#peakBytes + slackBytes;
    if (this.#liveBytes + this.#pooledBytes + byteLength > most) this.trim();
    const gpu = this.#gpu.createBuffer({
      label: `${op} (${byteLength} bytes)`,
      size: byteLength,
      usage: 0x80 /* STORAGE */ | 0x4 /* COPY_SRC */ | 0x8 /* COPY_DST */,
    });
    return { id: this.#nextId++, gpu, byteLength, lastUse: 0, lives: 0, reservation: undefined };
  }

  #countLive({ byteLength }: DeviceBuffer, count: 1 | -1): void {
    this.#liveBuffers += count;
    this.#liveBytes += count * byteLength;
    this.#peakBytes = Math.max(this.#peakBytes, this.#liveBytes);
  }

  #countPooled({ byteLength }: DeviceBuffer, count: 1 | -1): void {
    this.#pooledBuffers += count;
    this.#pooledBytes += count * byteLength;
  }
}

/**
 * Into its place, the oldest last. The oldest is taken first: so a step that repeats gets the same buffers for the same tensors,
 * whatever the order in which the step before freed them, and finds its bind groups made.
 */
function insert(lists: FreeLists, buffer: DeviceBuffer): void {
  const list = lists.get(buffer.byteLength);
  if (list === undefined) {
    lists.set(buffer.byteLength, [buffer]);
    return;
  }
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle]?.id ?? 0) > buffer.id) low = middle + 1;
    else high = middle;
  }
  list.splice(low, 0, buffer);
}

/** `"1.5 MiB"`; for people. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1);
  const value = bytes / 2 ** (10 * power);
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[power] ?? "B"}`;
}
