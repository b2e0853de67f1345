/** @file Random shapes and random arguments for the ops that move elements, against their references. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  concat,
  expand,
  flip,
  gather,
  indexSelect,
  openScope,
  pad,
  permute,
  reshape,
  scatterAdd,
  slice,
  tensor,
  type DType,
  type Tensor,
} from "../../engine/index.ts";
import {
  hostAt,
  hostAtBroadcast,
  hostFrom,
  hostTensor,
  type HostTensor,
} from "../../engine/host-tensor.ts";
import { concatReference } from "../../engine/ops/concat.case.ts";
import { gatherReference, scatterReference } from "../../engine/ops/gather.case.ts";
import { padReference } from "../../engine/ops/pad.case.ts";
import { sliceReference } from "../../engine/ops/slice.case.ts";
import { sizeOf, type Shape } from "../../engine/shape.ts";
import { useDevice } from "../device.ts";

const device = useDevice();

const seed = 1;
const numRuns = 60;

/** Sizes that make units of 2 to 16 bytes, and sizes that do not. */
const size = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 9 }) },
  { weight: 1, arbitrary: fc.constant(0) },
);
const shape = fc.array(size, { maxLength: 5 }).filter((sizes) => sizeOf(sizes) <= 2000);
const shapeWithAxis = fc
  .array(size, { minLength: 1, maxLength: 5 })
  .filter((sizes) => sizeOf(sizes) <= 2000);
const dtype = fc.constantFrom<DType>("f32", "i32", "u32", "f16");

/** Small whole numbers, all different as far as half precision can tell: a move to the wrong place shows. */
function numbered(sizes: Shape, start = 1): HostTensor {
  return hostTensor(
    sizes,
    Array.from({ length: sizeOf(sizes) }, (_, i) => (start + i) % 2048),
  );
}

/** Runs `law` for random values; what it returns is compared with the reference. */
async function holds<T>(
  arbitrary: fc.Arbitrary<T>,
  law: (value: T, type: DType) => { readonly actual: Tensor; readonly expected: HostTensor },
): Promise<void> {
  const property = fc.asyncProperty(arbitrary, dtype, async (value, type) => {
    const available = type === "f16" && !device().has("shader-f16") ? "f32" : type;
    const { expected, shape: got, reading } = inScope(() => law(value, available));
    expect(got).toEqual(expected.shape);
    expect([...(await reading)]).toEqual([...expected.data]);
  });
  await fc.assert(property, { seed, numRuns });
}

function inScope(body: () => { readonly actual: Tensor; readonly expected: HostTensor }) {
  using _scope = openScope();
  const { actual, expected } = body();
  return { expected, shape: actual.shape, reading: actual.data() };
}

function upload({ shape: sizes, data }: HostTensor, type: DType): Tensor {
  return tensor(data, { shape: sizes, dtype: type });
}

