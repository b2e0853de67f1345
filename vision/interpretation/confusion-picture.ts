/** @file The confusion matrix as a picture. */
import { escapeXml, fontFamily, palette } from "../../data/node.ts";
import type { ClassificationInterpretation } from "./interpretation.ts";

const [cell, margin, fontSize] = [56, 24, 14];

/** Letters are 0.62 of the font's size wide on average. */
const widthOf = (text: string): number => 0.62 * fontSize * Array.from(text).length;

/** An SVG: rows are what images are of, columns what they were taken for; the darker, the larger the part of the row. */
export function confusionSvg(interpretation: ClassificationInterpretation): string {
  const names = interpretation.vocab.map((name) => escapeXml(String(name)));
  const matrix = interpretation.confusionMatrix();
  const label = Math.ceil(Math.max(...interpretation.vocab.map((name) => widthOf(String(name)))));
  const left = margin + 24 + label;
  const top = margin + 48;
  const size = cell * names.length;
  const width = left + size + margin;
  const height = top + size + label + 48 + margin;
  const text = (x: number, y: number, content: string, more = ""): string =>
    `<text x="${x}" y="${y}" ${more}>${content}</text>`;
  const cells = matrix.flatMap((row, i) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count, j) => {
      const part = total === 0 ? 0 : count / total;
      const [x, y] = [left + j * cell, top + i * cell];
      const ink = part > 0.55 ? palette.paper : palette.ink;
      return (
        `<rect x="${x}" y="${y}" width="${cell}" height="${cell}" fill="${blue(part)}" stroke="${palette.paper}"/>` +
        text(x + cell / 2, y + cell / 2 + 5, String(count), `text-anchor="middle" fill="${ink}"`)
      );
    });
  });
  const rows = names.map((name, i) =>
    text(left - 10, top + i * cell + cell / 2 + 5, name, `text-anchor="end"`),
  );
  const columns = names.map((name, j) => {
    const [x, y] = [left + j * cell + cell / 2 + 5, top + size + 12];
    return text(x, y, name, `text-anchor="end" transform="rotate(-90 ${x} ${y})"`);
  });
  const middle = top + size / 2;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${fontFamily}" font-size="${fontSize}" fill="${palette.ink}">`,
    `<rect width="${width}" height="${height}" fill="${palette.paper}"/>`,
    text(left + size / 2, margin + 20, "Confusion matrix", `text-anchor="middle" font-size="18"`),
    ...cells,
    ...rows,
    ...columns,
    text(left + size / 2, height - margin, "predicted", `text-anchor="middle" font-weight="bold"`),
    text(
      margin + 8,
      middle,
      "actual",
      `text-anchor="middle" font-weight="bold" transform="rotate(-90 ${margin + 8} ${middle})"`,
    ),
    "</svg>",
  ].join("\n");
}

/** From white to blue. */
function blue(part: number): string {
  const mix = (from: number, to: number): number => Math.round(from + part * (to - from));
  return `rgb(${mix(247, 8)}, ${mix(250, 81)}, ${mix(253, 156)})`;
}
