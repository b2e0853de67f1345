/** @file What the charts share: size, fonts, colours, and the way to a file. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { init, type EChartsCoreOption } from "echarts/core";
import { fontFamily, palette, rasterizeSvg } from "../../data/node.ts";

export interface Picture {
  /** Stem of the file. */
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly option: EChartsCoreOption;
}

/** Title, font and background of every chart. */
export function frame(title: string, subtitle: string) {
  return {
    animation: false,
    backgroundColor: palette.paper,
    textStyle: { fontFamily },
    title: {
      ...{ text: title, subtext: subtitle, left: 24, top: 18 },
      textStyle: { color: palette.ink, fontSize: 22, fontWeight: "bold" as const },
      subtextStyle: { color: palette.quiet, fontSize: 13 },
    },
  };
}

export const label = { color: palette.quiet, fontSize: 13 };

/** Writes `<name>.svg` and `<name>.png` and returns their paths. */
export async function writePicture(folder: string, picture: Picture): Promise<readonly string[]> {
  const { name, width, height, option } = picture;
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption(option);
    const svg = chart.renderToSVGString();
    await mkdir(folder, { recursive: true });
    const files = [join(folder, `${name}.svg`), join(folder, `${name}.png`)] as const;
    await writeFile(files[0], svg);
    await writeFile(files[1], await rasterizeSvg(svg));
    return files;
  } finally {
    chart.dispose();
  }
}
