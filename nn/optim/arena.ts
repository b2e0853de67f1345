/**
 * @file Arenas: flat buffers in which the parameters of an optimizer lie side by side, and flat buffers of the same layout for
 * its moments. So a kernel needs one binding for many parameters, and an update takes few dispatches.
 */
import { keep, zeros, type Device, type Tensor } from "../../engine/index.ts";

/** WebGPU binds storage at multiples of this many bytes. */
const alignment = 256;

/** One parameter in its arena. */
export interface Slot {
  readonly parameter: Tensor;
  readonly arena: Arena;
  readonly byteOffset: number;
  /** Index of the parameter's group. */
  readonly group: number;
  /** Updates that this parameter was given, those included that the guard let pass by. */
  step: number;
  /** Where the guard counts the updates that it let pass by. */
  readonly guardIndex: number;
}

/** One flat buffer of parameters, with flat moments that are allocated, as zeros, when they are first asked for. */
export class Arena {
  /** The parameters, f32. */
  readonly values: Tensor;
  readonly #moments = new Map<string, Tensor>();

  constructor(bytes: number, device: Device) {
    this.values = keep(zeros([bytes / 4], { device }));
  }

  /** The moments of this name, laid out as `values`. */
  moments(name: string): Tensor {
    const known = this.#moments.get(name);
    if (known !== undefined) return known;
    const fresh = keep(zeros(this.values.shape, { device: this.values.device }));
    this.#moments.set(name, fresh);
    return fresh;
  }

  /** The moments of this name, if they were ever asked for. */
  existingMoments(name: string): Tensor | undefined {
    return this.#moments.get(name);
  }
}

/** Moves parameters into arenas, in order, as many as one binding can hold into each. Empty parameters get no slot. */
export function packParameters(groups: readonly (readonly Tensor[])[], device: Device): Slot[] {
  const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
  const limit = Math.min(maxStorageBufferBindingSize, maxBufferSize);
  const placed = groups
    .flatMap((parameters, group) => parameters.map((parameter) => ({ parameter, group })))
    .filter(({ parameter }) => parameter.size > 0);
  const slots: Slot[] = [];
  for (let start = 0; start < placed.length;) {
    const offsets: number[] = [];
    let bytes = 0;
    for (const { parameter } of placed.slice(start)) {
      const end = bytes + alignUp(parameter.size * 4);
      if (end > limit && bytes > 0) break;
      offsets.push(bytes);
      bytes = end;
    }
    const arena = new Arena(bytes, device);
    offsets.forEach((byteOffset, i) => {
      const item = placed[start + i];
      if (item === undefined) return;
      item.parameter.moveInto(arena.values, byteOffset);
      slots.push({ ...item, arena, byteOffset, step: 0, guardIndex: 1 + slots.length });
    });
    start += offsets.length;
  }
  return slots;
}

/** Moves a parameter back into its slot if somebody, for example another optimizer, has moved it out. */
export function reclaim(op: string, slot: Slot): void {
  if (!isHome(slot, op)) slot.parameter.moveInto(slot.arena.values, slot.byteOffset);
}

/** Whether the parameter lies in its slot. */
export function isHome({ parameter, arena, byteOffset }: Slot, op = "optimizer"): boolean {
  const now = parameter.memory(op);
  return now.buffer === arena.values.memory(op).buffer && now.byteOffset === byteOffset;
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
