/** @file Contact sheet: a grid of enlarged digits, each with its true class and what the classifier said. */
import type { GreyImageDataset } from "../../../data/index.ts";
import { encodePng, escapeXml, fontFamily, palette } from "../../../data/node.ts";
import type { Verdict } from "./worst.ts";

export interface ContactSheetOptions {
  /** Where the images are. */
  readonly dataset: GreyImageDataset;
  /** The images to show, in this order. */
  readonly verdicts: readonly Verdict[];
  readonly title: string;
  /** A line below the title. */
  readonly subtitle: string;
  /** Tiles in a row. Default: 9. */
  readonly columns?: number;
}

/** Sides of the sheet in units of the SVG. A tile shows one image, enlarged to this side. */
const tile = 112;
const gap = 24;
const margin = 40;
const captionHeight = 46;
const headerHeight = 84;
const cell = { width: tile + gap, height: tile + captionHeight + gap };

/** The sheet as SVG, with the images embedded; they are enlarged without smoothing. */
export function contactSheetSvg(options: ContactSheetOptions): string {
  const { dataset, verdicts, title, subtitle, columns = 9 } = options;
  const rows = Math.ceil(verdicts.length / columns);
  const width = 2 * margin + columns * cell.width - gap;
  const height = 2 * margin + headerHeight + rows * cell.height - gap;
  const tiles = verdicts.map((verdict, i) => {
    const x = margin + (i % columns) * cell.width;
    const y = margin + headerHeight + Math.floor(i / columns) * cell.height;
    return `<g transform="translate(${x} ${y})">${tileSvg(dataset, verdict)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${fontFamily}">`,
    `<rect width="${width}" height="${height}" fill="${palette.paper}"/>`,
    text(margin, margin + 22, title, `font-size="26" font-weight="bold" fill="${palette.ink}"`),
    text(margin, margin + 52, subtitle, `font-size="15" fill="${palette.quiet}"`),
    ...tiles,
    "</svg>",
  ].join("\n");
}

function tileSvg(dataset: GreyImageDataset, verdict: Verdict): string {
  const { label, prediction, probability, trueProbability } = verdict;
  const said = prediction === label ? palette.blue : palette.vermilion;
  const line1 = tile + 20;
  const line2 = tile + 40;
  const right = 'text-anchor="end"';
  return [
    `<image width="${tile}" height="${tile}" image-rendering="optimizeSpeed" href="${imageUrl(dataset, verdict.index)}"/>`,
    `<rect x="0.5" y="0.5" width="${tile - 1}" height="${tile - 1}" fill="none" stroke="${palette.rule}"/>`,
    text(0, line1, `true ${label}`, `font-size="14" fill="${palette.ink}"`),
    text(
      tile,
      line1,
      `p ${formatProbability(trueProbability)}`,
      `font-size="13" ${right} fill="${palette.quiet}"`,
    ),
    text(0, line2, `said ${prediction}`, `font-size="14" font-weight="bold" fill="${said}"`),
    text(
      tile,
      line2,
      `p ${formatProbability(probability)}`,
      `font-size="13" ${right} fill="${said}"`,
    ),
  ].join("");
}

/** The image as dark ink on white paper, in a PNG of its own. */
function imageUrl({ x }: GreyImageDataset, index: number): string {
  const [, height = 0, width = 0] = x.shape;
  const pixels = x.data.subarray(index * height * width, (index + 1) * height * width);
  const png = encodePng({ width, height, channels: 1, data: pixels.map((byte) => 255 - byte) });
  return `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${x}" y="${y}" ${attributes}>${escapeXml(content)}</text>`;
}

/** Two decimals; nothing is shown as certain or impossible that is not. */
function formatProbability(probability: number): string {
  const rounded = probability.toFixed(2);
  if (rounded === "1.00" && probability < 1) return ">0.99";
  return rounded === "0.00" && probability > 0 ? "<0.01" : rounded;
}
