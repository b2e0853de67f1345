/**
 * @file Pickles, Python's format for objects: programs for a machine with a stack. This one knows lists, dicts, strings and numbers;
 * every name of a class or function that a pickle asks for goes to a `PickleWorld`, which refuses what it does not know. So
 * nothing that a file says is ever run.
 *
 * Lists and tuples become arrays, dicts become Maps, integers beyond JavaScript's exact ones become bigints.
 *
 * Source: the comments of CPython's Lib/pickletools.py; protocols 2 to 5, without sets, bytes and extension codes.
 */
import type { ByteCursor } from "./byte-cursor.ts";
import { fail } from "./fail.ts";
import { PickleMachine } from "./pickle-machine.ts";
import type { PickleWorld } from "./pickle-world.ts";

/** A tensor takes about 60 operations, so nobody's file has as many; the limit bounds time and memory. */
const largestOperationCount = 4_000_000;
const longestInteger = 255;

/** Ends the program. */
const stop = 0x2e;

/** Operations that push what stands in the pickle itself. */
const literals = new Map<number, (cursor: ByteCursor) => unknown>([
  [0x4e, () => null], // NONE
  [0x88, () => true], // NEWTRUE
  [0x89, () => false], // NEWFALSE
  [0x4a, (cursor) => cursor.int32()], // BININT
  [0x4b, (cursor) => cursor.uint8()], // BININT1
  [0x4d, (cursor) => cursor.uint16()], // BININT2
  [0x8a, (cursor) => readInteger(cursor, cursor.uint8())], // LONG1
  [0x8b, (cursor) => readInteger(cursor, cursor.uint32())], // LONG4
  [0x47, (cursor) => cursor.float64()], // BINFLOAT
  [0x58, (cursor) => cursor.text(cursor.uint32())], // BINUNICODE
  [0x8c, (cursor) => cursor.text(cursor.uint8())], // SHORT_BINUNICODE
  [0x8d, (cursor) => cursor.text(cursor.size64())], // BINUNICODE8
  [0x54, (cursor) => cursor.text(cursor.int32())], // BINSTRING, a str of Python 2
  [0x55, (cursor) => cursor.text(cursor.uint8())], // SHORT_BINSTRING
]);

/** The other operations. */
const operations = new Map<number, Exclude<keyof PickleMachine, "push" | "result">>([
  [0x80, "proto"],
  [0x95, "frame"],
  [0x28, "mark"],
  [0x31, "popMark"],
  [0x30, "pop"],
  [0x32, "dup"],
  [0x5d, "emptyList"],
  [0x61, "append"],
  [0x65, "appends"],
  [0x29, "emptyTuple"],
  [0x74, "tuple"],
  [0x85, "tuple1"],
  [0x86, "tuple2"],
  [0x87, "tuple3"],
  [0x7d, "emptyDict"],
  [0x73, "setItem"],
  [0x75, "setItems"],
  [0x71, "binPut"],
  [0x72, "longBinPut"],
  [0x94, "memoize"],
  [0x68, "binGet"],
  [0x6a, "longBinGet"],
  [0x63, "global"],
  [0x93, "stackGlobal"],
  [0x52, "reduce"],
  [0x81, "reduce"], // NEWOBJ
  [0x62, "build"],
  [0x51, "binPersId"],
]);

/** Runs the pickle at the cursor, and leaves the cursor behind it. Throws `ArgumentError` for what is damaged or not known. */
export function unpickle(cursor: ByteCursor, world: PickleWorld): unknown {
  const machine = new PickleMachine(cursor, world);
  for (let count = 0; count < largestOperationCount; count++) {
    const code = cursor.uint8();
    if (code === stop) return machine.result();
    const literal = literals.get(code);
    if (literal === undefined) machine[operations.get(code) ?? failUnknown(code, cursor)]();
    else machine.push(literal(cursor));
  }
  return fail(
    `the pickle has over ${largestOperationCount} operations`,
    "Save the state dict alone",
  );
}

function failUnknown(code: number, cursor: ByteCursor): never {
  return fail(
    `the pickle has an operation that is not known here: 0x${code.toString(16)} at byte ${cursor.position - 1}`,
    "Save a state dict of tensors with torch.save",
  );
}

/** Two's complement, little-endian. */
function readInteger(cursor: ByteCursor, length: number): number | bigint {
  if (length > longestInteger) fail(`the pickle has an integer of ${length} bytes`);
  let bits = 0n;
  cursor.bytes(length).forEach((byte, i) => (bits |= BigInt(byte) << BigInt(8 * i)));
  const value = BigInt.asIntN(8 * length, bits);
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
