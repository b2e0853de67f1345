/** @file The profiler: every dispatch is there, in a table and in a trace that others can read. */
import { expect, test } from "vitest";
import { exp, mul, openScope, profile, relu, tensor } from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import { useDevice } from "../device.ts";

const device = useDevice();

test("counts dispatches by kernel and adds up their times", async ({ skip }) => {
  skip(!device().has("timestamp-query"), "the adapter has no timestamp-query");
  const x = tensor(new Float32Array(100_000));
  const work = (): void => {
    using _scope = openScope();
    for (let i = 0; i < 5; i++) relu(mul(x, 2));
    exp(x);
  };
  work();
  const result = await profile(work);
  const counts = Object.fromEntries(
    result.kernels.map(({ kernel, dispatches }) => [kernel, dispatches]),
  );
  expect(counts).toEqual({ mul: 5, relu: 5, exp: 1 });
  expect(result.spans).toHaveLength(11);
  expect(result.spans.every(({ begin, end }) => end >= begin)).toBe(true);
  expect(result.gpuMilliseconds).toBeCloseTo(
    result.kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0),
    6,
  );
  expect(result.wallMilliseconds).toBeGreaterThanOrEqual(result.hostMilliseconds);
  expect(result.toString()).toMatch(/^kernel +dispatches +GPU ms +share\n/);
  expect(result.toString()).toMatch(/GPU [\d.]+ ms, host recorded in [\d.]+ ms, wall [\d.]+ ms$/);
});

test("writes a trace in Chrome's format", async ({ skip }) => {
  skip(!device().has("timestamp-query"), "the adapter has no timestamp-query");
  const result = await profile(() => exp(tensor([1])));
  const { traceEvents } = JSON.parse(result.toTrace()) as {
    traceEvents: { ph: string; name: string; dur?: number; ts?: number }[];
  };
  const spans = traceEvents.filter(({ ph, name }) => ph === "X" && name === "exp");
  expect(spans).toHaveLength(1);
  expect(spans[0]?.ts).toBeGreaterThanOrEqual(0);
  expect(spans[0]?.dur).toBeGreaterThanOrEqual(0);
});

test("the work of a first call is measured although its pipeline compiles", async ({ skip }) => {
  skip(!device().has("timestamp-query"), "the adapter has no timestamp-query");
  const own = await openNodeDevice();
  const x = tensor([1], { device: own });
  const { spans } = await profile(() => relu(exp(x)), own);
  expect(spans.map(({ label }) => label)).toEqual(["exp", "relu"]);
  await own.close();
});

test("one profile inside another is refused, and the outer one goes on", async ({ skip }) => {
  skip(!device().has("timestamp-query"), "the adapter has no timestamp-query");
  const x = tensor([1]);
  const outer = await profile(async () => {
    await expect(profile(() => exp(x))).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: profile: the device is being profiled already. Await one profile before the next, or put one around both]`,
    );
    relu(x);
  });
  expect(outer.kernels.map(({ kernel }) => kernel)).toEqual(["relu"]);
});

test("a device without timestamp queries says so", async () => {
  const minimal = await openNodeDevice({ minimal: true });
  await expect(profile(() => null, minimal)).rejects.toThrow(
    /profile: the adapter has no timestamp queries/,
  );
  await minimal.close();
});

test("an error in the profiled work leaves the device unprofiled", async ({ skip }) => {
  skip(!device().has("timestamp-query"), "the adapter has no timestamp-query");
  await expect(
    profile(() => {
      throw new Error("in the work");
    }),
  ).rejects.toThrow("in the work");
  expect(device().recorder.profiler).toBeUndefined();
});
