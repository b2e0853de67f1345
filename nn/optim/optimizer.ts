/**
 * @file What all optimizers share: parameter groups, the walk over the parameters that have a gradient, and saving and loading
 * of their state. An optimizer itself, SGD or Adam, says only how its kernel is fed.
 */
import {
  ArgumentError,
  keep,
  onReplay,
  openScope,
  zeros,
  type Tensor,
} from "../../engine/index.ts";
import { isHome, packParameters, reclaim, type Arena, type Slot } from "./arena.ts";
import {
  checkFraction,
  checkNotNegative,
  type HyperName,
  type Hypers,
  type ParameterGroup,
  type ParametersOrGroups,
} from "./hypers.ts";
import {
  checkState,
  type OptimizerGroupState,
  type OptimizerParameterState,
  type OptimizerState,
} from "./optimizer-state.ts";
import { checkParameters, groupsOf } from "./parameter-groups.ts";

/**
 * Base of the optimizers. It moves the parameters into flat buffers (they stay the same tensors, with the same values), so that
 * one dispatch updates several at once.
 */
export abstract class Optimizer<H extends Hypers = Hypers> {
  /** Name in errors and state dicts. */
  readonly name: string;
  readonly groups: readonly ParameterGroup<H>[];
  /**
   * u32 on the device. While the first number is not 0, `step` leaves everything as it is, momentum included; the others count how
   * many updates each parameter has missed so. `GradScaler` sets it, so that the host need not know which gradients overflowed.
   */
  readonly guard: Tensor;
  readonly #momentNames: readonly string[];
  readonly #slots: readonly Slot[];

  /**
   * @throws ArgumentError when there is no parameter, one occurs twice, is no leaf, or a hyper is outside its domain.
   * @throws DTypeError for parameters that are not f32.
   */
  protected constructor(
    name: string,
    momentNames: readonly string[],
    parameters: ParametersOrGroups<H>,
    defaults: H,
  ) {
    this.name = name;
    this.#momentNames = momentNames;
    this.groups = groupsOf(parameters, defaults);
    const device = checkParameters(name, this.groups);
    for (const group of this.groups) this.#check(group);
    const lists = this.groups.map((group) => group.parameters);
    this.#slots = packParameters(lists, device);
    this.guard = keep(zeros([1 + this.#slots.length], { dtype: "u32", device }));
  }

  /** Refuses hypers outside their domain; called before every step, because schedules may set anything. */
  protected abstract checkHypers(group: ParameterGroup<H>): void;

  /** Which kernels update a group, where its hypers decide that; a captured step holds while they stay the same. */
  protected kernelsOf(_group: ParameterGroup<H>): string {
    return "";
  }

  /**
   * Records the update of parameters of one arena, all of which have a gradient. `step` is already counted up. Where the first
   * number of `guard` is not 0, the kernels change nothing but the counts there.
   */
  protected abstract update(arena: Arena, slots: readonly Slot[]): void;

  /** All parameters of all groups. */
  get parameters(): Tensor[] {
    return this.groups.flatMap((group) => group.parameters);
  }

  /**
   * Updates every parameter that wants and has a gradient. The others are left as they are: neither decay nor momentum moves
   * them.
   *
   * @throws ArgumentError when a hyper is outside its domain: a learning rate that is not finite.
   */
  step(): void {
    const updated = this.#slots.filter(
      ({ parameter }) => parameter.requiresGrad && parameter.grad !== undefined,
    );
    for (const slot of updated) reclaim(this.name, slot);
    this.#beginStep(updated);
    onReplay(() => ({
      isValid: this.#sameStep(),
      run: () => {
        this.#beginStep(updated);
      },
    }));
    const byArena = new Map<Arena, Slot[]>();
    for (const slot of updated) {
      const { arena } = slot;
      const list = byArena.get(arena);
      if (list === undefined) byArena.set(arena, [slot]);
      else list.push(slot);
    }
    for (const [arena, slots] of byArena) this.update(arena, slots);
  }

  /** The part of a step that is the host's. */
  #beginStep(updated: readonly Slot[]): void {
    for (const group of this.groups) this.#check(group);
    for (const slot of updated) slot.step++;
  }

  /** Whether a step would still be recorded as it is now: the same parameters, where they are, and the same kernels. */
  #sameStep(): () => boolean {
    const kernels = (): string => this.groups.map((group) => this.kernelsOf(group)).join();
    const wanted = this.#slots.map(({ parameter }) => parameter.requiresGrad);
    const before = kernels();
    return () =>
      kernels() === before &&
      this.#slots.every((slot, i) => slot.parameter.requiresGrad === wanted[i] && isHome(slot));
  }

  /** Frees the gradients, so that the next `backward` begins anew instead of adding up. */
  zeroGrad(): void {
    for (const parameter of this.parameters) {
      parameter.grad?.release("zeroGrad");
      parameter.grad = undefined;
    }
  }

