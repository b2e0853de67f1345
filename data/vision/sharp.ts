/** @file The package sharp (libvips), loaded when the first image is decoded. Node only. */
import type sharp from "sharp";
import { ArgumentError } from "../../engine/index.ts";

type Sharp = typeof sharp;

let loaded: Promise<Sharp> | undefined;

/** @throws ArgumentError when sharp is not installed, or has no build for this system. */
export function loadSharp(op: string): Promise<Sharp> {
  loaded ??= import("sharp").then((module) => module.default);
  return loaded.catch((error: unknown) => {
    loaded = undefined;
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new ArgumentError(
      op,
      `images are decoded by the package sharp, which cannot be loaded: ${reason ?? ""}`,
      "Run `npm install sharp`",
    );
  });
}
