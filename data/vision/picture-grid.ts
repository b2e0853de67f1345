/** @file Pictures side by side with titles, as one picture. Node only. */
import { encodePng } from "../formats/png.ts";
import { palette } from "../formats/palette.ts";
import { escapeXml, fontFamily, rasterizeSvg } from "../formats/svg.ts";
import type { Box, RgbImage } from "./rgb-image.ts";

/** A line above an image: `text number`. */
export interface TitleLine {
  /** Shortened where the line is wider than the image. */
  readonly text: string;
  /** Never shortened. Default: none. */
  readonly number?: string;
}

/** An image with the lines above it. */
export interface TitledImage {
  readonly image: RgbImage;
  readonly title: readonly TitleLine[];
}

const margin = 24;
const gap = 20;
const lineHeight = 21;
const fontSize = 17;
const smallestFont = 11;
/** Of the longer sides of an image, in pixels of the picture. */
const smallestSide = 200;

/** Images of one size as PNG: a grid nearly as wide as high, titles above the images, as fastai has them. */
export function pictureGrid(shown: readonly TitledImage[]): Promise<Uint8Array<ArrayBuffer>> {
  return rasterizeSvg(gridSvg(shown), 1);
}

/** The picture before it is drawn: an SVG with the images in it. */
export function gridSvg(shown: readonly TitledImage[]): string {
  const columns = Math.ceil(Math.sqrt(shown.length));
  const rows = Math.ceil(shown.length / columns);
  const { width: imageWidth, height: imageHeight } = shown[0]?.image ?? { width: 0, height: 0 };
  // Small images are enlarged, so that titles have room.
  const zoom = Math.max(1, smallestSide / Math.max(imageWidth, imageHeight));
  const tile = { width: Math.round(zoom * imageWidth), height: Math.round(zoom * imageHeight) };
  const lines = Math.max(1, ...shown.map(({ title }) => title.length));
  const titleHeight = 9 + lineHeight * lines;
  const cell = { width: tile.width + gap, height: tile.height + titleHeight + gap };
  const width = 2 * margin + columns * cell.width - gap;
  const height = 2 * margin + rows * cell.height - gap;
  const tiles = shown.map((titled, i) => {
    const x = margin + (i % columns) * cell.width;
    const y = margin + Math.floor(i / columns) * cell.height;
    return tileSvg(titled, { left: x, top: y, ...tile }, titleHeight);
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${fontFamily}">`,
    `<rect width="${width}" height="${height}" fill="${palette.paper}"/>`,
    ...tiles,
    "</svg>",
  ].join("\n");
}

function tileSvg(
  { image, title }: TitledImage,
  { left, top, width, height }: Box,
  titleHeight: number,
): string {
  const png = encodePng({ ...image, channels: 3 });
  const url = `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
  const lines = title.map((line, i) => {
    const { text, size } = fitted(line, width);
    return `<text x="${left + width / 2}" y="${top + lineHeight * (i + 1) - 1}" font-size="${size}" text-anchor="middle" fill="${palette.ink}">${escapeXml(text)}</text>`;
  });
  // Of images of 100 pixels or less, each pixel shows.
  const rendering = width >= 2 * image.width ? "optimizeSpeed" : "optimizeQuality";
  return [
    ...lines,
    `<image x="${left}" y="${top + titleHeight}" width="${width}" height="${height}" preserveAspectRatio="none" image-rendering="${rendering}" href="${url}"/>`,
  ].join("");
}

/** Long lines get smaller letters, and the longest texts end early. Letters are 0.6 of the font's size wide on average. */
function fitted({ text, number }: TitleLine, width: number): { text: string; size: number } {
  const end = number === undefined ? "" : ` ${number}`;
  const letters = Array.from(text);
  const length = letters.length + end.length;
  const size = Math.min(fontSize, Math.max(smallestFont, width / (0.6 * length)));
  const room = Math.max(2, Math.floor(width / (0.6 * size) + 1e-6) - end.length);
  const cut = letters.length <= room ? text : `${letters.slice(0, room - 1).join("")}…`;
  return { text: cut + end, size };
}
