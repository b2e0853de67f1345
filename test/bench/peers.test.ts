/** @file The benchmark against other engines: work counted right, wrong results found, refusals shown, peers that fail survived. */
import { describe, expect, test } from "vitest";
import { convolutionShapes, paddingOf, type Convolution } from "../../bench/peers/convolution.ts";
import { fingerprint, type Fingerprint } from "../../bench/peers/fingerprint.ts";
import { shortened, type Outcome, type Row } from "../../bench/peers/measure.ts";
import { parsePeerOptions } from "../../bench/peers/options.ts";
import { PeerProcess } from "../../bench/peers/peer-process.ts";
import type { Peer } from "../../bench/peers/peer.ts";
import { forwardFlops } from "../../bench/peers/resnet34.ts";
import { formatHeader, formatRow } from "../../bench/peers/table.ts";
import { judgePeers } from "../../bench/peers/targets.ts";
import { wrongResults } from "../../bench/peers/verify.ts";
import { openPeer as openWgrad } from "../../bench/peers/wgrad.ts";
import { distinctConvolutions, flopsOf, workItems, type Work } from "../../bench/peers/work.ts";
import { resnet34Convolutions } from "../../bench/suites/convolution.ts";
import { sizeOf } from "../../engine/index.ts";
import {
  convolutionGeometry,
  outputShape,
  type Geometry,
} from "../../engine/ops/conv2d-geometry.ts";
import { resnet34, summary } from "../../nn/index.ts";
import { useDevice } from "../device.ts";

const device = useDevice();

const onnxruntime = await import("../../bench/peers/onnxruntime.ts").catch(() => undefined);

function geometryOf(convolution: Convolution): Geometry {
  const { x, w } = convolutionShapes(convolution);
  const { stride, kernel } = convolution;
  return convolutionGeometry("test", x, w, { stride, padding: paddingOf(kernel) });
}

describe("work", () => {
  test("counts the operations of convolutions as their geometry says", () => {
    const items = workItems(true).flatMap(({ work }) => (work.kind === "convolution" ? work : []));
    expect(items).toHaveLength(22);
    for (const work of items) {
      const geometry = geometryOf(work.convolution);
      const { kernel, inChannels, groups } = geometry;
      const taps = kernel[0] * kernel[1] * (inChannels / groups);
      const forward = 2 * taps * sizeOf(outputShape(geometry));
      expect(flopsOf(work)).toBe(work.gradients ? 3 * forward : forward);
    }
  });

  test("has the convolutions that the other benchmark has", () => {
    const key = (geometry: Geometry): string => JSON.stringify(geometry);
    const others = resnet34Convolutions(224).map(({ x, w, options }) =>
      convolutionGeometry("test", x, w, options),
    );
    const ours = distinctConvolutions().map((convolution) => key(geometryOf(convolution)));
    expect(ours.toSorted()).toEqual(others.map(key).toSorted());
  });

  test("counts a pass of ResNet-34 as the summary of wgrad's model does", () => {
    const { multiplyAdds } = summary(resnet34({ device: device() }), [2, 64, 64, 3]);
    expect(forwardFlops(2, 64)).toBe(2 * multiplyAdds);
  });
});

const small: Convolution = {
  ...{ batch: 2, size: 9, inChannels: 5, outChannels: 6, kernel: 3, stride: 2 },
};

async function resultsOf(peer: Peer, work: Work): Promise<Fingerprint[]> {
  const prepared = await peer.prepare(work);
  await prepared.run();
  const results = await prepared.results();
  await prepared.release();
  return results.map(fingerprint);
}

