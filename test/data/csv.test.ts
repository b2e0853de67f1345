import { describe, expect, it } from "vitest";
import { encodeCsv } from "../../data/index.ts";

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
