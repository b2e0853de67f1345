import { beforeAll, describe, expect, it } from "vitest";
import type { GreyImageDataset } from "../../data/index.ts";
import { decodePng, loadMnist, rasterizeSvg, type Pixels } from "../../data/node.ts";
import { contactSheetSvg } from "../../examples/mnist/report/contact-sheet.ts";
import { verdicts, worstOf } from "../../examples/mnist/report/worst.ts";
import { plotWorstDigits } from "../../examples/mnist/report/worst-digits.ts";

/** A classifier that is sure of the digit after the true one for every `step`th image, and of the true one else. */
function fakeProbabilities(labels: ArrayLike<number>, step: number): Float32Array {
  const probabilities = new Float32Array(labels.length * 10).fill(0.01);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i] ?? 0;
    probabilities[i * 10 + ((i % step === 0 ? label + 1 : label) % 10)] = 0.91;
  }
  return probabilities;
}

/** Grey or colour of a pixel of a decoded picture. */
function pixelAt({ width, data }: Pixels, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * 4, (y * width + x) * 4 + 3)];
}

describe("verdicts", () => {
  it("finds prediction, its probability and that of the true class", () => {
    expect(verdicts([0.25, 0.5, 0.25, 0.75, 0.125, 0.125], [1, 2])).toEqual([
      { index: 0, label: 1, prediction: 1, probability: 0.5, trueProbability: 0.5 },
      { index: 1, label: 2, prediction: 0, probability: 0.75, trueProbability: 0.125 },
    ]);
  });

  it("refuses probabilities that do not fit the labels", () => {
    expect(() => verdicts([0.5, 0.5, 1], [0, 1])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: verdicts: 3 probabilities for 2 labels. Pass one row of class probabilities for each label]`,
    );
  });

  it("orders by loss, worst first, NaN before all, equal ones as they come", () => {
    const all = verdicts([0.5, 0.5, 1, 0, 0.5, 0.5, NaN, NaN, 0, 1], [0, 0, 1, 0, 0]);
    expect(worstOf(all, 4).map(({ index }) => index)).toEqual([3, 4, 0, 2]);
    expect(worstOf(all, 9).length).toBe(5);
  });
});

describe("contact sheet", () => {
  let test: GreyImageDataset;
  beforeAll(async () => {
    test = (await loadMnist()).test.slice(0, 100);
  });

  const sheetOf = (count: number) =>
    contactSheetSvg({
      dataset: test,
      verdicts: worstOf(verdicts(fakeProbabilities(test.y.data, 9), test.y.data), count),
      title: "Five < six & seven",
      subtitle: "digits",
    });

  it("shows each digit enlarged without smoothing, ink on paper", async () => {
    const picture = decodePng(await rasterizeSvg(sheetOf(1), 1));
    const image = test.x.data.subarray(0, 784);
    // The first tile begins at (40, 124); 4 pixels of the sheet are 1 of the digit. Its frame covers the outermost.
    for (let y = 1; y < 27; y++) {
      for (let x = 1; x < 27; x++) {
        const grey = 255 - (image[y * 28 + x] ?? 0);
        for (const corner of [0, 3]) {
          const seen = pixelAt(picture, 40 + 4 * x + corner, 124 + 4 * y + corner);
          expect(seen).toEqual([grey, grey, grey]);
        }
      }
    }
  });

  it("names truth, answer and their probabilities, and escapes the title", () => {
    const texts = [...sheetOf(2).matchAll(/>([^<>]+)<\/text>/g)].map(([, content]) => content);
    expect(texts).toEqual([
      "Five &lt; six &amp; seven",
      "digits",
      ...["true 7", "p 0.01", "said 8", "p 0.91"],
      ...["true 9", "p 0.01", "said 0", "p 0.91"],
    ]);
  });

  it("leaves a margin around everything, with captions drawn by the bundled font", async () => {
    const picture = decodePng(await rasterizeSvg(sheetOf(12), 1));
    expect([picture.width, picture.height]).toEqual([1280, 504]);
    const inked = (x: number, y: number) => pixelAt(picture, x, y).some((channel) => channel < 128);
    const area = (left: number, top: number, right: number, bottom: number) => {
      let count = 0;
      for (let y = top; y < bottom; y++)
        for (let x = left; x < right; x++) if (inked(x, y)) count++;
      return count;
    };
    expect(area(0, 0, 1280, 36)).toBe(0);
    expect(area(0, 0, 36, 504)).toBe(0);
    expect(area(1244, 0, 1280, 504)).toBe(0);
    expect(area(0, 468, 1280, 504)).toBe(0);
    // The captions of the first tile: both lines, each with text at its left and at its right.
    for (const top of [238, 258]) {
      expect(area(40, top, 80, top + 20)).toBeGreaterThan(50);
      expect(area(110, top, 152, top + 20)).toBeGreaterThan(30);
      expect(area(153, top, 175, top + 20)).toBe(0);
    }
  });

  it("is drawn of the digits that are most wrong", async () => {
    const picture = decodePng(await plotWorstDigits(test, fakeProbabilities(test.y.data, 2)));
    expect([picture.width, picture.height]).toEqual([2560, 1736]);
    const few = decodePng(await plotWorstDigits(test, fakeProbabilities(test.y.data, 2), 9));
    expect(few.height).toBe(1736 - 3 * 2 * 182);
  });
});
