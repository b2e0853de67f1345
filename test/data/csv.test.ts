import { describe, expect, it } from "vitest";
import { decodeCsv, encodeCsv } from "../../data/index.ts";

describe("encodeCsv", () => {
  it("writes a header and one line a row", () => {
    expect(
      encodeCsv(
        ["epoch", "loss"],
        [
          [0, 0.25],
          [1, 1e-7],
        ],
      ),
    ).toBe("epoch,loss\n0,0.25\n1,1e-7\n");
  });

  it("quotes what RFC 4180 says must be quoted", () => {
    expect(encodeCsv(['a "b"', "c,d"], [["x\ny", undefined]])).toBe('"a ""b""","c,d"\n"x\ny",\n');
  });
});

describe("decodeCsv", () => {
  it("reads back what encodeCsv wrote", () => {
    const rows = [
      ["x\ny", "", 'say "hi"'],
      [",", "2", ""],
      ["", "", ""],
    ];
    expect(decodeCsv(encodeCsv(["a", "b,c", "d"], rows))).toEqual([["a", "b,c", "d"], ...rows]);
  });

  it("reads other line breaks and delimiters, a mark at the beginning, and no break at the end", () => {
    const text = "\ufeffa;b\r\n\r\n1;\r\n;2";
    expect(decodeCsv(text, { delimiter: ";" })).toEqual([
      ["a", "b"],
      ["1", ""],
      ["", "2"],
    ]);
    expect(decodeCsv("a\t\n", { delimiter: "\t" })).toEqual([["a", ""]]);
    expect(decodeCsv("a,b,")).toEqual([["a", "b", ""]]);
    expect(decodeCsv("a^b", { delimiter: "^" })).toEqual([["a", "b"]]);
    expect(decodeCsv('a\n""\n')).toEqual([["a"], [""]]);
    expect(decodeCsv("")).toEqual([]);
    expect(decodeCsv('it"s,x')).toEqual([['it"s', "x"]]);
  });

  it("says in which line a quote goes wrong", () => {
    expect(() => decodeCsv('a\n"b', { name: "l.csv" })).toThrow(
      "field in line 2 of l.csv does not",
    );
    expect(() => decodeCsv('"a"b')).toThrow("line 1 of the text");
    expect(() => decodeCsv("a", { delimiter: "::" })).toThrow('not one character: "::"');
  });
});
