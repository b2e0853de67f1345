/** @file Sizes of both directions as ONNX's attributes have them. */
import type { Size2d } from "../../../engine/index.ts";

/** `3` and `[3, 3]` are `[3, 3]`: height, width. */
export function both(size: Size2d): [height: number, width: number] {
  return typeof size === "number" ? [size, size] : [...size];
}

/** ONNX's order: top, left, bottom, right. */
export function padsOf(padding: Size2d | readonly [number, number, number, number]): number[] {
  if (typeof padding === "object" && padding.length === 4) {
    const [top, bottom, left, right] = padding;
    return [top, left, bottom, right];
  }
  const [height, width] = both(padding);
  return [height, width, height, width];
}
