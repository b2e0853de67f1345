/** @file The weights out of what a checkpoint holds. */
import { ArgumentError } from "../../../engine/index.ts";
import { float32Values } from "../safetensors-values.ts";
import { quote } from "./fail.ts";
import type { TorchDict, TorchFile, TorchTensor, TorchValue } from "./torch.ts";

/** Keys under which training programs put the state dict of the model, beside that of the optimizer, the epoch and others. */
const wrappers = ["state_dict", "model_state_dict", "model"];

/** What `DataParallel` and `DistributedDataParallel` put before every name. */
const parallelPrefix = "module.";

const op = "torchStateDict";

export interface TorchStateDictOptions {
  /**
   * The keys that lead to the state dict: `["ema", "state_dict"]`. Default: it is the file's value, or under one of `state_dict`,
   * `model_state_dict` and `model`, or under one of them in another.
   */
  readonly path?: readonly (string | number)[];
  /**
   * Turn F16, BF16 and BOOL into F32, which `importStateDict` of `wgrad/nn` takes. Exact. With false the tensors are as in the file,
   * to be written by `encodeSafetensors`. Default: true.
   */
  readonly widen?: boolean;
}

/**
 * The weights of a checkpoint by name, in the order of the file. Where every name begins with `module.`, as after training on
 * several devices, that is taken off.
 *
 * ```ts
 * importStateDict(model, torchStateDict(await readTorch("resnet34.pth")));
 * ```
 *
 * @throws ArgumentError when no state dict is found, when two places could hold it, or when something in it is no tensor.
 */
export function torchStateDict(
  file: TorchFile,
  { path, widen = true }: TorchStateDictOptions = {},
): ReadonlyMap<string, TorchTensor> {
  const { dict, path: taken } =
    path === undefined ? unwrap(file.value, []) : { dict: follow(file.value, path), path };
  const others = Array.from(dict.keys()).filter((key) => !isTorchTensor(dict.get(key)));
  if (others.length > 0) failNoTensors(dict, others, taken);
  const state: [TorchKey, TorchTensor][] = [];
  for (const [key, tensor] of dict)
    if (isTorchTensor(tensor)) state.push([key, widen ? widened(tensor) : tensor]);
  return withoutParallelPrefix(op, state);
}

/**
 * Tensors by name, without the `module.` of training on several devices where every name begins with it.
 *
 * @throws ArgumentError when two keys have the same name.
 */
export function withoutParallelPrefix(
  op: string,
  tensors: Iterable<readonly [key: TorchKey, tensor: TorchTensor]>,
): ReadonlyMap<string, TorchTensor> {
  const named = Array.from(tensors, ([key, tensor]) => [String(key), tensor] as const);
  const isParallel = named.every(([name]) => name.startsWith(parallelPrefix));
  const state = new Map<string, TorchTensor>();
  for (const [key, tensor] of named) {
    const name = isParallel ? key.slice(parallelPrefix.length) : key;
    if (state.has(name))
      throw new ArgumentError(op, `two keys have the same name: ${quote(name)}`, "Pass a path");
    state.set(name, tensor);
  }
  return state;
}

/** Whether a value of a checkpoint is a tensor. */
export function isTorchTensor(value: TorchValue | undefined): value is TorchTensor {
  return typeof value === "object" && value !== null && !isDict(value) && !Array.isArray(value);
}

function isDict(value: TorchValue | undefined): value is TorchDict {
  return value instanceof Map;
}

type TorchKey = string | number | boolean;
type Path = readonly (string | number)[];

/** A value that is no dict of tensors is searched under the usual keys, as often as that leads on. */
function unwrap(value: TorchValue, path: Path): { dict: TorchDict; path: Path } {
  if (!isDict(value)) {
    throw new ArgumentError(
      op,
      `the file holds no dict: ${describe(value)}`,
      "Save model.state_dict()",
    );
  }
  const [key, another] = wrappers.filter((wrapper) => isDict(value.get(wrapper)));
  if (another !== undefined) {
    throw new ArgumentError(
      op,
      `several keys could hold the state dict: ${key}, ${another}`,
      `Choose one: { path: ${JSON.stringify([...path, key])} }`,
    );
  }
  const inner = key === undefined ? undefined : value.get(key);
  return key === undefined || inner === undefined
    ? { dict: value, path }
    : unwrap(inner, [...path, key]);
}

function follow(value: TorchValue, path: Path): TorchDict {
  let inner: TorchValue | undefined = value;
  for (const key of path) inner = isDict(inner) ? inner.get(key) : undefined;
  if (isDict(inner)) return inner;
  throw new ArgumentError(
    op,
    `no dict lies under ${JSON.stringify(path)}`,
    isDict(value)
      ? `The file has ${listKeys([...value.keys()])}`
      : `The file is ${describe(value)}`,
  );
}

function failNoTensors(dict: TorchDict, others: readonly TorchKey[], path: Path): never {
  const inner = others.find((key) => isDict(dict.get(key)));
  throw new ArgumentError(
    op,
    `not only tensors are in the dict: ${listKeys(others)}`,
    inner === undefined
      ? "Save model.state_dict() alone"
      : `Choose the dict of the weights: { path: ${JSON.stringify([...path, inner])} }`,
  );
}

function listKeys(keys: readonly TorchKey[]): string {
  const shown = keys.slice(0, 8).map((key) => quote(String(key)));
  return `${shown.join(", ")}${keys.length > 8 ? ` and ${keys.length - 8} more` : ""}`;
}

function describe(value: TorchValue): string {
  if (value === null) return "None";
  if (isTorchTensor(value)) return `a tensor of shape [${value.shape.join(", ")}]`;
  return Array.isArray(value) ? `a list of ${value.length}` : `a ${typeof value}`;
}

function widened(tensor: TorchTensor): TorchTensor {
  const { dtype, shape } = tensor;
  return dtype === "F16" || dtype === "BF16" || dtype === "BOOL"
    ? { dtype: "F32", shape, data: float32Values(tensor) }
    : tensor;
}
