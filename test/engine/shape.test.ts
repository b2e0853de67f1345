/** @file Laws of shapes, axes and broadcasting, for random shapes. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ArgumentError, ShapeError } from "../../engine/errors.ts";
import {
  broadcastShapes,
  broadcastStrides,
  checkShape,
  formatShape,
  maxRank,
  mergeAxes,
  normalizeAxes,
  normalizeAxis,
  shapesEqual,
  sizeOf,
  stridesOf,
} from "../../engine/shape.ts";

const shape = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: maxRank });

/** A shape, and another that broadcasts to it: leading axes left out, some sizes 1. */
const broadcastable = shape.chain((target) =>
  fc
    .tuple(
      fc.integer({ min: 0, max: target.length }),
      fc.array(fc.boolean(), { minLength: maxRank, maxLength: maxRank }),
    )
    .map(([skip, ones]) => ({
      target,
      source: target.slice(skip).map((size, axis) => (ones[axis] === true ? 1 : size)),
    })),
);

function holds<T>(arbitrary: fc.Arbitrary<T>, law: (value: T) => void): void {
  fc.assert(
    fc.property(arbitrary, (value) => {
      law(value);
    }),
    { seed: 1, numRuns: 500 },
  );
}

/** All indices of a shape, in row-major order. */
function* indicesOf(sizes: readonly number[]): Generator<number[]> {
  const [first, ...rest] = sizes;
  if (first === undefined) yield [];
  else for (let i = 0; i < first; i++) for (const tail of indicesOf(rest)) yield [i, ...tail];
}

function offsetOf(index: readonly number[], strides: readonly number[]): number {
  return index.reduce((sum, i, axis) => sum + i * (strides[axis] ?? NaN), 0);
}

describe("strides", () => {
  test("walk the elements in order", () => {
    const small = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 5 });
    holds(small, (sizes) => {
      const offsets = [...indicesOf(sizes)].map((index) => offsetOf(index, stridesOf(sizes)));
      expect(offsets).toEqual(Array.from({ length: sizeOf(sizes) }, (_, i) => i));
    });
  });

  test("a scalar has one element and no strides", () => {
    expect([sizeOf([]), stridesOf([]), formatShape([])]).toEqual([1, [], "[]"]);
  });
});

describe("merged axes", () => {
  test("are walked through the same places in the same order", () => {
    const size = fc.integer({ min: 1, max: 3 });
    const stride = fc.integer({ min: -3, max: 3 });
    const walk = fc.array(fc.tuple(size, stride, fc.boolean()), { maxLength: 5 });
    holds(walk, (axes) => {
      const sizes = axes.map(([length]) => length);
      // Often the strides of a contiguous or broadcast tensor, where there is something to merge.
      const first = stridesOf(sizes).map((own, axis) => (axes[axis]?.[2] === true ? own : 0));
      const second = axes.map(([, any], axis) =>
        axes[0]?.[2] === true ? any : (stridesOf(sizes)[axis] ?? 0),
      );
      const { shape: merged, strides } = mergeAxes(sizes, [first, second]);
      expect(merged).not.toContain(1);
      for (const [before, after] of [
        [first, strides[0]],
        [second, strides[1]],
      ] as const) {
        const places = [...indicesOf(sizes)].map((index) => offsetOf(index, before));
        expect([...indicesOf(merged)].map((index) => offsetOf(index, after ?? []))).toEqual(places);
      }
    });
  });

  test("are one axis where all is contiguous or all is repeated", () => {
    expect(
      mergeAxes([2, 1, 3, 4], [
        [12, 12, 4, 1],
        [0, 0, 0, 0],
      ] as const),
    ).toEqual({
      shape: [24],
      strides: [[1], [0]],
    });
    expect(mergeAxes([1, 1], [[1, 1]] as const)).toEqual({ shape: [], strides: [[]] });
  });
});

