/** @file The tuner: what it measures, that winners run, and what becomes of broken and foreign files. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  ArgumentError,
  conv2d,
  defaultGenerator,
  matmul,
  openScope,
  profile,
  randomNormal,
  tune,
  tuningTable,
  TuningTable,
  useTuningTable,
} from "../../engine/index.ts";
import {
  addToTuningFile,
  defaultTuningFile,
  openNodeDevice,
  readTuningFile,
  writeTuningFile,
} from "../../engine/node.ts";
import { matmulFamily } from "../../engine/ops/matmul-kernels.ts";
import { useDevice } from "../device.ts";

const device = useDevice();
const problem = "24x16x32 nn";
const names = (): readonly string[] => {
  const sizes = { batch: 1, m: 24, n: 16, k: 32, aBatch: 0, bBatch: 0 };
  return matmulFamily.candidates(device(), { ...sizes, transposeA: false, transposeB: false });
};

function product(): void {
  using _scope = openScope();
  matmul(randomNormal([24, 32]), randomNormal([32, 16]));
}

/** Label of the product's kernel when it runs now. */
async function kernelOf(): Promise<string | undefined> {
  const { kernels } = await profile(product, device());
  return kernels.find(({ kernel }) => kernel.startsWith("matmul"))?.kernel;
}

afterEach(() => {
  useTuningTable(device(), new TuningTable());
});

describe("tune", () => {
  test("measures every candidate of a problem, once", async () => {
    const progress: string[] = [];
    const [tuned, ...others] = await tune(product, {
      onProgress: (p) => progress.push(`${p.done} of ${p.total} ${p.family} ${p.problem}`),
    });
    expect(others).toEqual([]);
    expect(progress).toEqual([`0 of 1 matmul ${problem}`]);
    expect(tuned).toMatchObject({ family: "matmul", problem, usual: names()[0] });
    expect(Object.keys(tuned?.milliseconds ?? {}).sort()).toEqual([...names()].sort());
    expect(Object.values(tuned?.milliseconds ?? {}).every((time) => time > 0)).toBe(true);
    expect(tuningTable(device()).get(device().adapter, "matmul", problem)?.variant).toBe(
      tuned?.variant,
    );
    expect(await tune(product)).toEqual([]);
  });

  test("a winner runs from then on, for its problem and its adapter alone", async () => {
    const other = "naive"; // of one kernel, which has its name
    const table = new TuningTable();
    useTuningTable(device(), table);
    const usual = await kernelOf();
    table.set(device().adapter, "matmul", "8x8x8 nn", { variant: other, milliseconds: {} });
    const elsewhere = { ...device().adapter, description: "another driver" };
    table.set(elsewhere, "matmul", problem, { variant: other, milliseconds: {} });
    expect(await kernelOf()).toBe(usual);
    table.set(device().adapter, "matmul", problem, { variant: other, milliseconds: {} });
    expect(await kernelOf()).toContain(other);
    table.set(device().adapter, "matmul", problem, { variant: "long gone", milliseconds: {} });
    expect(await kernelOf()).toBe(usual);
  });

  test("leaves the random numbers of a seeded run alone, and no memory behind", async () => {
    product();
    const before = { ...defaultGenerator().state };
    product();
    const perRun = defaultGenerator().state.counter - before.counter;
    const { liveBytes } = device().memory();
    await tune(product);
    expect(defaultGenerator().state.counter - before.counter).toBe(2 * perRun);
    expect(device().memory().liveBytes).toBe(liveBytes);
  });

  test("measures the products too that a winner is made of", async () => {
    const pointwise = (): void => {
      using _scope = openScope();
      conv2d(randomNormal([1, 4, 4, 8]), randomNormal([1, 1, 8, 8]));
    };
    const table = new TuningTable();
    useTuningTable(device(), table);
    const tuned = await tune(pointwise);
    const products = tuned.filter(({ family }) => family === "matmul");
    expect(tuned[0]?.family).toBe("conv2d");
    // Its usual kernel is a matrix product; another winner has no use for one.
    expect(products.map((each) => each.problem)).toEqual(["16x8x8 nn"]);
    expect(await tune(pointwise)).toEqual([]);
  });

  test("saves what it measured, and nothing else, in one go", async () => {
    const saved: TuningTable[] = [];
    const table = tuningTable(device());
    table.set(device().adapter, "matmul", "8x8x8 nn", { variant: "tiled", milliseconds: {} });
    table.save = (measured) => {
      saved.push(measured);
      return Promise.resolve();
    };
    await tune(product);
    expect(saved.map((each) => each.size(device().adapter))).toEqual([1]);
    expect(saved[0]?.get(device().adapter, "matmul", problem)).toBeDefined();
    await tune(product);
    expect(saved).toHaveLength(1);
  });
});