describe("results", () => {
  const forward: Work = { kind: "convolution", convolution: small, gradients: false };

  test.skipIf(onnxruntime === undefined)("of wgrad and onnxruntime agree", async () => {
    const theirs = await onnxruntime?.openPeer();
    if (theirs === undefined) throw new Error("onnxruntime is missing");
    const works: Work[] = [forward, { kind: "matmul", size: 33 }];
    works.push({ kind: "chain", elements: 5, adds: 3 });
    const ours = await openWgrad(device());
    for (const work of works) {
      const results = new Map([
        ["wgrad", await resultsOf(ours, work)],
        ["onnxruntime", await resultsOf(theirs, work)],
      ] as const);
      expect(wrongResults(work, results)).toEqual(new Map());
    }
  });

  test.skipIf(onnxruntime === undefined)(
    "of wgrad's ResNet-34 are those of onnxruntime, which runs a graph of its own",
    async () => {
      const theirs = await onnxruntime?.openPeer();
      if (theirs === undefined) throw new Error("onnxruntime is missing");
      const work: Work = { kind: "inference", batch: 2, size: 64 };
      const results = new Map([
        ["wgrad", await resultsOf(await openWgrad(device()), work)],
        ["onnxruntime", await resultsOf(theirs, work)],
      ] as const);
      expect(wrongResults(work, results)).toEqual(new Map());
    },
  );

  test("of a convolution and both of its gradients are those of float64", async () => {
    const work: Work = { kind: "convolution", convolution: small, gradients: true };
    const results = await resultsOf(await openWgrad(device()), work);
    expect(results).toHaveLength(3);
    expect(wrongResults(work, new Map([["wgrad", results]]))).toEqual(new Map());
  });

  test("that are wrong are found by float64, also when all peers agree on them", async () => {
    const [right] = await resultsOf(await openWgrad(device()), forward);
    if (right === undefined) throw new Error("no result");
    const samples = right.samples.with(0, 7);
    const wrong = [{ ...right, samples }];
    const found = wrongResults(forward, new Map([["tfjs-webgpu", wrong] as const]));
    const first = right.samples[0]?.toPrecision(4) ?? "";
    expect([...found]).toEqual([
      ["tfjs-webgpu", `wrong result 1 of 1: element 0 is 7.000, not ${first}`],
    ]);
  });

  test("of networks are judged by the majority, whoever comes first", () => {
    const network: Work = { kind: "inference", batch: 1, size: 32 };
    const two = fingerprint({ shape: [2], data: Float32Array.of(1, 2) });
    const other = fingerprint({ shape: [2], data: Float32Array.of(1, 2.5) });
    const results = new Map([
      ["wgrad", [other]],
      ["tfjs-webgpu", [two]],
      ["jax-js", [two]],
    ] as const);
    expect([...wrongResults(network, results).keys()]).toEqual(["wgrad"]);
  });

  test("that are NaN, or of which an element outside the samples is wrong, differ", () => {
    const network: Work = { kind: "training", batch: 1, size: 32 };
    const data = new Float32Array(10_000).fill(1);
    const right = fingerprint({ shape: [10_000], data });
    const off = fingerprint({ shape: [10_000], data: data.map((v, i) => (i > 9_000 ? 2 * v : v)) });
    const nan = fingerprint({ shape: [10_000], data: data.with(7, NaN) });
    const results = new Map([
      ["wgrad", [right]],
      ["tfjs-webgpu", [{ ...off, samples: right.samples }]],
      ["jax-js", [{ ...nan, samples: right.samples }]],
    ] as const);
    expect([...wrongResults(network, results)]).toEqual([
      ["tfjs-webgpu", "differs from wgrad: result 1 of 1: the sum is off by 10 %"],
      ["jax-js", "differs from wgrad: result 1 of 1: the sum is off by NaN %"],
    ]);
  });
});

function timed(peer: Outcome["peer"], ms: number): Outcome {
  const times = { ms, spread: 0.02, hostMs: 1, firstMs: ms, samplesMs: [ms] };
  return { peer, kind: "timed", ...times };
}

const refused: Outcome = {
  ...{ peer: "tfjs-wasm", kind: "refused", reason: "no Conv2DBackpropFilter kernel" },
};

const row: Row = {
  group: "Convolutions",
  name: "conv 3x3 56px 64ch gradients",
  flops: 3e9,
  adds: undefined,
  outcomes: [timed("wgrad", 100), timed("tfjs-webgpu", 2000), refused],
};

