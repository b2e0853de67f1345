/** @file Titles of pictures in a grid, as the SVG has them before it is drawn. */
import { expect, test } from "vitest";
import { gridSvg, type TitleLine } from "../../../data/vision/picture-grid.ts";

/** The texts above one picture of 200 x 200 pixels. */
function textsOf(title: readonly TitleLine[]): string[] {
  const image = { width: 200, height: 200, data: new Uint8Array(200 * 200 * 3) };
  return Array.from(
    gridSvg([{ image, title }]).matchAll(/>([^<]+)<\/text>/g),
    ([, text]) => text ?? "",
  );
}

test("a long name is shortened, its number never", () => {
  const long = "staffordshire_bull_terrier_of_the_north";
  expect(
    textsOf([
      { text: "cat", number: "0.98" },
      { text: `is ${long}`, number: "0.02" },
      { text: long },
      { text: "a < b & c" },
    ]),
  ).toEqual([
    "cat 0.98",
    "is staffordshire_bull_te… 0.02",
    "staffordshire_bull_terrier_of…",
    "a &lt; b &amp; c",
  ]);
});

test("the letters of a line fit the picture", () => {
  for (let length = 1; length < 60; length++) {
    const [text = ""] = textsOf([{ text: "x".repeat(length), number: "12.34" }]);
    expect(text).toMatch(/^x+…? 12\.34$/);
    expect(Array.from(text).length).toBeLessThanOrEqual(200 / (0.6 * 11));
  }
});
