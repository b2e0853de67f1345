/** @file Memory and who holds it: a buffer, and the leases of the tensors that view it. */
import type { DeviceBuffer } from "./device/buffer-pool.ts";
import type { Device } from "./device/device.ts";
import type { Lease, Scope } from "./scope.ts";

/** A buffer shared by the tensors that view it. */
export class Storage {
  readonly device: Device;
  readonly buffer: DeviceBuffer;
  #leases = 0;

  constructor(op: string, device: Device, bytes: number) {
    this.device = device;
    this.buffer = device.buffers.acquire(op, bytes);
  }

  /** True when more than one tensor views the memory. */
  get isShared(): boolean {
    return this.#leases > 1;
  }

  lease(): StorageLease {
    this.#leases++;
    return new StorageLease(this);
  }

  endLease(): void {
    if (--this.#leases === 0 && !this.device.isLost) this.device.buffers.release(this.buffer);
  }
}

/** A tensor's right to a storage. The storage goes back to the pool with its last lease. */
export class StorageLease implements Lease {
  scope: Scope | undefined;
  #storage: Storage | undefined;
  #endedBy = "";

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  get storage(): Storage | undefined {
    return this.#storage;
  }

  /** Who ended the lease. */
  get endedBy(): string {
    return this.#endedBy;
  }

  release(by: string): void {
    const storage = this.#storage;
    if (storage === undefined) return;
    this.#storage = undefined;
    this.#endedBy = by;
    storage.endLease();
  }
}