describe("table", () => {
  test("shows time, speed and ratio, and the reason where there is no time", () => {
    const table = `${formatHeader("Convolutions", ["wgrad", "tfjs-webgpu", "tfjs-wasm"])}\n${formatRow(row)}`;
    expect(table).toMatchInlineSnapshot(`
      "Convolutions
                                     wgrad                 tfjs-webgpu           tfjs-wasm
      conv 3x3 56px 64ch gradients   100 ms ±2 %           2000 ms ±2 %          no
                                     30.0 GFLOP/s          1.5 GFLOP/s, 20.0 x   Conv2DBackpropFilter
                                                                                 kernel"
    `);
  });

  test("shows the cost of an op where ops are counted", () => {
    const chain = { ...row, name: "add chain", adds: 1000, outcomes: row.outcomes.slice(0, 2) };
    expect(formatRow(chain)).toMatchInlineSnapshot(`
      "add chain                      100 us an op ±2 %     2000 us an op ±2 %
                                     host 1.00 us          host 1.00 us, 20.0 x"
    `);
  });

  test("says in few words what a peer said in many", () => {
    const theirs = "Kernel 'Conv2DBackpropFilter' not registered for backend 'wasm'";
    expect(shortened(theirs)).toBe("no Conv2DBackpropFilter kernel");
    expect(shortened(`${"x".repeat(200)}\nat y`)).toHaveLength(120);
  });

  test("judges by the better peer, and passes over rows without times", () => {
    const targets = judgePeers([row]);
    expect(targets).toEqual([
      {
        what: "convolution with both gradients, over tfjs-webgpu",
        wanted: "at least 15 x",
        measured: "worst 20.0 x (conv 3x3 56px 64ch gradients); 1 of 1 reach it",
        met: true,
      },
    ]);
    const matmul = { ...row, name: "matmul 512" };
    const [slower] = judgePeers([{ ...matmul, outcomes: [...row.outcomes, timed("jax-js", 300)] }]);
    expect(slower).toMatchObject({ met: false, wanted: "at least 8 x" });
    expect(slower?.measured).toContain("worst 3.00 x");
  });

  test("a target without a time of wgrad is missed", () => {
    const outcomes: Outcome[] = [
      { peer: "wgrad", kind: "refused", reason: "differs from onnxruntime" },
      timed("tfjs-wasm", 100),
    ];
    const [target] = judgePeers([{ ...row, name: "inference 1x224x224", outcomes }]);
    expect(target?.met).toBe(false);
  });
});

describe("command line", () => {
  test("names what it does not know", () => {
    expect(() => parsePeerOptions(["--peers", "wgrad,torch"])).toThrow("there is no peer torch");
    expect(() => parsePeerOptions(["--repeats", "0"])).toThrow("--repeats: not a whole number");
  });

  test("puts peers into the order of the columns", () => {
    const options = parsePeerOptions(["--peers", "onnxruntime,wgrad"]);
    expect(options).toMatchObject({ peers: ["wgrad", "onnxruntime"], rounds: 3, all: false });
  });
});

describe.skipIf(onnxruntime === undefined)("the process of a peer", () => {
  const matmul: Work = { kind: "matmul", size: 8 };
  const limitMs = 60_000;

  test("refuses what it cannot do, and goes on", async () => {
    await using peer = new PeerProcess("onnxruntime");
    const opened = await peer.ask({ kind: "describe" }, limitMs);
    expect(opened).toMatchObject({
      kind: "description",
      device: expect.stringContaining("CPU") as string,
    });
    const training: Work = { kind: "training", batch: 1, size: 32 };
    expect(await peer.ask({ kind: "prepare", work: training }, limitMs)).toEqual({
      kind: "refusal",
      reason: "no training in onnxruntime-node",
    });
    const answer = await peer.ask({ kind: "prepare", work: matmul }, limitMs);
    if (answer.kind !== "prepared") throw new Error(`unexpected answer: ${answer.kind}`);
    expect(wrongResults(matmul, new Map([[peer.name, answer.results]]))).toEqual(new Map());
    const samples = await peer.ask({ kind: "run", repeats: 2 }, limitMs);
    expect(samples).toMatchObject({ kind: "samples", samples: [{}, {}] });
  });

  test("is ended when it takes too long, and started anew for the next request", async () => {
    await using peer = new PeerProcess("onnxruntime");
    await peer.ask({ kind: "describe" }, limitMs);
    const inference: Work = { kind: "inference", batch: 8, size: 224 };
    expect(await peer.ask({ kind: "prepare", work: inference }, 1)).toEqual({
      kind: "refusal",
      reason: "not done in 0.001 s",
    });
    const answer = await peer.ask({ kind: "prepare", work: matmul }, limitMs);
    expect(answer.kind).toBe("prepared");
  });
});
