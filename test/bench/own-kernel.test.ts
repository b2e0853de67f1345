/** @file A kernel of one's own: what it says of its workgroups, where its mistakes are, and its rank. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openContender, rankOwnKernel } from "../../bench/own-kernel/rank.ts";
import { parseWorkgroups } from "../../bench/own-kernel/workgroups.ts";
import { useDevice } from "../device.ts";

const device = useDevice();
const example = "bench/own-kernel/example.wgsl";
const limits = { peakGflops: 100, copies: [] };

describe("workgroups", () => {
  const grid = (line: string): readonly number[] =>
    parseWorkgroups("k.wgsl", `// workgroups: ${line}`, ["m", "n"])({ m: 65, n: 10 });

  test.each([
    ["ceil(m / 64)", [2, 1, 1]],
    ["m / 64, n", [2, 10, 1]],
    ["(m + n * 2) / 5, m - n - 5, 3", [17, 50, 3]],
    ["2 * ceil(n / 4) * 3", [18, 1, 1]],
  ])("%s", (line, expected) => {
    expect(grid(line)).toEqual(expected);
  });

  test.each([
    ["ceil(q / 2)", "k.wgsl:1:21: q is unknown here. Known: ceil, m, n"],
    ["m +", "k.wgsl:1:19: expected a number or a name"],
    ["(m", "k.wgsl:1:18: expected )"],
    ["m n", "k.wgsl:1:18: expected at most three expressions, and nothing behind them"],
    ["1, 2, 3, 4", "expected at most three expressions"],
  ])("refuses %s", (line, message) => {
    expect(() => grid(line)).toThrow(message);
  });

  test("must be there", () => {
    expect(() => parseWorkgroups("k.wgsl", "fn main() {}", [])).toThrow(
      "k.wgsl:1:1: no line says how many workgroups to run",
    );
  });
});

describe("a contender", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "wgrad-own-kernel-"));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  /** The example with a mistake. */
  async function changed(name: string, from: string, to: string): Promise<string> {
    const text = await readFile(example, "utf8");
    expect(text).toContain(from);
    const file = join(folder, name);
    await writeFile(file, text.replace(from, to));
    return file;
  }

  test("is ranked among our variants", async () => {
    const contender = openContender(example, "matmul");
    const { rows, wrong } = await rankOwnKernel(device(), limits, contender, 1);
    expect(wrong).toEqual([]);
    expect(new Set(rows.map(({ shape }) => shape)).size).toBe(2);
    const ours = rows.filter(({ variant }) => variant === example);
    expect(ours).toHaveLength(2);
    expect(rows.filter(({ variant }) => variant === "naive")).toHaveLength(2);
    for (const { gpuMs, error } of ours) {
      expect(gpuMs).toBeGreaterThan(0);
      expect(error).toBeLessThan(1e-4);
    }
  });

  test("that is wrong is not timed, and the first wrong element is named", async () => {
    const file = await changed("wrong.wgsl", "4u * id.x", "5u * id.x");
    const { rows, wrong } = await rankOwnKernel(device(), limits, openContender(file, "matmul"), 1);
    expect(wrong).toHaveLength(4);
    expect(wrong[0]).toMatch(
      /wrong\.wgsl at 33 x 20 x 28 nn: element \d+ is wrong: \S+ instead of/,
    );
    expect(rows.some(({ variant }) => variant === file)).toBe(false);
  });

  test("that does not compile is refused with file, line and column", async () => {
    const file = await changed("typo.wgsl", "sum += a[", "sum += aa[");
    const ranking = rankOwnKernel(device(), limits, openContender(file, "matmul"), 1);
    await expect(ranking).rejects.toThrow(/typo\.wgsl:27:12: unresolved value 'aa'/);
  });

  test.each([
    ["an unknown tensor", "read> b:", "read> c:", /\.wgsl:13:\d+: there is no tensor c/],
    [
      "an unknown parameter",
      "k: u32",
      "depth: u32",
      /\.wgsl:10:\d+: struct Params cannot have depth/,
    ],
  ])("with %s is refused", async (_what, from, to, message) => {
    const file = await changed("name.wgsl", from, to);
    expect(() => openContender(file, "matmul")).toThrow(message);
  });

  test("must name a known task", () => {
    expect(() => openContender(example, "attention")).toThrow("--as: there is no task attention");
  });

  test.each([
    ["softmax", "x", "out", "row * params.columns", "rows"],
    ["reduce", "x", "out", "row", "rows"],
  ])("may compute %s", async (task, x, out, _where, rows) => {
    const body =
      task === "reduce"
        ? "out[row] = total;"
        : "for (var j = 0u; j < params.columns; j++) { out[first + j] = value(x[first + j]) / total; }";
    const value = task === "reduce" ? "v" : "exp(v)";
    const file = join(folder, `${task}.wgsl`);
    await writeFile(
      file,
      `// workgroups: ceil(${rows} / 64)
struct Params { rows: u32, columns: u32 }
@group(0) @binding(0) var<storage, read> ${x}: array<f32>;
@group(0) @binding(1) var<storage, read_write> ${out}: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;
fn value(v: f32) -> f32 { return ${value}; }
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let first = row * params.columns;
  var total = 0.0;
  for (var j = 0u; j < params.columns; j++) { total += value(x[first + j]); }
  ${body}
}
`,
    );
    const { rows: timed, wrong } = await rankOwnKernel(
      device(),
      limits,
      openContender(file, task),
      1,
    );
    expect(wrong).toEqual([]);
    expect(timed.filter(({ variant }) => variant === file)).toHaveLength(2);
  });
});