  /**
   * Sets a hyper in all groups: to one value, or to one for each group.
   * @throws ArgumentError when there are not as many values as groups.
   */
  setHyper(name: HyperName, value: number | readonly number[]): void {
    const values = typeof value === "number" ? this.groups.map(() => value) : value;
    if (values.length !== this.groups.length) {
      throw new ArgumentError(
        `${this.name}.setHyper`,
        `${values.length} values of ${name} for ${this.groups.length} parameter groups: [${values.join(", ")}]`,
        "Pass one number, or one for each group",
      );
    }
    this.groups.forEach((group, i) => Object.assign(group, { [name]: values[i] }));
  }

  /** Forgets moments and step counts, as if there had been no step. Parameters and hypers stay. */
  clearState(): void {
    using _scope = openScope();
    for (const slot of this.#slots) slot.step = 0;
    const empty = ({ shape, dtype, device }: Tensor): Tensor => zeros(shape, { dtype, device });
    for (const tensor of [this.guard, ...this.#allMoments()])
      tensor.assign(empty(tensor), "clearState");
  }

  /** Hypers, step counts and moments, copied to the host. */
  async stateDict(): Promise<OptimizerState> {
    const counts = this.guard.data();
    const moments = new Map<Tensor, Promise<ArrayLike<number>>>();
    for (const flat of this.#allMoments()) moments.set(flat, flat.data());
    const read = async (slot: Slot, name: string): Promise<[string, Float32Array][]> => {
      const flat = slot.arena.existingMoments(name);
      const values = flat === undefined ? undefined : await moments.get(flat);
      if (!(values instanceof Float32Array)) return [];
      const start = slot.byteOffset / 4;
      return [[name, values.slice(start, start + slot.parameter.size)]];
    };
    const stateOf = async (parameter: Tensor): Promise<OptimizerParameterState> => {
      const slot = this.#slots.find((candidate) => candidate.parameter === parameter);
      if (slot === undefined) return { size: parameter.size, step: 0, moments: {} };
      const { guardIndex, step: given } = slot;
      const reading = Promise.all(this.#momentNames.map((name) => read(slot, name)));
      const [entries, counted] = await Promise.all([reading, counts]);
      const missed = counted[guardIndex] ?? 0;
      const step = given - missed;
      return { size: parameter.size, step, missed, moments: Object.fromEntries(entries.flat()) };
    };
    const groups = this.groups.map(async (group) => {
      const { parameters, ...hypers } = group;
      const states = await Promise.all(parameters.map(stateOf));
      return {
        hypers: { ...hypers } as unknown as OptimizerGroupState["hypers"],
        parameters: states,
      };
    });
    return { optimizer: this.name, groups: await Promise.all(groups) };
  }

  /**
   * Takes over hypers, step counts and moments. The parameters themselves are the model's state.
   * @throws ArgumentError when the state is of another optimizer, or its groups and sizes are others.
   */
  loadStateDict(state: OptimizerState): void {
    checkState(this.name, this.groups, state);
    const saved = new Map<Tensor, OptimizerParameterState>();
    this.groups.forEach((group, g) => {
      Object.assign(group, state.groups[g]?.hypers);
      group.parameters.forEach((parameter, p) => {
        const of = state.groups[g]?.parameters[p];
        if (of !== undefined) saved.set(parameter, of);
      });
    });
    const counts = new Uint32Array(this.guard.size);
    for (const slot of this.#slots) {
      const { step, missed = 0 } = saved.get(slot.parameter) ?? { step: 0 };
      slot.step = step + missed;
      counts[slot.guardIndex] = missed;
    }
    this.guard.write(counts);
    for (const name of this.#momentNames) this.#loadMoments(name, saved);
  }

  #loadMoments(name: string, saved: ReadonlyMap<Tensor, OptimizerParameterState>): void {
    for (const arena of new Set(this.#slots.map((slot) => slot.arena))) {
      const inArena = this.#slots.filter((slot) => slot.arena === arena);
      const anySaved = inArena.some(({ parameter }) => saved.get(parameter)?.moments[name]);
      if (!anySaved && arena.existingMoments(name) === undefined) continue;
      const flat = new Float32Array(arena.values.size);
      for (const { parameter, byteOffset } of inArena) {
        flat.set(saved.get(parameter)?.moments[name] ?? [], byteOffset / 4);
      }
      arena.moments(name).write(flat);
    }
  }

  *#allMoments(): Generator<Tensor> {
    for (const arena of new Set(this.#slots.map((slot) => slot.arena))) {
      for (const name of this.#momentNames) {
        const flat = arena.existingMoments(name);
        if (flat !== undefined) yield flat;
      }
    }
  }

  #check(group: ParameterGroup<H>): void {
    checkNotNegative(this.name, "lr", group.lr, "1e-3");
    checkFraction(this.name, "momentum", group.momentum, "0.9");
    checkNotNegative(this.name, "weightDecay", group.weightDecay, "0.01");
    this.checkHypers(group);
  }
}
