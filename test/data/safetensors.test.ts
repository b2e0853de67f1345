import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeSafetensors,
  encodeSafetensors,
  float32Values,
  weightEntry,
  type SafetensorsEntry,
} from "../../data/index.ts";
import { readSafetensors } from "../../data/node.ts";
import { ArgumentError } from "../../engine/index.ts";
import { sharedData } from "../shared-data.ts";

/** Written by the reference library: python, safetensors 0.8.0, `safetensors.numpy.save(tensors, {"format": "np"})`. */
const golden = Buffer.from(
  "sAMAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJucCJ9LCJ1NjQiOnsiZHR5cGUiOiJVNjQiLCJzaGFwZSI6WzFdLCJkYXRhX29mZnNldHMiOlswLDhdfSwibCI6eyJkdHlwZSI6Ikk2NCIsInNoYXBlIjpbMl0sImRhdGFfb2Zmc2V0cyI6WzgsMjRdfSwiZCI6eyJkdHlwZSI6IkY2NCIsInNoYXBlIjpbMV0sImRhdGFfb2Zmc2V0cyI6WzI0LDMyXX0sImIiOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzEsMl0sImRhdGFfb2Zmc2V0cyI6WzMyLDQwXX0sImVtcHR5Ijp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlswLDNdLCJkYXRhX29mZnNldHMiOls0MCw0MF19LCJ1Ijp7ImR0eXBlIjoiVTMyIiwic2hhcGUiOlsxXSwiZGF0YV9vZmZzZXRzIjpbNDAsNDRdfSwic2NhbGFyIjp7ImR0eXBlIjoiSTMyIiwic2hhcGUiOltdLCJkYXRhX29mZnNldHMiOls0NCw0OF19LCJoIjp7ImR0eXBlIjoiRjE2Iiwic2hhcGUiOlsyXSwiZGF0YV9vZmZzZXRzIjpbNDgsNTJdfSwidTE2Ijp7ImR0eXBlIjoiVTE2Iiwic2hhcGUiOlsxXSwiZGF0YV9vZmZzZXRzIjpbNTIsNTRdfSwicVwiXFxcblx1MDAwMX8iOnsiZHR5cGUiOiJJMTYiLCJzaGFwZSI6WzFdLCJkYXRhX29mZnNldHMiOls1NCw1Nl19LCLDqSI6eyJkdHlwZSI6IkkxNiIsInNoYXBlIjpbMV0sImRhdGFfb2Zmc2V0cyI6WzU2LDU4XX0sIu+9oSI6eyJkdHlwZSI6IkkxNiIsInNoYXBlIjpbMV0sImRhdGFfb2Zmc2V0cyI6WzU4LDYwXX0sIvCfmIAiOnsiZHR5cGUiOiJJMTYiLCJzaGFwZSI6WzFdLCJkYXRhX29mZnNldHMiOls2MCw2Ml19LCJpOCI6eyJkdHlwZSI6Ikk4Iiwic2hhcGUiOlsxXSwiZGF0YV9vZmZzZXRzIjpbNjIsNjNdfSwiYSI6eyJkdHlwZSI6IlU4Iiwic2hhcGUiOlszXSwiZGF0YV9vZmZzZXRzIjpbNjMsNjZdfSwibSI6eyJkdHlwZSI6IkJPT0wiLCJzaGFwZSI6WzJdLCJkYXRhX29mZnNldHMiOls2Niw2OF19fQAAAAAAAACA//////////8AAAAAAAAAQBgtRFT7IQlAAADAPwAAAMD/////BwAAAAA8/3v//wQAAQADAAIAgAECAwEA",
  "base64",
);

const goldenTensors: readonly (readonly [string, SafetensorsEntry])[] = [
  ["b", { dtype: "F32", shape: [1, 2], data: Float32Array.of(1.5, -2) }],
  ["a", { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) }],
  ["scalar", { dtype: "I32", shape: [], data: Int32Array.of(7) }],
  ["empty", { dtype: "F32", shape: [0, 3], data: new Float32Array(0) }],
  ["h", weightEntry("F16", [2], [1, 65504])],
  ["l", { dtype: "I64", shape: [2], data: BigInt64Array.of(-1n, 2n ** 62n) }],
  ["m", { dtype: "BOOL", shape: [2], data: Uint8Array.of(1, 0) }],
  ["u", { dtype: "U32", shape: [1], data: Uint32Array.of(4294967295) }],
  ["d", { dtype: "F64", shape: [1], data: Float64Array.of(Math.PI) }],
  ["i8", { dtype: "I8", shape: [1], data: Int8Array.of(-128) }],
  ["é", { dtype: "I16", shape: [1], data: Int16Array.of(1) }],
  ["😀", { dtype: "I16", shape: [1], data: Int16Array.of(2) }],
  ["｡", { dtype: "I16", shape: [1], data: Int16Array.of(3) }],
  ['q"\\\n\u0001\u007f', { dtype: "I16", shape: [1], data: Int16Array.of(4) }],
  ["u16", { dtype: "U16", shape: [1], data: Uint16Array.of(65535) }],
  ["u64", { dtype: "U64", shape: [1], data: BigUint64Array.of(2n ** 63n) }],
];