describe("the tuning file", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "wgrad-tuning-"));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  });

  test("keeps a table, and makes its folder", async () => {
    const table = new TuningTable();
    const winner = { variant: "tiled", milliseconds: { tiled: 1.5, naive: 3 } };
    table.set(device().adapter, "matmul", problem, winner);
    const file = join(folder, "a", "b.json");
    await writeTuningFile(file, table);
    const again = await readTuningFile(file);
    expect(again.get(device().adapter, "matmul", problem)).toEqual(winner);
    expect(again.size(device().adapter)).toBe(1);
    again.clear(device().adapter);
    expect(again.size(device().adapter)).toBe(0);
    expect(await readdir(join(folder, "a"))).toEqual(["b.json"]);
    expect(await readFile(file, "utf8")).toContain('"variant": "tiled"');
  });

  test.each([
    ["no JSON", "{"],
    ["another format", '{"format": "something"}'],
    ["another version", '{"format": "wgrad-tuning", "version": 99, "adapters": {}}'],
    ["no adapters", '{"format": "wgrad-tuning", "version": 1}'],
    [
      "an entry without a variant",
      '{"format": "wgrad-tuning", "version": 1, "adapters": {"a": {"matmul": {"p": {}}}}}',
    ],
    [
      "a time that is no number",
      '{"format": "wgrad-tuning", "version": 1, "adapters": {"a": {"matmul": {"p": {"variant": "x", "milliseconds": {"x": "1"}}}}}}',
    ],
  ])("is ignored with a warning: %s", async (_what, text) => {
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    const file = join(folder, "broken.json");
    await writeFile(file, text);
    const table = await readTuningFile(file);
    expect(table.size(device().adapter)).toBe(0);
    expect(warn).toHaveBeenCalledOnce();
    expect(warn.mock.calls[0]?.[0]).toContain("broken.json is ignored");
  });

  test("takes winners of programs that write at the same time", async () => {
    const file = join(folder, "shared.json");
    const names = ["a", "b", "c", "d"];
    const script = `
      import { addToTuningFile } from "./engine/tuning/tuning-file.ts";
      import { TuningTable } from "./engine/tuning/tuning-table.ts";
      const adapter = { vendor: "v", architecture: "", device: "", description: "" };
      for (let i = 0; i < 20; i++) {
        const table = new TuningTable();
        table.set(adapter, "matmul", process.argv[1] + i, { variant: "tiled", milliseconds: {} });
        await addToTuningFile(process.argv[2], table);
      }`;
    const flags = ["--import", "./tools/register.mjs", "--input-type=module", "-e", script];
    const run = promisify(execFile);
    await Promise.all(names.map((name) => run(process.execPath, [...flags, name, file])));
    const { adapters } = (await readTuningFile(file)).toJSON();
    expect(Object.keys(adapters["v"]?.["matmul"] ?? {})).toHaveLength(80);
    expect(await readdir(folder)).toEqual(["shared.json"]);
  });

  test("prefers what was measured last, and breaks the lock of a program that died", async () => {
    const file = join(folder, "mine.json");
    const table = (variant: string): TuningTable => {
      const made = new TuningTable();
      made.set(device().adapter, "matmul", problem, { variant, milliseconds: {} });
      return made;
    };
    await addToTuningFile(file, table("tiled"));
    await writeFile(`${file}.lock`, "1");
    await addToTuningFile(file, table("naive"));
    const { variant } = (await readTuningFile(file)).get(device().adapter, "matmul", problem) ?? {};
    expect(variant).toBe("naive");
    expect(await readdir(folder)).toEqual(["mine.json"]);
  });

  test("is written by nobody when it is something else", async () => {
    const file = join(folder, "package.json");
    await writeFile(file, '{"name": "precious"}');
    await expect(addToTuningFile(file, new TuningTable())).rejects.toThrow(ArgumentError);
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    await using own = await openNodeDevice({ tuning: file });
    await tuningTable(own).save?.(new TuningTable());
    expect(warn.mock.calls.map(([text]) => String(text).split(": ").slice(1, 3))).toEqual([
      [`the tuning file ${file} is ignored`, "TuningTable.parse"],
      ["the winners are not kept for later programs", `the tuning file ${file} stays as it is`],
    ]);
    expect(await readFile(file, "utf8")).toBe('{"name": "precious"}');
    expect(await readdir(folder)).toEqual(["package.json"]);
  });

  test("may be missing", async () => {
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    expect((await readTuningFile(join(folder, "none.json"))).size(device().adapter)).toBe(0);
    expect(warn).not.toHaveBeenCalled();
  });

  test("lies where the environment says", () => {
    vi.stubEnv("WGRAD_TUNING", "off");
    expect(defaultTuningFile()).toBe(false);
    vi.stubEnv("WGRAD_TUNING", join(folder, "mine.json"));
    expect(defaultTuningFile()).toBe(join(folder, "mine.json"));
    vi.stubEnv("WGRAD_TUNING", undefined);
    vi.stubEnv("XDG_CACHE_HOME", folder);
    expect(defaultTuningFile()).toBe(join(folder, "wgrad", "tuning.json"));
  });
});
