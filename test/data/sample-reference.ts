/** @file What `sampleImages` computes, in float64 and as slowly as its definition: places are mirrored step by step. */
import { hostAt, hostFrom, type HostTensor } from "../../engine/host-tensor.ts";
import type { SampleOptions, View } from "../../data/augment/sample-images.ts";

/** Images [n, height, width, channels] through one view each. */
export function sampleReference(
  x: HostTensor,
  views: readonly View[],
  options: SampleOptions,
): HostTensor {
  const [count = 0, height = 0, width = 0, channels = 0] = x.shape;
  const [outHeight, outWidth] = options.size;
  const nearest = options.mode === "nearest";
  const samplesY = nearest ? 1 : Math.max(1, Math.ceil(height / outHeight / 2));
  const samplesX = nearest ? 1 : Math.max(1, Math.ceil(width / outWidth / 2));
  const pixel = (view: View, [n, row, column]: readonly number[], c: number): number => {
    let sum = 0;
    for (let j = 0; j < samplesY; j++) {
      for (let i = 0; i < samplesX; i++) {
        const u = (column ?? NaN) + (i + 0.5) / samplesX - 0.5;
        const v = (row ?? NaN) + (j + 0.5) / samplesY - 0.5;
        sum += sample(x, view, [n ?? NaN, c], u, v, options);
      }
    }
    return sum / (samplesX * samplesY);
  };
  return hostFrom([count, outHeight, outWidth, channels], (index) => {
    const view = views[index[0] ?? NaN];
    if (view === undefined) return NaN;
    const values = Array.from({ length: channels }, (_, c) => pixel(view, index, c));
    return lighten(values, index[3] ?? NaN, view);
  });
}

function sample(
  x: HostTensor,
  { matrix }: View,
  [n, c]: readonly [number, number],
  u: number,
  v: number,
  { mode, padMode, alignCorners }: SampleOptions,
): number {
  const [, height = 0, width = 0] = x.shape;
  const [px, py, pw] = matrix.map((row) => row[0] * u + row[1] * v + row[2]);
  const depth = pw ?? NaN;
  let [column, row] = [(px ?? NaN) / depth, (py ?? NaN) / depth];
  if (padMode === "border") {
    [column, row] = [limit(column, width), limit(row, height)];
  } else if (padMode === "reflection") {
    column = limit(mirror(column, width, alignCorners), width);
    row = limit(mirror(row, height, alignCorners), height);
  }
  if (mode === "nearest") [column, row] = [Math.round(column), Math.round(row)];
  const [left, top] = [Math.floor(column), Math.floor(row)];
  const pixel = (r: number, q: number): number =>
    r < 0 || q < 0 || r >= height || q >= width ? 0 : hostAt(x, [n, r, q, c]);
  const [fx, fy] = [column - left, row - top];
  const upper = (1 - fx) * pixel(top, left) + fx * pixel(top, left + 1);
  const lower = (1 - fx) * pixel(top + 1, left) + fx * pixel(top + 1, left + 1);
  return (1 - fy) * upper + fy * lower;
}

function limit(place: number, size: number): number {
  return Math.min(Math.max(place, 0), size - 1);
}

/** Bounces between the two mirrors until it is inside. */
function mirror(place: number, size: number, alignCorners: boolean): number {
  const [low, high] = alignCorners ? [0, size - 1] : [-0.5, size - 0.5];
  if (low === high) return low;
  let at = place;
  while (at < low || at > high) at = at < low ? 2 * low - at : 2 * high - at;
  return at;
}

/** sigmoid(grey + saturation (l - grey)) with l = contrast (logit + brightness), for one of the channels of a pixel. */
function lighten(
  values: readonly number[],
  channel: number,
  { brightness, contrast, saturation }: View,
): number {
  if (brightness === 0 && contrast === 1 && saturation === 1) return values[channel] ?? NaN;
  const logits = values.map((value) => {
    const inside = Math.min(Math.max(value, 1e-7), 1 - 1e-7);
    return contrast * (Math.log(inside / (1 - inside)) + brightness);
  });
  const [red = 0, green = 0, blue = 0] = logits;
  const grey = saturation === 1 ? 0 : 0.2989 * red + 0.587 * green + 0.114 * blue;
  return 1 / (1 + Math.exp(-(grey + saturation * ((logits[channel] ?? NaN) - grey))));
}
