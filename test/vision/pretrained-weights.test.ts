/** @file Pretrained weights from addresses and files, and a learner that takes them. */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeSafetensors, Resize, type SafetensorsEntry } from "../../data/index.ts";
import { ImageDataLoaders } from "../../data/node.ts";
import {
  exportStateDict,
  imagenetStats,
  linesOnly,
  resnet18,
  squeezenet1_0,
  squeezenetCompressedWeights,
  type ModelFunction,
} from "../../nn/index.ts";
import { cnnLearner, pretrainedWeights } from "../../vision/node.ts";
import { serveFile, type FileServer } from "../data/download/file-server.ts";
import { noise, pngOf, put, temporaryFolder } from "../data/vision/images.ts";
import { useDevice } from "../device.ts";
import { sharedData } from "../shared-data.ts";

useDevice();

const folder = temporaryFolder();
const entry: SafetensorsEntry = { dtype: "F32", shape: [2], data: Float32Array.of(1, 2) };
const bytes = encodeSafetensors([["a", entry]]);
const digest = createHash("sha256").update(bytes).digest("hex");
let server: FileServer;

beforeAll(async () => {
  server = await serveFile(bytes);
});
afterAll(() => server.close());

describe("pretrainedWeights", () => {
  const directory = join(folder, "archive");

  test("downloads from an address, and checks the digits in the name", async () => {
    const right = `${server.origin}/net-${digest.slice(0, 8)}.pth`;
    for (let i = 0; i < 2; i++) {
      expect((await pretrainedWeights(right, { directory })).get("a")).toEqual(entry);
    }
    expect(server.requests).toHaveLength(1);
    await expect(
      pretrainedWeights(`${server.origin}/net-00000000.pth`, { directory }),
    ).rejects.toThrow(/is not the file that was expected: its sha256 is .*, expected 00000000/);
  });

  test("reads a file, and checks the digits in its name, too", async () => {
    const plain = await put(folder, "weights", bytes);
    expect((await pretrainedWeights(plain)).get("a")).toEqual(entry);
    const published = await put(folder, "resnet18-f37072fd.pth", bytes);
    await expect(pretrainedWeights(published)).rejects.toThrow(
      `pretrainedWeights: ${published} is not the file that was expected: its sha256 is ${digest}`,
    );
    expect((await pretrainedWeights(published, { sha256: false })).size).toBe(1);
    await expect(pretrainedWeights(join(folder, "none.pth"))).rejects.toThrow("no such file");
  });

  test("takes from the archive what is published for a network", async () => {
    const path = await put(folder, "archive/resnet18-f37072fd.pth", bytes);
    const state = await pretrainedWeights(resnet18, { directory, sha256: digest });
    expect(state.get("a")).toEqual(entry);
    expect(basename(path)).toBe("resnet18-f37072fd.pth");
  });
});

describe("cnnLearner", () => {
  const data = async (): Promise<ImageDataLoaders> => {
    const files = await Promise.all(
      [0, 1, 2, 3, 4, 5].map(async (i) =>
        put(folder, `images/${i}.png`, await pngOf(noise(40, 36, i))),
      ),
    );
    return ImageDataLoaders.fromPathFunc(folder, files, {
      ...{ bs: 2, itemTfms: [new Resize(32)], labelFunc: (file) => /[024]\.png$/.test(file) },
    });
  };
  const quiet = { progress: linesOnly(() => undefined) };
  const sharedWeights = sharedData("squeezenet", squeezenetCompressedWeights.fileName);

  const check = async (arch: ModelFunction, path: string): Promise<void> => {
    const dls = await data();
    const learn = await cnnLearner(dls, arch, { pretrained: path, ...quiet });
    expect(learn.model.pretrained).toMatchObject({ missing: [], unexpected: [], misshaped: [] });
    const isTrained = (name: string) => learn.model.namedParameters().get(name)?.requiresGrad;
    const firstConv = [...learn.model.namedParameters().keys()][0] ?? "";
    expect(isTrained(firstConv)).toBe(false);
    expect(isTrained("1.8.weight")).toBe(true);
    expect(dls.pipeline.normalization?.stats).toEqual(imagenetStats);
    expect(dls.batchTfms.filter(({ name }) => name === "Normalize")).toHaveLength(1);
    await cnnLearner(dls, arch, { pretrained: path, ...quiet });
    expect(dls.batchTfms.filter(({ name }) => name === "Normalize")).toHaveLength(1);
  };

  const resnetFile = async (name: string, drop = ""): Promise<string> => {
    const state = await exportStateDict(resnet18({ numClasses: 3 }));
    state.delete(drop);
    const path = join(folder, name);
    await writeFile(path, encodeSafetensors(state));
    return path;
  };

  test("reads a file, freezes the body and normalises once", async () => {
    await check(resnet18, await resnetFile("own.pth"));
  });

  test.skipIf(sharedWeights === undefined)(
    "does so with real weights (skipped where the shared data are absent)",
    () => check(squeezenet1_0, sharedWeights ?? ""),
  );

  test("names the file whose weights do not fit", async () => {
    const path = await resnetFile("lacking.safetensors", "layer2.0.bn1.bias");
    await expect(
      cnnLearner(await data(), resnet18, { pretrained: path, ...quiet }),
    ).rejects.toThrow(
      `cnnLearner: ${path}: the state does not fit the body of resnet18: missing layer2.0.bn1.bias. Load`,
    );
  });

  test("downloads from an address, with progress and a signal of one's own", async () => {
    const seen: number[] = [];
    const onProgress = ({ bytes: count }: { bytes: number }) => seen.push(count);
    const stop = new AbortController();
    const reason = new Error("enough");
    stop.abort(reason);
    const pretrained = `${server.origin}/net.pth`;
    const options = { pretrained, onProgress, ...quiet };
    const home = process.env["WGRAD_HOME"];
    process.env["WGRAD_HOME"] = join(folder, "home");
    try {
      await expect(cnnLearner(await data(), resnet18, options)).rejects.toThrow("does not fit");
      expect(seen.at(-1)).toBe(bytes.length);
      const other = { ...options, pretrained: `${server.origin}/other.pth`, signal: stop.signal };
      await expect(cnnLearner(await data(), resnet18, other)).rejects.toBe(reason);
    } finally {
      if (home === undefined) delete process.env["WGRAD_HOME"];
      else process.env["WGRAD_HOME"] = home;
    }
  });
});