describe("broadcasting", () => {
  test("is commutative, and gives the larger of two shapes of which one broadcasts to the other", () => {
    holds(broadcastable, ({ target, source }) => {
      expect(broadcastShapes("test", source, target)).toEqual(target);
      expect(broadcastShapes("test", target, source)).toEqual(target);
    });
  });

  test("of a shape with itself or a scalar changes nothing", () => {
    holds(shape, (sizes) => {
      expect(broadcastShapes("test", sizes, sizes)).toEqual(sizes);
      expect(broadcastShapes("test", sizes, [])).toEqual(sizes);
    });
  });

  test("of two shapes either refuses or gives sizes that each equal theirs where they are not 1", () => {
    holds(fc.tuple(shape, shape), ([a, b]) => {
      let result: number[];
      try {
        result = broadcastShapes("test", a, b);
      } catch (error) {
        expect(error).toBeInstanceOf(ShapeError);
        const clash = a.some((_, i) => {
          const [left, right] = [a.at(-1 - i) ?? 1, b.at(-1 - i) ?? 1];
          return left !== right && left !== 1 && right !== 1;
        });
        expect(clash).toBe(true);
        return;
      }
      expect(result).toHaveLength(Math.max(a.length, b.length));
      for (const sizes of [a, b]) {
        const fits = sizes.every((_, i) => [1, result.at(-1 - i)].includes(sizes.at(-1 - i)));
        expect(fits).toBe(true);
      }
    });
  });

  test("strides are 0 along repeated axes and else those of the source", () => {
    holds(broadcastable, ({ target, source }) => {
      const strides = broadcastStrides(source, target);
      const lead = target.length - source.length;
      expect(strides).toHaveLength(target.length);
      strides.forEach((stride, axis) => {
        const repeats = axis < lead || source[axis - lead] === 1;
        expect(stride).toBe(repeats ? 0 : stridesOf(source)[axis - lead]);
      });
    });
  });

  test("refuses with both shapes and the axis", () => {
    expect(() => broadcastShapes("add", [2, 3], [4, 3])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: add: shapes do not broadcast: [2, 3] and [4, 3] differ at axis -2 (2 and 4). Sizes must be equal or 1, aligned at the last axis; reshape or expand one of them]`,
    );
  });
});

describe("axes", () => {
  test("negative ones count from the end", () => {
    holds(fc.tuple(fc.integer({ min: 1, max: 8 }), fc.nat()), ([rank, seed]) => {
      const axis = seed % rank;
      expect(normalizeAxis("test", axis, rank)).toBe(axis);
      expect(normalizeAxis("test", axis - rank, rank)).toBe(axis);
      expect(() => normalizeAxis("test", axis + rank, rank)).toThrow(ArgumentError);
      expect(() => normalizeAxis("test", axis - 2 * rank, rank)).toThrow(ArgumentError);
    });
  });

  test("lists are sorted, and an axis named twice is refused however it is named", () => {
    expect(normalizeAxes("test", [-1, 0], 3)).toEqual([0, 2]);
    expect(normalizeAxes("test", undefined, 3)).toEqual([0, 1, 2]);
    expect(() => normalizeAxes("test", [2, -1], 3)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: test: an axis is named twice: [2, 2]. Name each axis once]`,
    );
    expect(() => normalizeAxis("test", 0, 0)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: test: axis out of range: 0 for a tensor of 0 axes. A scalar has no axes]`,
    );
    expect(() => normalizeAxis("test", 0.5, 2)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: test: axis out of range: 0.5 for a tensor of 2 axes. Use -2 to 1]`,
    );
  });
});

describe("shapes", () => {
  test("are equal when rank and all sizes are", () => {
    holds(fc.tuple(shape, shape), ([a, b]) => {
      expect(shapesEqual(a, b)).toBe(formatShape(a) === formatShape(b));
    });
  });

  test("refuse negative, broken and missing sizes, and too many axes", () => {
    for (const sizes of [[-1], [1.5], [NaN], [Infinity]])
      expect(() => {
        checkShape("test", sizes);
      }).toThrow(ShapeError);
    expect(() => {
      checkShape("test", Array<number>(9).fill(1));
    }).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: test: too many axes: [1, 1, 1, 1, 1, 1, 1, 1, 1] has 9, the most is 8. Merge axes with reshape first]`,
    );
  });
});