describe("random arguments", () => {
  test("permute", async () => {
    const order = shape.chain((sizes) =>
      fc.tuple(
        fc.constant(sizes),
        fc.shuffledSubarray([...sizes.keys()], { minLength: sizes.length }),
      ),
    );
    await holds(order, ([sizes, axes], type) => {
      const x = numbered(sizes);
      const moved = axes.map((axis) => sizes[axis] ?? 0);
      const expected = hostFrom(moved, (index) =>
        hostAt(
          x,
          sizes.map((_, axis) => index[axes.indexOf(axis)] ?? 0),
        ),
      );
      return { actual: permute(upload(x, type), axes), expected };
    });
  });

  test("slice", async () => {
    const bound = fc.option(fc.integer({ min: -12, max: 12 }));
    const step = fc.integer({ min: -3, max: 3 }).filter((value) => value !== 0);
    const cut = shape.chain((sizes) =>
      fc.tuple(
        fc.constant(sizes),
        fc.array(fc.tuple(bound, bound, step), { maxLength: sizes.length }),
      ),
    );
    await holds(cut, ([sizes, ranges], type) => {
      const x = numbered(sizes);
      const starts = ranges.map(([start]) => start);
      const ends = ranges.map(([, end]) => end);
      const steps = ranges.map(([, , by]) => by);
      return {
        actual: slice(upload(x, type), starts, ends, steps),
        expected: sliceReference(x, { starts, ends, steps }),
      };
    });
  });

  test("flip", async () => {
    const some = shape.chain((sizes) =>
      fc.tuple(fc.constant(sizes), fc.subarray([...sizes.keys()])),
    );
    await holds(some, ([sizes, axes], type) => {
      const x = numbered(sizes);
      const expected = hostFrom(sizes, (index) =>
        hostAt(
          x,
          index.map((i, axis) => (axes.includes(axis) ? (sizes[axis] ?? 0) - 1 - i : i)),
        ),
      );
      return { actual: flip(upload(x, type), axes), expected };
    });
  });

  test("expand", async () => {
    const target = shape.chain((sizes) =>
      fc.tuple(
        fc.constant(sizes),
        fc.nat({ max: sizes.length }),
        fc.array(fc.boolean(), { minLength: sizes.length, maxLength: sizes.length }),
      ),
    );
    await holds(target, ([to, skip, repeats], type) => {
      const from = to.map((length, axis) => (repeats[axis] === true ? 1 : length)).slice(skip);
      const x = numbered(from);
      return {
        actual: expand(upload(x, type), to),
        expected: hostFrom(to, (index) => hostAtBroadcast(x, index)),
      };
    });
  });

  test("pad", async () => {
    const count = fc.nat({ max: 4 });
    const around = shape.chain((sizes) =>
      fc.tuple(
        fc.constant(sizes),
        fc.array(fc.tuple(count, count), { minLength: sizes.length, maxLength: sizes.length }),
        fc.constantFrom("constant", "reflect", "replicate"),
      ),
    );
    await holds(around, ([sizes, wanted, mode], type) => {
      const most = (length: number): number =>
        mode === "constant" ? 4 : mode === "reflect" ? length - 1 : length > 0 ? 4 : 0;
      const padding = wanted.map(
        (pair, axis) =>
          pair.map((n) => Math.min(n, Math.max(0, most(sizes[axis] ?? 0)))) as [number, number],
      );
      const x = numbered(sizes);
      const options = { mode, value: 3 } as const;
      return {
        actual: pad(upload(x, type), padding, options),
        expected: padReference(x, { padding, ...options }),
      };
    });
  });

  test("concat", async () => {
    const list = shapeWithAxis.chain((sizes) =>
      fc.tuple(
        fc.constant(sizes),
        fc.nat({ max: sizes.length - 1 }),
        fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 4 }),
      ),
    );
    await holds(list, ([sizes, axis, lengths], type) => {
      const parts = lengths.map((length, i) => numbered(sizes.with(axis, length), 1 + 100 * i));
      return {
        actual: concat(
          parts.map((part) => upload(part, type)),
          axis,
        ),
        expected: concatReference(parts, axis),
      };
    });
  });

  test("reshape there and back", async () => {
    await holds(shape, (sizes, type) => {
      const x = numbered(sizes);
      return { actual: reshape(reshape(upload(x, type), [sizeOf(sizes)]), sizes), expected: x };
    });
  });

  const chosen = shapeWithAxis.chain((sizes) =>
    fc
      .nat({ max: sizes.length - 1 })
      .chain((axis) =>
        fc.tuple(
          fc.constant(sizes),
          fc.constant(axis),
          fc.array(fc.integer({ min: -2, max: 10 }), { maxLength: 20 }),
        ),
      ),
  );

  test("indexSelect, indices outside included", async () => {
    await holds(chosen, ([sizes, axis, list], type) => {
      const x = numbered(sizes);
      const missing = type === "i32" || type === "u32" ? 0 : NaN;
      const picked = hostFrom(
        sizes.with(axis, list.length),
        (index) => list[index[axis] ?? 0] ?? NaN,
      );
      const indices = tensor(list, { shape: [list.length], dtype: "i32" });
      return {
        actual: indexSelect(upload(x, type), axis, indices),
        expected: gatherReference(x, picked, { axis, missing }),
      };
    });
  });

  test("gather, indices outside included", async () => {
    await holds(chosen, ([sizes, axis, list], type) => {
      const x = numbered(sizes);
      const missing = type === "i32" || type === "u32" ? 0 : NaN;
      const within = sizes.map((length, k) => (k === axis ? list.length : Math.ceil(length / 2)));
      const picked = hostFrom(
        within,
        (index) => list[index.reduce((sum, i) => sum + i, 0) % list.length] ?? 0,
      );
      return {
        actual: gather(upload(x, type), axis, upload(picked, "i32")),
        expected: gatherReference(x, picked, { axis, missing }),
      };
    });
  });

  test("scatterAdd, indices outside included", async () => {
    await holds(chosen, ([sizes, axis, list], type) => {
      const x = hostFrom(sizes, () => 1);
      const within = sizes.map((length, k) => (k === axis ? list.length : Math.ceil(length / 2)));
      const picked = hostFrom(
        within,
        (index) => list[index.reduce((sum, i) => sum + i, 0) % list.length] ?? 0,
      );
      // Sums of small whole numbers are exact in every type.
      const source = hostFrom(within, (index) => index.reduce((sum, i) => sum + i, 1) % 16);
      return {
        actual: scatterAdd(upload(x, type), axis, upload(picked, "i32"), upload(source, type)),
        expected: scatterReference(x, picked, source, { axis }),
      };
    });
  });
});

test("scatterAdd gives the same bits on every run", async () => {
  const length = 20_000;
  const source = tensor(
    Float32Array.from({ length }, (_, i) => Math.sin(i) * 10 ** ((i % 13) - 6)),
  );
  const indices = tensor(Uint32Array.from({ length }, (_, i) => (i * i) % 7));
  const run = async (): Promise<number[]> => [
    ...(await scatterAdd(tensor(new Float32Array(7)), 0, indices, source).data()),
  ];
  const first = await run();
  for (let i = 0; i < 5; i++) expect(await run()).toEqual(first);
});