/** A file with this header, exactly as given, and this many bytes of data. */
function fileOf(header: string, dataBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + json.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  return file;
}

function entry(dtype: string, shape: unknown, offsets: unknown): string {
  return JSON.stringify({ dtype, shape, data_offsets: offsets });
}

const names = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.constantFrom("__proto__", "constructor", "toString", "", "0", "layer1.0.conv1.weight"),
);

const shapes = fc.array(fc.nat({ max: 4 }), { maxLength: 4 });

const entries: fc.Arbitrary<SafetensorsEntry> = shapes.chain((shape) => {
  const size = shape.reduce((product, axis) => product * axis, 1);
  const exactly = { minLength: size, maxLength: size };
  return fc.oneof(
    fc
      .float32Array(exactly)
      .map((data): SafetensorsEntry => ({ dtype: "F32", shape, data: new Float32Array(data) })),
    fc
      .uint16Array(exactly)
      .map((data): SafetensorsEntry => ({ dtype: "F16", shape, data: new Uint16Array(data) })),
    fc
      .uint16Array(exactly)
      .map((data): SafetensorsEntry => ({ dtype: "BF16", shape, data: new Uint16Array(data) })),
    fc
      .int32Array(exactly)
      .map((data): SafetensorsEntry => ({ dtype: "I32", shape, data: new Int32Array(data) })),
    fc
      .bigInt64Array(exactly)
      .map((data): SafetensorsEntry => ({ dtype: "I64", shape, data: new BigInt64Array(data) })),
    fc
      .uint8Array(exactly)
      .map((data): SafetensorsEntry => ({ dtype: "U8", shape, data: new Uint8Array(data) })),
  );
});

const files = fc.record({
  tensors: fc.uniqueArray(fc.tuple(names, entries), { maxLength: 6, selector: ([name]) => name }),
  metadata: fc.dictionary(names, fc.string({ unit: "grapheme" }), { maxKeys: 3 }),
});

