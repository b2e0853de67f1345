/** @file SVG to PNG through the packages @resvg/resvg-js and dejavu-fonts-ttf. Node only. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { ArgumentError } from "../../engine/index.ts";
import { encodePng } from "./png.ts";

/** The font that is drawn, and others for programs that show the SVG itself where it is not installed. */
export const fontFamily = "DejaVu Sans, Verdana, sans-serif";

/**
 * Draws an SVG, which must paint its own background, as PNG without transparency. Fonts of the system are not used: a picture is the
 * same everywhere.
 *
 * @param scale pixels for one unit of the SVG.
 * @throws ArgumentError when one of the two packages is not installed.
 */
export async function rasterizeSvg(svg: string, scale: number): Promise<Uint8Array<ArrayBuffer>> {
  const { Resvg, fontFiles } = await load();
  const image = new Resvg(svg, {
    fitTo: { mode: "zoom", value: scale },
    font: { loadSystemFonts: false, fontFiles, defaultFontFamily: "DejaVu Sans" },
  }).render();
  const { width, height, pixels } = image;
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb.set(pixels.subarray(from, from + 3), to);
  }
  return encodePng({ width, height, channels: 3, data: rgb });
}

async function load() {
  try {
    const { Resvg } = await import("@resvg/resvg-js");
    const resolve = createRequire(import.meta.url).resolve("dejavu-fonts-ttf/package.json");
    const fonts = join(dirname(resolve), "ttf");
    const fontFiles = ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"].map((file) => join(fonts, file));
    return { Resvg, fontFiles };
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new ArgumentError(
      "rasterizeSvg",
      `pictures with text need two packages that cannot be loaded: ${reason}`,
      "Run `npm install @resvg/resvg-js dejavu-fonts-ttf`",
    );
  }
}
