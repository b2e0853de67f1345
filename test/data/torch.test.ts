import { describe, expect, it } from "vitest";
import {
  decodeSafetensors,
  decodeTorch,
  encodeSafetensors,
  isTorchTensor,
  torchStateDict,
  type SafetensorsDType,
  type TorchOptions,
  type TorchValue,
} from "../../data/index.ts";
import { readTorch } from "../../data/node.ts";
import { ArgumentError } from "../../engine/index.ts";
import {
  bool,
  call,
  checkpoint,
  concat,
  dict,
  emptyDict,
  float,
  get,
  global,
  int,
  legacy,
  list,
  long,
  none,
  pickle,
  put,
  stateDict,
  storage,
  str,
  str2,
  tensor,
  tuple,
  zip,
  type Piece,
} from "./torch-encoder.ts";

const sixFloats = Float32Array.of(0, 1, 2, 3, 4, 5);
const sixStored = storage("Float", "0", 6);

/** The only tensor of a file: shape and numbers. */
function tensorOf(bytes: Uint8Array): {
  dtype: string;
  shape: readonly number[];
  values: unknown[];
} {
  const { value } = decodeTorch(bytes);
  if (!isTorchTensor(value)) throw new Error("the value is no tensor");
  return { dtype: value.dtype, shape: value.shape, values: [...value.data] };
}

/** The values of a tensor over six floats, the same from a zip file and from a legacy one. */
function valuesInBothFormats(piece: Uint8Array): unknown[] {
  const { values } = tensorOf(checkpoint(piece, { 0: sixFloats }));
  const old = legacy(piece, [{ key: "0", length: 6, data: sixFloats }]);
  expect(tensorOf(old).values).toEqual(values);
  return values;
}

function messageOf(bytes: Uint8Array, options?: TorchOptions): string {
  try {
    decodeTorch(bytes, options);
  } catch (error) {
    if (error instanceof ArgumentError) return error.message;
    throw error;
  }
  return "no error";
}

describe("values of a checkpoint", () => {
  it("are null, bools, numbers, bigints, strings, arrays and Maps", () => {
    const items = list(
      none,
      bool(true),
      bool(false),
      int(-7),
      float(0.1),
      long(0xff, 0xff),
      long(),
      long(0, 0, 0, 0, 0, 0, 0, 0, 0x80),
      str("é😀"),
      str2("Python 2"),
      list(int(1), list(), tuple(), tuple(int(2))),
      dict({ a: int(1), __proto__x: none }),
    );
    expect(decodeTorch(checkpoint(items)).value).toEqual([
      null,
      true,
      false,
      -7,
      0.1,
      -1,
      0,
      -(2n ** 71n),
      "é😀",
      "Python 2",
      [1, [], [], [2]],
      new Map<string, TorchValue>([
        ["a", 1],
        ["__proto__x", null],
      ]),
    ]);
  });

  it("keep numbers and bools as keys", () => {
    const optimizer = concat(emptyDict, int(0), str("a"), [0x73], bool(true), str("b"), [0x73]);
    expect(decodeTorch(checkpoint(optimizer)).value).toEqual(
      new Map<number | boolean, string>([
        [0, "a"],
        [true, "b"],
      ]),
    );
  });

  it("name devices, sizes and element types", () => {
    const settings = list(
      global("torch", "bfloat16"),
      call(global("torch", "device"), str("cuda"), int(1)),
      call(global("torch", "device"), str("cpu")),
      call(global("torch", "Size"), tuple(int(3), int(4))),
    );
    expect(decodeTorch(checkpoint(settings)).value).toEqual([
      "torch.bfloat16",
      "cuda:1",
      "cpu",
      [3, 4],
    ]);
  });

  it("are the same object where the file says so", () => {
    const { value } = decodeTorch(checkpoint(list(concat(list(int(1)), put(9)), get(9))));
    const [first, second] = value as readonly TorchValue[];
    expect(first).toBe(second);
  });

  it("come in protocol 4 too", () => {
    const utf8 = new TextEncoder();
    const short = (text: string) => concat([0x8c, text.length], utf8.encode(text));
    const frame = [0x95, 9, 0, 0, 0, 0, 0, 0, 0];
    const names = concat(short("torch"), [0x94], short("float16"), [0x94], [0x93], [0x94]);
    const body = concat([0x80, 4], frame, names, [0x68, 0], [0x86, 0x2e]);
    expect(decodeTorch(zip({ "x/data.pkl": body })).value).toEqual(["torch.float16", "torch"]);
  });

  it("of Python 2 are read: an OrderedDict of pairs, an old Parameter", () => {
    const weight = concat(
      call(global("torch.nn.parameter", "Parameter"), tensor(sixStored, [6])),
      tuple(bool(true), bool(false), call(global("collections", "OrderedDict"))),
      [0x62],
    );
    const pairs = list(list(str2("weight"), weight));
    const file = checkpoint(call(global("collections", "OrderedDict"), pairs), { 0: sixFloats });
    expect([...torchStateDict(decodeTorch(file)).keys()]).toEqual(["weight"]);
  });
});

