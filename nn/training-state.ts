/**
 * @file What a run needs besides the weights to go on as if nothing had happened: the optimizer's state and the scaler's, as named
 * tensors for a file. Hypers are kept in float64, because schedules compute in it.
 */
import { ArgumentError, type Shape } from "../engine/index.ts";
import type { GradScaler, GradScalerState } from "./mixed-precision/grad-scaler.ts";
import type { Optimizer } from "./optim/optimizer.ts";
import type { OptimizerState } from "./optim/optimizer-state.ts";

/** Whose state it is. */
export interface TrainingParts {
  readonly optimizer: Optimizer;
  /** Default: none; a state of one is then passed over. */
  readonly scaler?: GradScaler | undefined;
}

/** A tensor of the state on the host; the type's name is that of safetensors. */
export type TrainingEntry =
  | { readonly dtype: "F64"; readonly shape: Shape; readonly data: Float64Array<ArrayBuffer> }
  | { readonly dtype: "F32"; readonly shape: Shape; readonly data: Float32Array<ArrayBuffer> }
  | { readonly dtype: "U8"; readonly shape: Shape; readonly data: Uint8Array<ArrayBuffer> };

/** A tensor of a file. */
export interface ImportableEntry {
  readonly data: ArrayLike<number> | ArrayLike<bigint>;
}

/**
 * The state of an optimizer, and of a scaler if there is one, copied to the host. The result can be written as it is:
 *
 * ```ts
 * const { optimizer, scaler } = learner;
 * await writeSafetensors("training.safetensors", await exportTrainingState({ optimizer, scaler }));
 * ```
 *
 * Names: `Adam.0.lr` is a hyper of the first group of an Adam, `Adam.0.2.step` and `Adam.0.2.first` belong to its third parameter,
 * `GradScaler.scale` to the scaler. Flags are U8, all other numbers F64, moments F32. The weights are `exportStateDict`'s.
 */
export async function exportTrainingState({
  optimizer,
  scaler,
}: TrainingParts): Promise<Map<string, TrainingEntry>> {
  const [state, scaling] = await Promise.all([optimizer.stateDict(), scaler?.stateDict()]);
  const entries = new Map<string, TrainingEntry>();
  state.groups.forEach(({ hypers, parameters }, g) => {
    const group = `${state.optimizer}.${g}`;
    for (const [name, value] of Object.entries(hypers)) {
      entries.set(`${group}.${name}`, typeof value === "number" ? number(value) : flag(value));
    }
    parameters.forEach(({ moments, ...counts }, p) => {
      for (const [name, count] of Object.entries(counts)) {
        entries.set(`${group}.${p}.${name}`, number(count));
      }
      for (const [name, moment] of Object.entries(moments)) {
        const data = Float32Array.from(moment);
        entries.set(`${group}.${p}.${name}`, { dtype: "F32", shape: [data.length], data });
      }
    });
  });
  for (const [name, value] of Object.entries(scaling ?? {})) {
    entries.set(`GradScaler.${name}`, number(value as number));
  }
  return entries;
}

/**
 * Takes over what `exportTrainingState` gave, for example the tensors of a file.
 *
 * ```ts
 * const { tensors } = await readSafetensors("training.safetensors");
 * importTrainingState(tensors, { optimizer: learner.optimizer, scaler: learner.toFp16().scaler });
 * ```
 * @throws ArgumentError when the state is of another optimizer, its groups and sizes are others, or it lacks the scaler's state.
 */
export function importTrainingState(
  entries: ReadonlyMap<string, ImportableEntry>,
  { optimizer, scaler }: TrainingParts,
): void {
  const state = optimizerStateOf(entries);
  const scaling = scaler === undefined ? undefined : scalerStateOf(entries);
  optimizer.loadStateDict(state);
  if (scaling !== undefined) scaler?.loadStateDict(scaling);
}

function number(value: number): TrainingEntry {
  return { dtype: "F64", shape: [], data: Float64Array.of(value) };
}

function flag(value: boolean): TrainingEntry {
  return { dtype: "U8", shape: [], data: Uint8Array.of(Number(value)) };
}

interface ParameterDraft {
  size: number;
  step: number;
  missed: number;
  readonly moments: Record<string, Float32Array>;
}

interface GroupDraft {
  readonly hypers: Record<string, number | boolean>;
  readonly parameters: ParameterDraft[];
}

/** `Adam.0.lr` or `Adam.0.2.first`: optimizer, group, parameter if any, name. */
const place = /^(\w+)\.(\d+)\.(?:(\d+)\.)?(\w+)$/;

function optimizerStateOf(entries: ReadonlyMap<string, ImportableEntry>): OptimizerState {
  const groups: GroupDraft[] = [];
  let optimizer = "";
  for (const [key, { data }] of entries) {
    const [, owner = "", g, p, name = ""] = place.exec(key) ?? [];
    if (g === undefined) continue;
    optimizer = owner;
    const group = (groups[Number(g)] ??= { hypers: {}, parameters: [] });
    const value = Number(data[0]);
    if (p === undefined) {
      group.hypers[name] = data instanceof Uint8Array ? value !== 0 : value;
      continue;
    }
    const parameter = (group.parameters[Number(p)] ??= {
      size: 0,
      step: 0,
      missed: 0,
      moments: {},
    });
    if (name === "size" || name === "step" || name === "missed") parameter[name] = value;
    else parameter.moments[name] = Float32Array.from(data, Number);
  }
  if (groups.length === 0) throw missing("an optimizer", entries);
  return { optimizer, groups };
}

function scalerStateOf(entries: ReadonlyMap<string, ImportableEntry>): GradScalerState {
  const value = (name: string): number => {
    const entry = entries.get(`GradScaler.${name}`);
    if (entry === undefined) throw missing(`GradScaler.${name}`, entries);
    return Number(entry.data[0]);
  };
  return {
    scale: value("scale"),
    growthFactor: value("growthFactor"),
    backoffFactor: value("backoffFactor"),
    growthInterval: value("growthInterval"),
    growthTracker: value("growthTracker"),
  };
}

function missing(what: string, entries: ReadonlyMap<string, ImportableEntry>): ArgumentError {
  const names = [...entries.keys()];
  const some = names.length > 3 ? `${names.slice(0, 3).join(", ")}, ...` : names.join(", ");
  return new ArgumentError(
    "importTrainingState",
    `the state of ${what} is missing: [${some}]`,
    "Load what exportTrainingState gave; leave the scaler out if the run had none",
  );
}
