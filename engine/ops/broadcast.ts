/** @file How the operands of elementwise functions meet. The shader's side, with the layouts, is `shaders/lib/broadcast.wgsl`. */
import type { ParamValues } from "../kernel.ts";
import { broadcastStrides } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { vectorsOn, vectorStep } from "./vectors.ts";
import { noWalk, walkAxes, walkParams, type WalkAxes } from "./walk.ts";

/** What a kernel needs to find its operands. */
export interface BroadcastPlan {
  /** Members of `struct Params`: the size of the result, and the walk. */
  readonly params: ParamValues;
  readonly overrides: Readonly<Record<string, number | string>>;
}

const layoutNames = ["LAYOUT_A", "LAYOUT_B", "LAYOUT_C"] as const;

/** Plans how up to three operands are read, which all broadcast to the shape of `out`. */
export function planBroadcast(operands: readonly Tensor[], out: Tensor): BroadcastPlan {
  const layouts: string[] = operands.map((x) =>
    x.size === out.size ? "WHOLE" : x.size === 1 ? "SINGLE" : "",
  );
  const overrides: Record<string, number | string> = { VECTORS: vectorsOn(out.device) };
  const { size } = out;
  const walked = operands.filter((_, i) => layouts[i] === "");
  let walk = noWalk;
  if (walked.length > 0) {
    const strides = operands.map((x, i) =>
      layouts[i] === "" ? broadcastStrides(x.shape, out.shape) : out.shape.map(() => 0),
    );
    const axes = walkAxes(out.shape, strides);
    const vectors = inVectors(axes);
    overrides["RANK"] = axes.shape.length;
    operands.forEach((_, i) => {
      if (layouts[i] !== "") return;
      const isRow = axes.strides[i]?.at(-1) === 1;
      layouts[i] = vectors === undefined ? "SCATTERED" : isRow ? "VECTOR" : "REPEATED";
    });
    walk = walkParams(vectors ?? axes, vectors === undefined ? vectorStep : vectorStep / 4);
  }
  layouts.forEach((layout, i) => (overrides[layoutNames[i] ?? ""] = layout));
  return { params: { ...walk, size }, overrides };
}

/** The walk with vec4s as its steps: only if the last axis consists of them, and every tensor that follows it has them whole. */
function inVectors({ shape, strides }: WalkAxes): WalkAxes | undefined {
  const last = shape.length - 1;
  const fits = strides.every((list) => {
    const inner = list[last] ?? 0;
    return (
      inner === 0 ||
      (inner === 1 && list.every((stride, axis) => axis === last || stride % 4 === 0))
    );
  });
  const size = shape[last] ?? 1;
  if (!fits || size % 4 !== 0) return undefined;
  return {
    shape: shape.with(last, size / 4),
    strides: strides.map((list) =>
      list[last] === 1 ? list.map((stride, axis) => (axis === last ? 1 : stride / 4)) : list,
    ),
  };
}