describe("tensors of a checkpoint", () => {
  it("are read at any offset and stride, and share no memory", () => {
    expect(valuesInBothFormats(tensor(sixStored, [2, 3]))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(valuesInBothFormats(tensor(sixStored, [2], { offset: 4 }))).toEqual([4, 5]);
    expect(valuesInBothFormats(tensor(sixStored, [], { offset: 3 }))).toEqual([3]);
    const transposed = tensor(sixStored, [3, 2], { strides: [1, 3] });
    expect(valuesInBothFormats(transposed)).toEqual([0, 3, 1, 4, 2, 5]);
    const everySecond = tensor(sixStored, [2], { offset: 1, strides: [2] });
    expect(valuesInBothFormats(everySecond)).toEqual([1, 3]);
    const expanded = tensor(sixStored, [2, 3], { offset: 2, strides: [1, 0] });
    expect(valuesInBothFormats(expanded)).toEqual([2, 2, 2, 3, 3, 3]);
    const sizeOne = tensor(sixStored, [1, 6], { strides: [77, 1] });
    expect(valuesInBothFormats(sizeOne)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(valuesInBothFormats(tensor(sixStored, [0, 7], { offset: 6 }))).toEqual([]);

    const both = list(tensor(sixStored, [6]), tensor(sixStored, [6]));
    const [a, b] = decodeTorch(checkpoint(both, { 0: sixFloats })).value as TorchValue[];
    if (!isTorchTensor(a) || !isTorchTensor(b)) throw new Error("no tensors");
    a.data[0] = 9;
    expect(b.data[0]).toBe(0);
    expect(sixFloats[0]).toBe(0);
  });

  it.each<[string, SafetensorsDType, ArrayBufferView]>([
    ["Double", "F64", Float64Array.of(0.1, NaN, -Infinity)],
    ["Float", "F32", Float32Array.of(1.5, NaN, -0)],
    ["Half", "F16", Uint16Array.of(0x3c00, 0x7e01, 0x8000)],
    ["BFloat16", "BF16", Uint16Array.of(0x3f80, 0x7fc1, 0x8000)],
    ["Long", "I64", BigInt64Array.of(2n ** 62n, -1n, 0n)],
    ["Int", "I32", Int32Array.of(2 ** 30, -1, 0)],
    ["Short", "I16", Int16Array.of(30000, -1, 0)],
    ["Char", "I8", Int8Array.of(127, -1, 0)],
    ["Byte", "U8", Uint8Array.of(255, 1, 0)],
    ["Bool", "BOOL", Uint8Array.of(1, 0, 1)],
  ])(
    "of type %s are %s, in order and reversed, and written to safetensors",
    (type, dtype, data) => {
      const stored = storage(type, "k", 3);
      const twoFirst = tensor(stored, [2]);
      const everySecond = tensor(stored, [2], { strides: [2] });
      const file = checkpoint(dict({ a: tensor(stored, [3]), twoFirst, everySecond }), { k: data });
      const state = torchStateDict(decodeTorch(file), { widen: false });
      const a = state.get("a");
      expect(a).toEqual({ dtype, shape: [3], data });
      expect(state.get("everySecond")?.data).toEqual(
        a?.data.filter((_: unknown, i: number) => i !== 1),
      );
      expect(state.get("twoFirst")?.data).toEqual(a?.data.slice(0, 2));
      const { tensors } = decodeSafetensors(encodeSafetensors(state));
      expect(new Map([...tensors].sort())).toEqual(new Map([...state].sort()));
    },
  );

  it("are read in either byte order", () => {
    const big = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer).reverse();
    const all = { a: tensor(sixStored, [6]), b: tensor(sixStored, [3], { strides: [2] }) };
    const file = checkpoint(dict(all), { 0: big }, { byteOrder: "big" });
    const state = torchStateDict(decodeTorch(file));
    expect(state.get("a")?.data).toEqual(Float32Array.of(6, 5, 4, 3, 2, 1));
    expect(state.get("b")?.data).toEqual(Float32Array.of(6, 4, 2));
    expect(tensorOf(checkpoint(all.a, { 0: sixFloats }, { byteOrder: "little" })).values).toEqual([
      ...sixFloats,
    ]);
    expect(
      messageOf(checkpoint(all.a, { 0: sixFloats }, { byteOrder: "pdp" })),
    ).toMatchInlineSnapshot(
      `"decodeTorch: the byte order is unknown: "pdp". Copy or download the file again"`,
    );
  });

  it("of a legacy file may lie in a part of a storage", () => {
    const part = storage("Float", "0", 6, tuple(str("view"), int(2), int(3)));
    const file = legacy(tensor(part, [2], { offset: 1 }), [
      { key: "0", length: 6, data: sixFloats },
    ]);
    expect(tensorOf(file).values).toEqual([3, 4]);
    const over = tensor(part, [3], { offset: 1 });
    expect(
      messageOf(legacy(over, [{ key: "0", length: 6, data: sixFloats }])),
    ).toMatchInlineSnapshot(
      `"decodeTorch: a tensor reaches over the end of its storage "0": shape [3], strides [1], offset 1, 3 elements. Copy or download the file again"`,
    );
  });
});

describe("the zip container", () => {
  const piece = tensor(sixStored, [6]);

  it("may be ZIP64, have a comment, and lack checksums", () => {
    for (const options of [
      { zip64: true },
      { comment: "PK\u0005\u0006" },
      { withoutChecksums: true },
    ]) {
      expect(tensorOf(checkpoint(piece, { 0: sixFloats }, options)).values).toEqual([...sixFloats]);
    }
  });

  it("tells damaged data by the checksum", () => {
    const file = checkpoint(piece, { 0: sixFloats });
    const needle = new Uint8Array(Float32Array.of(4).buffer);
    const at = Buffer.from(file).indexOf(needle);
    file[at + 1] = 1;
    expect(messageOf(file)).toMatchInlineSnapshot(
      `"decodeTorch: the data of "weights/data/0" are damaged: their CRC-32 does not match. Copy or download the file again"`,
    );
  });

  it("is refused where it is not as PyTorch writes it", () => {
    expect(messageOf(checkpoint(piece, { 0: sixFloats }, { method: 8 }))).toMatchInlineSnapshot(
      `"decodeTorch: the entry "weights/data.pkl" is compressed: method 8. PyTorch does not compress: unpack the archive and pack it again with \`zip -0\`"`,
    );
    expect(messageOf(checkpoint(piece))).toMatchInlineSnapshot(
      `"decodeTorch: the archive lacks an entry: "weights/data/0". Copy or download the file again"`,
    );
    expect(messageOf(checkpoint(piece, { 0: new Float32Array(7) }))).toMatchInlineSnapshot(
      `"decodeTorch: the storage "0" has 28 bytes, but 6 elements of type F32 take 24. Copy or download the file again"`,
    );
    expect(messageOf(zip({ "x/y.txt": new Uint8Array(1) }))).toMatchInlineSnapshot(
      `"decodeTorch: the archive has 0 entries data.pkl, a checkpoint has one. Pass what torch.save wrote"`,
    );
    const none = pickle([0x4e]);
    expect(messageOf(zip({ "x/data.pkl": none, "y/data.pkl": none }))).toMatchInlineSnapshot(
      `"decodeTorch: the archive has 2 entries data.pkl, a checkpoint has one. Pass what torch.save wrote"`,
    );
    expect(messageOf(zip({ "x/data.pkl": concat(none, none) }))).toMatchInlineSnapshot(
      `"decodeTorch: 4 bytes follow the pickle. Copy or download the file again"`,
    );
  });
});

describe("what is no checkpoint", () => {
  it("is refused with what it is", async () => {
    expect(messageOf(new Uint8Array(0))).toMatchInlineSnapshot(
      `"decodeTorch: the file is no PyTorch checkpoint: 0 bytes, nothing. Pass what torch.save wrote, whole"`,
    );
    expect(messageOf(new TextEncoder().encode("<html>"))).toMatchInlineSnapshot(
      `"decodeTorch: the file is no PyTorch checkpoint: 6 bytes, beginning with 3c 68 74 6d 6c 3e. Pass what torch.save wrote, whole"`,
    );
    expect(messageOf(pickle(int(1)))).toMatchInlineSnapshot(
      `"decodeTorch: the file is no PyTorch checkpoint: 8 bytes, beginning with 80 02 4a 01 00 00 00 2e. Pass what torch.save wrote, whole"`,
    );
    const tar = new Uint8Array(512);
    tar.set(new TextEncoder().encode("ustar"), 257);
    expect(messageOf(tar)).toMatchInlineSnapshot(
      `"decodeTorch: the file is a tar archive, the format of PyTorch before 0.1.10, which is not read. Load it with PyTorch and save it again"`,
    );
    expect(messageOf(checkpoint(none), { maxBytes: -1 })).toMatchInlineSnapshot(
      `"decodeTorch: maxBytes is no size: -1. Pass a number of bytes"`,
    );
    await expect(readTorch("no/such/file.pth")).rejects.toThrow(
      "readTorch: the file cannot be read",
    );
  });
});

describe("the unpickler", () => {
  it("refuses every name that is not on its list, and says which", () => {
    const attack = call(global("posix", "system"), str("echo run > ran"));
    expect(messageOf(checkpoint(attack))).toMatchInlineSnapshot(
      `"decodeTorch: the file asks for a class or function that is not on the list of safe ones: "posix.system"; nothing was run. Save weights alone: torch.save(model.state_dict(), path)"`,
    );
    expect(messageOf(legacy(attack))).toContain('"posix.system"; nothing was run');
    expect(messageOf(checkpoint(global("builtins", "eval")))).toContain('"builtins.eval"');
    expect(messageOf(checkpoint(global("collections", "OrderedDict.update")))).toContain("update");
    expect(messageOf(checkpoint(global("__proto__", "constructor")))).toContain("constructor");
    expect(messageOf(checkpoint(global("torch", "n".repeat(900))))).toHaveLength(269);
    const inHeader = concat(
      legacy(none).subarray(0, 15),
      pickle(global("collections", "OrderedDict")),
    );
    expect(messageOf(inHeader)).toMatchInlineSnapshot(
      `"decodeTorch: the file's header asks for a class or function: "collections.OrderedDict"; nothing was run. Copy or download the file again"`,
    );
  });

  it("refuses values that are no values", () => {
    expect(messageOf(checkpoint(list(global("collections", "OrderedDict"))))).toMatchInlineSnapshot(
      `"decodeTorch: the file holds a class, a function or a storage as a value. Save weights alone: torch.save(model.state_dict(), path)"`,
    );
    expect(messageOf(checkpoint(sixStored, { 0: sixFloats }))).toMatch("as a value");
    expect(messageOf(checkpoint(concat(int(1), dict({}), [0x62])))).toMatchInlineSnapshot(
      `"decodeTorch: the file sets attributes of something else than a dict or a Parameter. Copy or download the file again"`,
    );
    expect(
      messageOf(checkpoint(concat(emptyDict, tuple(int(1)), int(1), [0x73]))),
    ).toMatchInlineSnapshot(
      `"decodeTorch: a dict has a key that is no string, number or bool: object. Save the state dict alone"`,
    );
    const itself = concat([0x5d], put(0), get(0), [0x61]);
    expect(messageOf(checkpoint(itself))).toMatchInlineSnapshot(
      `"decodeTorch: a list or dict of the file holds itself. Copy or download the file again"`,
    );
    const deep = (depth: number) =>
      concat(new Uint8Array(depth).fill(0x5d), new Uint8Array(depth - 1).fill(0x61));
    expect(messageOf(checkpoint(deep(201)))).toBe("no error");
    expect(messageOf(checkpoint(deep(202)))).toMatchInlineSnapshot(
      `"decodeTorch: the file is nested over 200 levels deep. Copy or download the file again"`,
    );
    const flags = dict({ neg: bool(true) });
    const size = tuple(int(6));
    const rebuild = global("torch._utils", "_rebuild_tensor_v2");
    const negated = call(rebuild, sixStored, int(0), size, tuple(int(1)), bool(false), none, flags);
    expect(messageOf(checkpoint(negated, { 0: sixFloats }))).toMatchInlineSnapshot(
      `"decodeTorch: a tensor is a lazy negation or conjugate. Save it after resolve_neg() or resolve_conj()"`,
    );
    const module = concat(tuple(str("module"), none, str("f.py"), str("code")), [0x51]);
    expect(messageOf(checkpoint(module))).toMatchInlineSnapshot(
      `"decodeTorch: the file holds a whole module with its source. Save weights alone: torch.save(model.state_dict(), path)"`,
    );
    const complex = tensor(storage("ComplexFloat", "0", 3), [3]);
    expect(messageOf(checkpoint(complex))).toContain('"torch.ComplexFloatStorage"');
  });

  it("refuses programs that make no sense", () => {
    for (const [program, problem] of [
      [[0x65], "lacks a MARK"],
      [[0x30], "takes from an empty stack"],
      [[0x28, 0x30], "takes from an empty stack"],
      [[0x4e, 0x4e], "leaves values behind"],
      [[0x28, 0x4e], "leaves values behind"],
      [[0x68, 7], "recalls what it never stored, 7"],
      [[0x4e, 0x4e, 0x52], "calls no function"],
      [[0x4e, 0x4e, 0x61], "appends to what is no list"],
      [[0x4e, 0x4e, 0x4e, 0x73], "sets items of no dict"],
      [[0x7d, 0x28, 0x4e, 0x75], "sets items of no dict"],
      [[0x4e, 0x4e, 0x93], "names no name"],
      [[0x80, 1], "an unknown protocol: 1"],
      [[0x8b, 0, 1, 0, 0], "an integer of 256 bytes"],
      [[0x58, 200, 0, 0, 0], "the data are cut short: 200 bytes wanted"],
      [[0x8d, 0, 0, 0, 0, 0, 0, 0, 0xff], "a size is impossible"],
      [[0x55, 1, 0xff], "a string is not valid UTF-8"],
      [[0x63, 0x61], "a line does not end"],
      [[0x42], "an operation that is not known here: 0x42"],
    ] as const) {
      expect(messageOf(zip({ "x/data.pkl": pickle(program) }))).toContain(problem);
    }
  });

  it("checks what a storage and a tensor are made of", () => {
    const expectRefused = (piece: Uint8Array, problem: string) => {
      expect(messageOf(checkpoint(piece, { 0: sixFloats }))).toContain(problem);
    };
    expectRefused(tensor(sixStored, [7]), "a tensor reaches over the end of its storage");
    expectRefused(tensor(sixStored, [1], { offset: 6 }), "a tensor reaches over the end");
    expectRefused(tensor(sixStored, [2, 3], { strides: [3] }), "2 axes and 1 strides");
    expectRefused(tensor(sixStored, [-1]), "arguments that do not fit");
    expectRefused(
      tensor(sixStored, [2], { strides: [-1], offset: 5 }),
      "arguments that do not fit",
    );
    expectRefused(tensor(none, [2]), "arguments that do not fit");
    expectRefused(tensor(sixStored, new Array<number>(65).fill(1)), "65 axes");
    const two = (type: string, length: number) =>
      list(tensor(sixStored, [6]), tensor(storage(type, "0", length), [1]));
    expectRefused(two("Int", 6), "6 F32 and 6 I32");
    expectRefused(two("Float", 5), "6 F32 and 5 F32");
    expectRefused(call(global("torch._utils", "_rebuild_parameter"), none), "_rebuild_parameter");
    expectRefused(call(global("collections", "OrderedDict"), int(1)), "OrderedDict");
    expectRefused(call(global("torch", "FloatStorage"), int(1)), "torch.FloatStorage");
  });
});

describe("memory bombs", () => {
  it("are refused before anything is allocated", () => {
    const one = storage("Float", "0", 1);
    const huge = tensor(one, [2 ** 30, 2 ** 30], { strides: [0, 0] });
    expect(messageOf(checkpoint(huge, { 0: Float32Array.of(1) }))).toMatchInlineSnapshot(
      `"decodeTorch: the tensors would take 4611686018427388000 bytes of memory, allowed are 16781744. Where tensors share a lot of memory that is in order: pass { maxBytes }"`,
    );
    const endless = tensor(one, new Array<number>(64).fill(2 ** 30), {
      strides: new Array<number>(64).fill(0),
    });
    expect(messageOf(checkpoint(endless, { 0: Float32Array.of(1) }))).toContain(
      "would take Infinity bytes",
    );
    expect(messageOf(checkpoint(tensor(storage("Double", "0", 2 ** 30), [1])))).toContain(
      "lacks an entry",
    );
  });

  it("have a limit that can be set", () => {
    const ten = checkpoint(tensor(storage("Float", "0", 1), [10], { strides: [0] }), {
      0: Float32Array.of(3),
    });
    expect(messageOf(ten, { maxBytes: 39 })).toContain(
      "would take 40 bytes of memory, allowed are 39",
    );
    expect(messageOf(ten, { maxBytes: 40 })).toBe("no error");
  });

  it("of endless lists, and of endless programs, end", () => {
    const lists = new Uint8Array(500_001).fill(0x7d);
    expect(messageOf(zip({ "x/data.pkl": lists }))).toContain("over 500000 lists and dicts");
    const pushes = new Uint8Array(4_000_001).fill(0x4e);
    expect(messageOf(zip({ "x/data.pkl": pushes }))).toContain("over 4000000 operations");
  });
});

describe("torchStateDict", () => {
  const weight = tensor(sixStored, [6]);
  const state = (piece: Piece, options = {}) =>
    torchStateDict(decodeTorch(checkpoint(piece, { 0: sixFloats })), options);
  const names = (piece: Piece, options = {}) => [...state(piece, options).keys()];

  it("finds the weights under the usual keys", () => {
    const weights = stateDict({ "a.weight": weight, b: weight });
    expect(names(weights)).toEqual(["a.weight", "b"]);
    for (const key of ["state_dict", "model_state_dict", "model"]) {
      expect(names(dict({ epoch: int(3), [key]: weights }))).toEqual(["a.weight", "b"]);
    }
    expect(names(dict({ model: dict({ state_dict: weights }) }))).toEqual(["a.weight", "b"]);
    expect(names(dict({ model: weight }))).toEqual(["model"]);
    expect(names(dict({ ema: dict({ x: weights }) }), { path: ["ema", "x"] })).toHaveLength(2);
    expect(names(dict({}))).toEqual([]);
  });

  it("takes off module. only where every name has it", () => {
    expect(names(stateDict({ "module.a": weight, "module.module.b": weight }))).toEqual([
      "a",
      "module.b",
    ]);
    expect(names(stateDict({ "module.a": weight, n: weight }))).toEqual(["module.a", "n"]);
  });

  it("widens half floats and bools unless told not to", () => {
    const half = tensor(storage("BFloat16", "h", 1), [1]);
    const flag = tensor(storage("Bool", "b", 1), [1]);
    const file = decodeTorch(
      checkpoint(dict({ half, flag }), { h: Uint16Array.of(0x3fc0), b: Uint8Array.of(1) }),
    );
    expect([...torchStateDict(file).values()]).toEqual([
      { dtype: "F32", shape: [1], data: Float32Array.of(1.5) },
      { dtype: "F32", shape: [1], data: Float32Array.of(1) },
    ]);
    expect(torchStateDict(file, { widen: false }).get("half")?.dtype).toBe("BF16");
  });

  it("says what it finds instead", () => {
    const error = (piece: Piece, options = {}) => {
      try {
        return names(piece, options).join();
      } catch (error) {
        return error instanceof ArgumentError ? error.message : String(error);
      }
    };
    expect(error(weight)).toMatchInlineSnapshot(
      `"torchStateDict: the file holds no dict: a tensor of shape [6]. Save model.state_dict()"`,
    );
    expect(error(none)).toContain("the file holds no dict: None");
    expect(error(list(none))).toContain("the file holds no dict: a list of 1");
    expect(error(dict({ model: dict({}), state_dict: dict({}) }))).toMatchInlineSnapshot(
      `"torchStateDict: several keys could hold the state dict: state_dict, model. Choose one: { path: ["state_dict"] }"`,
    );
    expect(error(dict({ net: dict({ weight }), epoch: int(1) }))).toMatchInlineSnapshot(
      `"torchStateDict: not only tensors are in the dict: "net", "epoch". Choose the dict of the weights: { path: ["net"] }"`,
    );
    const nested = dict({ model: dict({ net: dict({ weight }), head: dict({ weight }) }) });
    expect(error(nested)).toContain('Choose the dict of the weights: { path: ["model","net"] }');
    expect(error(stateDict({ weight, extra: none }))).toMatchInlineSnapshot(
      `"torchStateDict: not only tensors are in the dict: "extra". Save model.state_dict() alone"`,
    );
    expect(error(dict({ a: none }), { path: ["b"] })).toMatchInlineSnapshot(
      `"torchStateDict: no dict lies under ["b"]. The file has "a""`,
    );
  });
});
