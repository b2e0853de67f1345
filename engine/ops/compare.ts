/** @file Comparisons, which give masks of u32 (1 or 0), and the choice by a mask. */
import compareSource from "../../shaders/elementwise/compare.wgsl";
import whereSource from "../../shaders/elementwise/where.wgsl";
import { isFloat } from "../dtype.ts";
import { DTypeError } from "../errors.ts";
import { defineKernel } from "../kernel.ts";
import { defineOp } from "../op.ts";
import { broadcastShapes } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { planBroadcast } from "./broadcast.ts";
import { operands } from "./scalar.ts";
import { vectorGrid } from "./vectors.ts";

const compareKernel = defineKernel({ name: "compare", source: compareSource, grid: vectorGrid });

/** A comparison as a function `(a, b)`, where either operand may be a plain number. */
function comparison(name: string, OP: string) {
  const op = defineOp<readonly [Tensor, Tensor], undefined>({
    name,
    output: ([a, b]) => {
      if (a.dtype !== b.dtype) {
        throw new DTypeError(
          name,
          `the element types differ: ${a.dtype} and ${b.dtype}`,
          "Use cast on one of them",
        );
      }
      return { shape: broadcastShapes(name, a.shape, b.shape), dtype: "u32" };
    },
    forward: ([a, b], out) => {
      const { params, overrides } = planBroadcast([a, b], out);
      compareKernel({ a, b, a_scalars: a, b_scalars: b, out }, params, {
        overrides: { ...overrides, OP, IS_FLOAT: Number(isFloat(a.dtype)) },
        types: { T: a.dtype },
        label: name,
      });
      return {};
    },
    gradient: null,
  });
  return (a: Tensor | number, b: Tensor | number): Tensor => op(operands(name, a, b), undefined);
}

/** 1 where `a == b`, else 0, as u32. */
export const equal = comparison("equal", "EQUAL");

/** 1 where `a != b`, else 0, as u32; NaN differs from everything. */
export const notEqual = comparison("notEqual", "NOT_EQUAL");

/** 1 where `a < b`, else 0, as u32. */
export const less = comparison("less", "LESS");

/** 1 where `a <= b`, else 0, as u32. */
export const lessEqual = comparison("lessEqual", "LESS_EQUAL");

/** 1 where `a > b`, else 0, as u32. */
export const greater = comparison("greater", "GREATER");

/** 1 where `a >= b`, else 0, as u32. */
export const greaterEqual = comparison("greaterEqual", "GREATER_EQUAL");

const whereKernel = defineKernel({ name: "where", source: whereSource, grid: vectorGrid });

const whereOp = defineOp<readonly [Tensor, Tensor, Tensor], undefined>({
  name: "where",
  output: ([condition, a, b]) => {
    if (condition.dtype !== "u32" || a.dtype !== b.dtype) {
      throw new DTypeError(
        "where",
        `the element types do not fit: condition ${condition.dtype}, a ${a.dtype}, b ${b.dtype}`,
        "The condition is a u32 mask, as comparisons give; a and b have the same type",
      );
    }
    const shape = broadcastShapes(
      "where",
      condition.shape,
      broadcastShapes("where", a.shape, b.shape),
    );
    return { shape, dtype: a.dtype };
  },
  forward: ([condition, a, b], out) => {
    const { params, overrides } = planBroadcast([a, b, condition], out);
    const tensors = { a, b, c: condition, a_scalars: a, b_scalars: b, c_scalars: condition, out };
    // Bits are moved, not numbers: all types of 4 bytes are one.
    whereKernel(tensors, params, { overrides, types: { T: a.dtype === "f16" ? "f16" : "u32" } });
    return {};
  },
  gradient: (dy, { inputs: [condition] }) => [
    null,
    where(condition, dy, 0),
    where(condition, 0, dy),
  ],
});

/**
 * `a` where the mask `condition` (u32) is not 0, else `b`; all three broadcast, and one of `a` and `b` may be a number.
 * @throws ShapeError, DTypeError when they do not fit.
 */
export function where(condition: Tensor, a: Tensor | number, b: Tensor | number): Tensor {
  const [x, y] = operands("where", a, b);
  return whereOp([condition, x, y], undefined);
}
