/** @file What is said when an optional package is not installed. */
import { expect, it, vi } from "vitest";
import { decodeImage } from "../../../data/node.ts";
import { rasterizeSvg } from "../../../data/formats/svg.ts";

vi.mock("sharp", () => {
  throw new Error("Cannot find package 'sharp'");
});
vi.mock("@resvg/resvg-js", () => {
  throw new Error("Cannot find package '@resvg/resvg-js'");
});

it("names sharp, each time anew", async () => {
  for (let i = 0; i < 2; i++) {
    await expect(decodeImage("a.jpg")).rejects.toThrow(
      /decodeImage: it needs sharp of npm, which cannot be loaded: .*Run `npm install sharp`/,
    );
  }
});

it("names the packages for pictures with text", async () => {
  await expect(rasterizeSvg("<svg/>", 1)).rejects.toThrow(
    "Run `npm install @resvg/resvg-js dejavu-fonts-ttf`",
  );
});
