/** @file How the rows of softmax and cross-entropy are shared out. The shader's side is `shaders/softmax/row.wgsl`. */
import type { TypeAliases } from "../kernel.ts";
import type { Tensor } from "../tensor.ts";
import { channelVectors } from "./channel-vectors.ts";
import type { Block } from "./reduce-kernels.ts";
import { spreadOf } from "./vectors.ts";

/** Rows up to this long are one invocation's work on a GPU ... */
const longestShortRow = 128;
/** ... and all rows on a software adapter, unless they leave lanes without work. */
const fewRows = 16;
/** MOST_HELD of the shader. */
const mostHeld = 16;

type Overrides = "LANES" | "ACROSS" | "HELD" | "TREE_SIZE" | "WORKGROUP" | "VECTORS";

export interface RowPlan {
  /** A workgroup makes a row, not an invocation. */
  readonly isLong: boolean;
  /** Members of `struct Params`. */
  readonly params: Readonly<Record<"rows" | "count" | "inner", number>>;
  readonly overrides: Readonly<Record<Overrides, number>>;
  readonly types: TypeAliases;
}

export function planRows(x: Tensor, { outer, length, inner }: Block): RowPlan {
  const { software } = x.device.adapter;
  const isLast = inner === 1;
  const size = outer * inner;
  const isLong = length > longestShortRow && (!software || (isLast && size < fewRows));
  // The tree of a team adds up numbers, not vectors.
  const vectors = channelVectors(x.dtype, isLast ? length : isLong ? 1 : inner);
  const { lanes } = vectors;
  const params = isLast
    ? { rows: outer, count: length / lanes, inner: 1 }
    : { rows: size / lanes, count: length, inner: inner / lanes };
  return {
    isLong,
    params,
    overrides: {
      LANES: lanes,
      ACROSS: Number(!isLast),
      HELD: isLong || params.count > mostHeld ? 0 : params.count,
      TREE_SIZE: software ? 8 : 64,
      ...spreadOf(x.device, params.rows),
    },
    types: vectors.types("S", "V", "U"),
  };
}