describe("safetensors", () => {
  it("writes the same bytes as the reference library", () => {
    expect(Buffer.from(encodeSafetensors(goldenTensors, { format: "np" }))).toEqual(golden);
  });

  it("writes the same bytes in whatever order the tensors come", () => {
    const reversed = [...goldenTensors].reverse();
    expect(Buffer.from(encodeSafetensors(reversed, { format: "np" }))).toEqual(golden);
  });

  it("reads the reference library's file", () => {
    const { tensors, metadata } = decodeSafetensors(golden);
    expect(Object.fromEntries(tensors)).toEqual(Object.fromEntries(goldenTensors));
    expect([...metadata]).toEqual([["format", "np"]]);
  });

  it("gives back every file", () => {
    fc.assert(
      fc.property(files, ({ tensors, metadata }) => {
        const file = encodeSafetensors(tensors, metadata);
        const back = decodeSafetensors(file);
        expect(new Map(back.tensors)).toEqual(new Map(tensors));
        expect(new Map(back.metadata)).toEqual(new Map(Object.entries(metadata)));
        expect(encodeSafetensors(back.tensors, Object.fromEntries(back.metadata))).toEqual(file);
        expect((8 + Number(new DataView(file.buffer).getBigUint64(0, true))) % 8).toBe(0);
      }),
    );
  });

  it("reads data at any alignment, without sharing the file's memory", () => {
    const larger = new Uint8Array(golden.length + 8);
    for (let shift = 0; shift < 8; shift++) {
      larger.set(golden, shift);
      const { tensors } = decodeSafetensors(larger.subarray(shift, shift + golden.length));
      larger.fill(0);
      expect(Object.fromEntries(tensors)).toEqual(Object.fromEntries(goldenTensors));
    }
  });

  it("reads data that a writer did not align", () => {
    const { tensors } = decodeSafetensors(
      fileOf(`{"a":${entry("U8", [1], [0, 1])},"b":${entry("F32", [1], [1, 5])}}   `, 5),
    );
    expect(tensors.get("b")?.data).toEqual(Float32Array.of(0));
  });

  it("takes an empty file, and empty tensors anywhere between the others", () => {
    expect(decodeSafetensors(fileOf("{}")).tensors.size).toBe(0);
    const { tensors } = decodeSafetensors(
      fileOf(`{"z":${entry("F32", [1], [0, 4])},"e":${entry("F32", [0], [4, 4])}}`, 4),
    );
    expect([...tensors.keys()]).toEqual(["z", "e"]);
  });

  it("refuses every file that is cut short", () => {
    for (let length = 0; length < golden.length; length++) {
      expect(() => decodeSafetensors(golden.subarray(0, length))).toThrow(ArgumentError);
    }
  });

  it("reads a file with flipped bits as tensors or refuses it, nothing else", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: golden.length - 1 }), fc.nat({ max: 7 })), {
          minLength: 1,
          maxLength: 4,
        }),
        (flips) => {
          const damaged = new Uint8Array(golden);
          for (const [position, bit] of flips) {
            damaged[position] = (damaged[position] ?? 0) ^ (1 << bit);
          }
          try {
            const { tensors } = decodeSafetensors(damaged);
            const bytes = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
            expect(bytes).toBe(68);
          } catch (error) {
            expect(error).toBeInstanceOf(ArgumentError);
          }
        },
      ),
      { numRuns: 5000 },
    );
  });

  it("reads arbitrary JSON as a header or refuses it, nothing else", () => {
    fc.assert(
      fc.property(fc.json(), fc.nat({ max: 8 }), (json, dataBytes) => {
        try {
          expect(decodeSafetensors(fileOf(json, dataBytes)).tensors.size).toBe(0);
        } catch (error) {
          expect(error).toBeInstanceOf(ArgumentError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("refuses a header nested as deep as it is long", () => {
    expect(() => decodeSafetensors(fileOf('{"a":'.repeat(200_000)))).toThrow(ArgumentError);
    const closed = `${'{"a":'.repeat(200_000)}1${"}".repeat(200_000)}`;
    expect(() => decodeSafetensors(fileOf(closed))).toThrow(ArgumentError);
  });

  it("finds a key that comes twice, also when it is written with escapes, and only then", () => {
    const a = entry("U8", [0], [0, 0]);
    expect(() => decodeSafetensors(fileOf(`{"a":${a}, "\\u0061" :${a}}`))).toThrow(
      'the header has a key twice: "a"',
    );
    expect(() => decodeSafetensors(fileOf('{"__metadata__":{"k":"1","k":"2"}}'))).toThrow(
      'the header has a key twice: "k"',
    );
    const innocent = '{"__metadata__":{"k":"k","{\\"k\\":":"\\\\","j":"{k:"},"k":';
    expect(decodeSafetensors(fileOf(`${innocent}${a}}`)).metadata.size).toBe(3);
  });

  it("says what is wrong", () => {
    const one = entry("F32", [1], [0, 4]);
    const header = (json: string, dataBytes = 4) => {
      try {
        return decodeSafetensors(fileOf(json, dataBytes)).tensors.size;
      } catch (error) {
        return error instanceof Error ? error.message : error;
      }
    };
    const tooLong = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1, 0x7b);
    expect(() => decodeSafetensors(tooLong)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: decodeSafetensors: the header's length is over the format's limit: 72057594037927936 bytes, at most 100000000. Check that this is a safetensors file]`,
    );
    expect(() => decodeSafetensors(golden.subarray(0, 5))).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: decodeSafetensors: the file is cut short: 5 bytes, the header's length alone takes 8. Copy or download the file again]`,
    );
    expect(() => decodeSafetensors(golden.subarray(0, 500))).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: decodeSafetensors: the file is cut short: 500 bytes, the header alone ends at byte 952. Copy or download the file again]`,
    );
    expect(header(" {}")).toMatchInlineSnapshot(
      `"decodeSafetensors: the header does not begin with {. Check that this is a safetensors file"`,
    );
    expect(header("{}")).toMatchInlineSnapshot(
      `"decodeSafetensors: the file has 4 bytes of data, its tensors take 0. Copy or download the file again"`,
    );
    expect(header('{"a":1}')).toMatchInlineSnapshot(
      `"decodeSafetensors: the entry of "a" is not an object. Copy or download the file again"`,
    );
    expect(header('{"a":{}}')).toMatchInlineSnapshot(
      `"decodeSafetensors: "a" has an element type that is not known here: none. Known are U64, I64, F64, F32, U32, I32, BF16, F16, U16, I16, F8_E8M0, F8_E4M3, F8_E5M2, I8, U8, BOOL"`,
    );
    expect(header(`{"a":${entry("F4", [2], [0, 1])}}`)).toMatchInlineSnapshot(
      `"decodeSafetensors: "a" has an element type that is not known here: "F4". Known are U64, I64, F64, F32, U32, I32, BF16, F16, U16, I16, F8_E8M0, F8_E4M3, F8_E5M2, I8, U8, BOOL"`,
    );
    expect(header(`{"a":${entry("F32", [-1], [0, 4])}}`)).toMatchInlineSnapshot(
      `"decodeSafetensors: the shape of "a" is not a list of whole numbers >= 0. Copy or download the file again"`,
    );
    expect(header(`{"a":${entry("F32", [1.5], [0, 4])}}`)).toMatchInlineSnapshot(
      `"decodeSafetensors: the shape of "a" is not a list of whole numbers >= 0. Copy or download the file again"`,
    );
    expect(header(`{"a":${entry("F32", [1], [0])}}`)).toMatchInlineSnapshot(
      `"decodeSafetensors: the data_offsets of "a" are not two whole numbers >= 0. Copy or download the file again"`,
    );
    expect(header(`{"a":${entry("F32", [2], [0, 4])}}`)).toMatchInlineSnapshot(
      `"decodeSafetensors: "a" has 4 bytes at [0, 4], but F32 of shape [2] takes 8. Copy or download the file again"`,
    );
    expect(header(`{"a":${entry("F32", [2 ** 40, 2 ** 40], [0, 4])}}`)).toMatchInlineSnapshot(
      `"decodeSafetensors: "a" has 4 bytes at [0, 4], but F32 of shape [1099511627776, 1099511627776] takes 4.835703278458517e+24. Copy or download the file again"`,
    );
    expect(header(`{"a":${entry("F32", [1], [4, 0])}}`)).toMatchInlineSnapshot(
      `"decodeSafetensors: "a" has -4 bytes at [4, 0], but F32 of shape [1] takes 4. Copy or download the file again"`,
    );
    expect(header(`{"a":${entry("F32", [1], [1, 5])}}`, 5)).toMatchInlineSnapshot(
      `"decodeSafetensors: the data of "a" begin at 1, the tensor before ends at 0: a hole. Copy or download the file again"`,
    );
    expect(header(`{"a":${one},"b":${one}}`)).toMatchInlineSnapshot(
      `"decodeSafetensors: the data of "b" begin at 0, the tensor before ends at 4: an overlap. Copy or download the file again"`,
    );
    expect(header(`{"a":${one}}`, 5)).toMatchInlineSnapshot(
      `"decodeSafetensors: the file has 5 bytes of data, its tensors take 4. Copy or download the file again"`,
    );
    expect(header(`{"a":${one},"a":${one}}`)).toMatchInlineSnapshot(
      `"decodeSafetensors: the header has a key twice: "a". Ask who wrote the file: readers disagree on which one counts"`,
    );
    expect(header(`{"__metadata__":{"a":1},"b":${one}}`)).toMatchInlineSnapshot(
      `"decodeSafetensors: __metadata__ holds something else than strings, at "a". Copy or download the file again"`,
    );
    expect(header('{"__metadata__":"pt"}')).toMatchInlineSnapshot(
      `"decodeSafetensors: __metadata__ is not an object. Copy or download the file again"`,
    );
  });

  it("refuses a header that is not UTF-8 or not JSON", () => {
    const notUtf8 = fileOf('{"a":1}');
    notUtf8[10] = 0xff;
    expect(() => decodeSafetensors(notUtf8)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: decodeSafetensors: the header is not valid UTF-8. Copy or download the file again]`,
    );
    expect(() => decodeSafetensors(fileOf("{oops}"))).toThrow("the header is not valid JSON");
  });

  it("refuses to write what a reader would refuse", () => {
    const a: SafetensorsEntry = { dtype: "F32", shape: [2], data: Float32Array.of(1, 2) };
    const write = (...tensors: (readonly [string, SafetensorsEntry])[]) =>
      encodeSafetensors(tensors);
    expect(() => write(["a", a], ["a", a])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: encodeSafetensors: a name comes twice: "a". Rename one]`,
    );
    expect(() => write(["__metadata__", a])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: encodeSafetensors: a tensor has the reserved name: "__metadata__". Rename one]`,
    );
    expect(() => write(["a", { ...a, shape: [3] }])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: encodeSafetensors: 2 values do not fill the shape of "a": [3]. Correct the shape or the data]`,
    );
    expect(() => write(["a", { ...a, shape: [-1, -2] }])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: encodeSafetensors: 2 values do not fill the shape of "a": [-1, -2]. Correct the shape or the data]`,
    );
    expect(() => write(["\ud800", a])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: encodeSafetensors: a name or metadata string is not valid Unicode: "\\ud800". Use whole characters]`,
    );
    const mixed = { dtype: "I32", shape: [2], data: Float32Array.of(1, 2) } as unknown;
    expect(() => write(["a", mixed as SafetensorsEntry])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: encodeSafetensors: "a" is I32, but its data are a Float32Array. Its data must be of type Int32Array]`,
    );
  });
});

