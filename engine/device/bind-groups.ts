/**
 * @file Bind groups, made once for each layout, list of buffers and place of the uniforms: a step that repeats finds the same ones. Not
 * one group with a dynamic offset for all places, because llvmpipe takes 75 us longer for a dispatch that has one.
 */
import type { DeviceBuffer } from "./buffer-pool.ts";
import type { BindLayout } from "./pipeline-cache.ts";

/** A buffer from `byteOffset` to its end. */
export interface BoundBuffer {
  readonly buffer: DeviceBuffer;
  readonly byteOffset: number;
}

interface KnownGroup {
  readonly layout: BindLayout;
  readonly resources: readonly BoundBuffer[];
  readonly paramOffset: number;
  readonly group: GPUBindGroup;
  /** Another one with the same hash. */
  readonly next: KnownGroup | undefined;
}

/** Bind groups are cheap to make again; this only bounds the map. */
const mostHashes = 16384;

export class BindGroups {
  readonly #gpu: GPUDevice;
  readonly #params: GPUBuffer;
  readonly #groups = new Map<number, KnownGroup>();

  /** @param params the buffer of all uniforms. */
  constructor(gpu: GPUDevice, params: GPUBuffer) {
    this.#gpu = gpu;
    this.#params = params;
  }

  /**
   * @param resources of the storage bindings of the layout, in its order.
   * @param paramOffset bytes at which the uniform begins.
   */
  get(
    layout: BindLayout,
    resources: readonly BoundBuffer[],
    paramOffset: number,
    label: string,
  ): GPUBindGroup {
    const hash = hashOf(layout, resources, paramOffset);
    const first = this.#groups.get(hash);
    for (let known = first; known !== undefined; known = known.next) {
      if (
        known.layout === layout &&
        known.paramOffset === paramOffset &&
        sameResources(known.resources, resources)
      )
        return known.group;
    }
    const group = this.#create(layout, resources, paramOffset, label);
    if (this.#groups.size >= mostHashes) this.#groups.clear();
    this.#groups.set(hash, { layout, resources, paramOffset, group, next: first });
    return group;
  }

  /** Forgets all, because buffers that they name were destroyed. */
  clear(): void {
    this.#groups.clear();
  }

  #create(
    { group, storage, uniform }: BindLayout,
    resources: readonly BoundBuffer[],
    paramOffset: number,
    label: string,
  ): GPUBindGroup {
    const entries = resources.map(({ buffer, byteOffset }, i): GPUBindGroupEntry => {
      return { binding: storage[i] ?? 0, resource: { buffer: buffer.gpu, offset: byteOffset } };
    });
    if (uniform !== undefined) {
      const resource = { buffer: this.#params, offset: paramOffset, size: uniform.byteLength };
      entries.push({ binding: uniform.binding, resource });
    }
    return this.#gpu.createBindGroup({ label, layout: group, entries });
  }
}

/** FNV-1a over whole numbers instead of bytes. */
function hashOf(
  { id }: BindLayout,
  resources: readonly BoundBuffer[],
  paramOffset: number,
): number {
  let hash = Math.imul(id ^ paramOffset, 0x01000193);
  for (const { buffer, byteOffset } of resources) {
    hash = Math.imul(hash ^ buffer.id, 0x01000193);
    hash = Math.imul(hash ^ byteOffset, 0x01000193);
  }
  return hash;
}

function sameResources(a: readonly BoundBuffer[], b: readonly BoundBuffer[]): boolean {
  for (let i = 0; i < b.length; i++) {
    if (a[i]?.buffer !== b[i]?.buffer || a[i]?.byteOffset !== b[i]?.byteOffset) return false;
  }
  return a.length === b.length;
}
