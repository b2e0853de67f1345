/**
 * @file The list of names that a checkpoint may ask for, and what they mean here. It is what tensors, state dicts and the settings
 * beside them need; everything else is refused with its name, before anything is called.
 *
 * Source: torch/_utils.py (`_rebuild_*`), and the list of torch/_weights_only_unpickler.py, which `torch.load` itself trusts.
 */
import type { SafetensorsDType } from "../safetensors-header.ts";
import { fail, quote } from "./fail.ts";
import { PickleGlobal, setItem, type PickleWorld } from "./pickle-world.ts";
import { StorageView, type Storage, type TensorCollector } from "./storage.ts";

/** Element types by the names of PyTorch's storages. */
const dtypeOfStorage: ReadonlyMap<string, SafetensorsDType> = new Map([
  ["torch.DoubleStorage", "F64"],
  ["torch.FloatStorage", "F32"],
  ["torch.HalfStorage", "F16"],
  ["torch.BFloat16Storage", "BF16"],
  ["torch.LongStorage", "I64"],
  ["torch.IntStorage", "I32"],
  ["torch.ShortStorage", "I16"],
  ["torch.CharStorage", "I8"],
  ["torch.ByteStorage", "U8"],
  ["torch.BoolStorage", "BOOL"],
]);

/** Settings beside weights name element types; they are read as these strings. */
const dtypeNames = new Set(
  [
    "float64",
    "float32",
    "float16",
    "bfloat16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint8",
    "bool",
  ].map((name) => `torch.${name}`),
);

/** Python 2 writes an OrderedDict as a list of pairs, which a file could hand over again and again. */
const largestPairCount = 4_000_000;

type Call = (args: readonly unknown[]) => unknown;

/** The world of a checkpoint's main pickle; its storages and tensors go to `collector`. */
export function torchWorld(collector: TensorCollector): PickleWorld {
  const calls = torchCalls(collector);
  return {
    global(name) {
      if (dtypeNames.has(name)) return name;
      const call = calls.get(name);
      if (call !== undefined) return new PickleGlobal(name, call);
      return fail(
        `the file asks for a class or function that is not on the list of safe ones: ${quote(name)}; nothing was run`,
        "Save weights alone: torch.save(model.state_dict(), path)",
      );
    },
    persistent: (id) => storageOf(collector, id),
    build(object, state) {
      // Attributes of a dict are versions of its modules; those of a Parameter say whether it is trained, and hooks.
      if (object instanceof Map && (state instanceof Map || state === null)) return;
      if (collector.isTensor(object) && Array.isArray(state)) return;
      fail("the file sets attributes of something else than a dict or a Parameter");
    },
  };
}

/** The world of a pickle of plain values. */
export const plainWorld: PickleWorld = {
  global: (name) =>
    fail(`the file's header asks for a class or function: ${quote(name)}; nothing was run`),
  persistent: () => fail("the file's header asks for a storage"),
  build: () => fail("the file's header sets attributes"),
};

function torchCalls(collector: TensorCollector): ReadonlyMap<string, Call> {
  let pairs = 0;
  const orderedDict: Call = (args) => {
    const items = args[0] ?? [];
    if (args.length > 1 || !Array.isArray(items)) badArguments("OrderedDict");
    pairs += items.length;
    if (pairs > largestPairCount) fail(`the file has over ${largestPairCount} items of dicts`);
    return dictOf(items);
  };
  const tensor: Call = (args) => rebuildTensor(collector, args);
  const parameter: Call = ([data]) =>
    collector.isTensor(data) ? data : badArguments("_rebuild_parameter");
  return new Map<string, Call>([
    ["collections.OrderedDict", orderedDict],
    ["torch._utils._rebuild_tensor", tensor],
    ["torch._utils._rebuild_tensor_v2", tensor],
    ["torch._utils._rebuild_parameter", parameter],
    ["torch.nn.parameter.Parameter", parameter],
    ["torch.Size", ([sizes]) => (isSizes(sizes) ? sizes : badArguments("torch.Size"))],
    ["torch.device", deviceName],
    ...Array.from(dtypeOfStorage.keys(), (name) => [name, () => badArguments(name)] as const),
  ]);
}

function dictOf(items: readonly unknown[]): Map<unknown, unknown> {
  const dict = new Map<unknown, unknown>();
  for (const pair of items) {
    if (!Array.isArray(pair) || pair.length !== 2) badArguments("OrderedDict");
    setItem(dict, pair[0], pair[1]);
  }
  return dict;
}

/** Arguments: storage, offset, sizes, strides; from version 2 on also requires_grad, hooks, and flags. */
function rebuildTensor(collector: TensorCollector, args: readonly unknown[]): unknown {
  const [view, offset, shape, strides, _requiresGrad, _hooks, flags] = args;
  if (!(view instanceof StorageView) || !isSize(offset) || !isSizes(shape) || !isSizes(strides)) {
    badArguments("_rebuild_tensor");
  }
  // Such tensors are a view that PyTorch negates or conjugates when it is read.
  if (flags instanceof Map && flags.size > 0) {
    fail(
      "a tensor is a lazy negation or conjugate",
      "Save it after resolve_neg() or resolve_conj()",
    );
  }
  return collector.tensor(view, { offset, shape, strides });
}

function deviceName(args: readonly unknown[]): string {
  const [type, index] = args;
  if (typeof type !== "string") badArguments("torch.device");
  return isSize(index) ? `${type}:${index}` : type;
}

/** Id: "storage", its class, its key, its device, its length; in legacy files also what part of it is meant. */
function storageOf(collector: TensorCollector, id: unknown): StorageView {
  const [kind, storageClass, key, , length, part] = Array.isArray(id) ? (id as unknown[]) : [];
  if (kind === "module") {
    fail(
      "the file holds a whole module with its source",
      "Save weights alone: torch.save(model.state_dict(), path)",
    );
  }
  const dtype =
    storageClass instanceof PickleGlobal ? dtypeOfStorage.get(storageClass.name) : undefined;
  if (kind !== "storage" || dtype === undefined || typeof key !== "string" || !isSize(length)) {
    fail("the file refers to a storage in an unknown way");
  }
  const storage = collector.storage(key, dtype, length);
  return part === undefined || part === null
    ? new StorageView(storage, 0, length)
    : partOf(storage, part);
}

/** Part: a key of its own, the offset, the length. */
function partOf(storage: Storage, part: unknown): StorageView {
  const [, offset, length] = Array.isArray(part) ? (part as unknown[]) : [];
  if (!isSize(offset) || !isSize(length) || offset + length > storage.length) {
    fail(`a part of the storage ${quote(storage.key)} does not lie in it`);
  }
  return new StorageView(storage, offset, length);
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every(isSize);
}

function badArguments(name: string): never {
  return fail(`the file calls ${name} with arguments that do not fit`);
}