const weights = sharedData("squeezenet", "squeezenet1_0-imagenet.safetensors");

describe.skipIf(weights === undefined)(
  "real weights (skipped where ../shared/data is absent)",
  () => {
    it("reads SqueezeNet and writes it again, number by number", async () => {
      const { tensors } = await readSafetensors(weights ?? "");
      const parameters = [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
      expect(parameters).toBe(1_248_424);
      expect([...tensors.values()].every(({ dtype }) => dtype === "F32")).toBe(true);
      const back = decodeSafetensors(encodeSafetensors(tensors));
      expect(back.tensors.size).toBe(tensors.size);
      for (const [name, { data }] of back.tensors) {
        const original = tensors.get(name)?.data ?? new Uint8Array(0);
        expect(Buffer.compare(Buffer.from(data.buffer), Buffer.from(original.buffer))).toBe(0);
      }
    });

    it("refuses the file wherever it is cut", async () => {
      const bytes = await readFile(weights ?? "");
      for (let cut = 0; cut < bytes.length; cut += 99_991) {
        expect(() => decodeSafetensors(bytes.subarray(0, cut))).toThrow(ArgumentError);
      }
    });
  },
);

describe("float32Values", () => {
  it("turns every element type into numbers", () => {
    const values = (e: SafetensorsEntry) => [...float32Values(e)];
    const shape = [1];
    expect(values({ dtype: "F64", shape, data: Float64Array.of(0.1) })).toEqual([Math.fround(0.1)]);
    expect(values({ dtype: "F32", shape, data: Float32Array.of(0.5) })).toEqual([0.5]);
    expect(values({ dtype: "I64", shape, data: BigInt64Array.of(-(2n ** 40n)) })).toEqual([
      -(2 ** 40),
    ]);
    expect(values({ dtype: "U64", shape, data: BigUint64Array.of(2n ** 63n) })).toEqual([2 ** 63]);
    expect(values({ dtype: "I8", shape, data: Int8Array.of(-7) })).toEqual([-7]);
    expect(values({ dtype: "BOOL", shape: [2], data: Uint8Array.of(1, 0) })).toEqual([1, 0]);
    expect(values({ dtype: "F16", shape: [2], data: Uint16Array.of(0x3c00, 0x8001) })).toEqual([
      1,
      -(2 ** -24),
    ]);
    expect(values({ dtype: "BF16", shape: [2], data: Uint16Array.of(0xbf80, 0x7f80) })).toEqual([
      -1,
      Infinity,
    ]);
    expect(values({ dtype: "F8_E5M2", shape: [2], data: Uint8Array.of(0x3c, 0xfc) })).toEqual([
      1,
      -Infinity,
    ]);
    expect(values({ dtype: "F8_E4M3", shape: [3], data: Uint8Array.of(0x38, 0x7e, 0xff) })).toEqual(
      [1, 448, NaN],
    );
    expect(values({ dtype: "F8_E8M0", shape: [3], data: Uint8Array.of(127, 0, 255) })).toEqual([
      1,
      2 ** -127,
      NaN,
    ]);
  });

  it("never shares memory with the entry", () => {
    const data = Float32Array.of(1);
    float32Values({ dtype: "F32", shape: [1], data })[0] = 2;
    expect(data[0]).toBe(1);
  });
});
