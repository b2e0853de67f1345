/** @file What the update kernels have in common: which parameters of an arena one dispatch updates, and where they lie. */
import type { Tensor } from "../../engine/index.ts";
import type { Arena, Slot } from "./arena.ts";
import { bindGradients, shareOut } from "./dispatch-list.ts";
import type { Hypers } from "./hypers.ts";

/** WORKGROUP vec4s of the update shaders, in elements. */
const elementsPerVector = 64 * 4;

/** One dispatch of an update kernel. */
export interface SlotDispatch {
  readonly slots: readonly Slot[];
  /** Bindings `gradient0`, ..., `parameters` and `guard`. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** VECTORS and COUNT. */
  readonly overrides: Readonly<Record<string, number>>;
  /** Members of `struct Params` that all update kernels have, as the groups' hypers and the steps are now. */
  params(): {
    readonly workgroups: number;
    readonly count: number;
    readonly places: readonly number[];
    readonly decays: readonly number[];
  };
}

/** Splits parameters of one arena, all with a gradient, over dispatches of a kernel that binds `gradientCount` gradients. */
export function slotDispatches(
  arena: Arena,
  slots: readonly Slot[],
  groups: readonly Hypers[],
  guard: Tensor,
  gradientCount: number,
): SlotDispatch[] {
  const sizeOf = ({ parameter }: Slot) => parameter.size;
  const VECTORS = arena.values.device.adapter.software ? 16 : 4;
  const shares = shareOut(slots, sizeOf, gradientCount, elementsPerVector * VECTORS);
  return shares.map(({ items, firstWorkgroups, workgroups, overrides }) => {
    const gradients = items.map(({ parameter }) => parameter.grad ?? parameter);
    const spare = gradients[0] ?? arena.values;
    const places = placesOf(items, firstWorkgroups);
    return {
      slots: items,
      tensors: {
        ...bindGradients(gradients, gradientCount, () => spare),
        parameters: arena.values,
        guard,
      },
      overrides: { VECTORS, ...overrides },
      params: () => ({
        workgroups,
        count: items.length,
        places,
        decays: decaysOf(items, groups),
      }),
    };
  });
}

/** For each parameter: its first workgroup, vec4s, where it lies in the arena in vec4s, and its number in the guard. */
function placesOf(slots: readonly Slot[], firstWorkgroups: readonly number[]): number[] {
  const places: number[] = [];
  for (const [i, { parameter, byteOffset, guardIndex }] of slots.entries()) {
    const vectors = Math.ceil(parameter.size / 4);
    places.push(firstWorkgroups[i] ?? 0, vectors, byteOffset / 16, guardIndex);
  }
  return places;
}

/** For each parameter: its decay in two forms, its step, and nothing. */
function decaysOf(slots: readonly Slot[], groups: readonly Hypers[]): number[] {
  const decays: number[] = [];
  for (const { parameter, group, step } of slots) {
    const [coupled, decoupled] = decayOf(parameter, groups[group]);
    decays.push(coupled, decoupled, step, 0);
  }
  return decays;
}

/** What joins the gradient per unit of the parameter, and what the parameter is multiplied by. */
function decayOf({ shape }: Tensor, hypers: Hypers | undefined): readonly [number, number] {
  if (hypers === undefined) return [0, 1];
  const { lr, weightDecay, decoupledWeightDecay, decayVectors } = hypers;
  if (shape.length <= 1 && !decayVectors) return [0, 1];
  return decoupledWeightDecay ? [0, 1 - lr * weightDecay] : [weightDecay, 1];
}
