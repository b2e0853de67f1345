/** @file SVG to PNG with resvg and the DejaVu fonts from npm: a fresh machine has no fonts of its own. */
import { Resvg } from "@resvg/resvg-js";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { encodePng } from "../../data/node.ts";

/** The fonts of all pictures; those after the first are for browsers that show an SVG where it is not installed. */
export const fontFamily = "DejaVu Sans, Verdana, sans-serif";

const fontDirectory = join(
  dirname(createRequire(import.meta.url).resolve("dejavu-fonts-ttf/package.json")),
  "ttf",
);

/**
 * Draws an SVG, which must paint its own background, as PNG without transparency.
 *
 * @param scale - pixels for one unit of the SVG. Default: 2, for sharp text.
 */
export function rasterizeSvg(svg: string, scale = 2): Uint8Array<ArrayBuffer> {
  const image = new Resvg(svg, {
    fitTo: { mode: "zoom", value: scale },
    font: {
      loadSystemFonts: false,
      fontFiles: ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"].map((file) => join(fontDirectory, file)),
      defaultFontFamily: "DejaVu Sans",
    },
  }).render();
  const { width, height } = image;
  const pixels = { width, height, channels: 3, data: withoutAlpha(image.pixels) } as const;
  return encodePng(pixels, { filter: "none" });
}

function withoutAlpha(rgba: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb.set(rgba.subarray(from, from + 3), to);
  }
  return rgb;
}
