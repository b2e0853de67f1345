/** @file The package sharp (libvips), loaded when the first image is decoded. Node only. */
import type sharp from "sharp";
import { loadPeer } from "../peer-package.ts";

/** @throws ArgumentError when sharp is not installed, or has no build for this system. */
export function loadSharp(op: string): Promise<typeof sharp> {
  return loadPeer(op, "sharp", async () => (await import("sharp")).default);
}
