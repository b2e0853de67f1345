/** @file SVG to PNG through the packages @resvg/resvg-js and dejavu-fonts-ttf. Node only. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { loadPeer } from "../peer-package.ts";
import { encodePng } from "./png.ts";

/** The font that is drawn, and others for programs that show the SVG itself where it is not installed. */
export const fontFamily = "DejaVu Sans, Verdana, sans-serif";

/**
 * Draws an SVG, which must paint its own background, as PNG without transparency. Fonts of the system are not used: a picture is the
 * same everywhere.
 *
 * @param scale pixels for one unit of the SVG. Default: 2, for sharp text.
 * @throws ArgumentError when one of the two packages is not installed.
 */
export async function rasterizeSvg(svg: string, scale = 2): Promise<Uint8Array<ArrayBuffer>> {
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

function load() {
  return loadPeer("rasterizeSvg", "@resvg/resvg-js dejavu-fonts-ttf", async () => {
    const { Resvg } = await import("@resvg/resvg-js");
    const packageFile = createRequire(import.meta.url).resolve("dejavu-fonts-ttf/package.json");
    const fonts = join(dirname(packageFile), "ttf");
    const fontFiles = ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"].map((file) => join(fonts, file));
    return { Resvg, fontFiles };
  });
}

/** Text as it may stand in an SVG. */
export function escapeXml(text: string): string {
  // Control characters are not allowed in XML, not even escaped.
  const printable = text.replace(/\p{Cc}/gu, "\ufffd");
  return printable.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
