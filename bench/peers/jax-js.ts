/** @file jax-js on the WebGPU adapter; each piece of work is one jitted function, except the chain of single ops. */
import { adapterName, queueDone } from "./webgpu-globals.ts";
import {
  blockUntilReady,
  defaultDevice,
  getWebGPUDevice,
  init,
  jit,
  numpy as np,
  vjp,
} from "@jax-js/jax";
import { toNchw, toNhwc, toOihw, permuted, type HostArray } from "../../test/oracles/layout.ts";
import { conv, download, jaxInference, jaxTraining } from "./jax-resnet34.ts";
import type { Peer, Prepared } from "./peer.ts";
import { versionOf } from "./versions.ts";
import { inputsOf, type ConvolutionWork, type Work } from "./work.ts";

export async function openPeer(): Promise<Peer> {
  const devices = await init("webgpu");
  if (!devices.includes("webgpu")) throw new Error("jax-js found no WebGPU adapter");
  defaultDevice("webgpu");
  return {
    description: { version: await versionOf("@jax-js/jax"), device: await adapterName() },
    prepare,
  };
}

function prepare(work: Work): Prepared {
  const inputs = inputsOf(work);
  switch (work.kind) {
    case "matmul":
      return repeat(
        inputs,
        jit((a: np.Array, b: np.Array) => [np.matmul(a, b)]),
      );
    case "chain":
      return repeat(inputs, (x: np.Array, y: np.Array) => {
        let sum = x;
        for (let i = 0; i < work.adds; i++) sum = np.add(sum, y.ref);
        y.dispose();
        return [sum];
      });
    case "convolution":
      return convolution(work, inputs);
    case "inference": {
      const { run, release } = jaxInference();
      return alsoReleasing(
        repeat(inputs.map(toNchw), (x: np.Array) => [run(x)]),
        release,
      );
    }
    case "training": {
      const { run, changes, release } = jaxTraining(work);
      const steps = repeat(inputs.map(toNchw), (x: np.Array) => [run(x)]);
      return {
        ...alsoReleasing(steps, release),
        results: async () => [...(await steps.results()), ...(await changes())],
      };
    }
  }
}

/** The work is a function of the inputs, which uses them up; its results live until the next run. */
function repeat(
  inputs: readonly HostArray[],
  compute: (...inputs: np.Array[]) => np.Array[],
  toResult: (result: HostArray, position: number) => HostArray = (result) => result,
): Prepared {
  const arrays = inputs.map(({ shape, data }) => np.array(data, { shape: [...shape] }));
  let results: np.Array[] = [];
  const free = (): void => {
    for (const result of results) result.dispose();
    results = [];
  };
  return {
    async run() {
      free();
      results = compute(...arrays.map((array) => array.ref));
      await blockUntilReady(results);
      await queueDone(getWebGPUDevice());
    },
    results: () =>
      Promise.all(results.map(async (result, i) => toResult(await download(result), i))),
    release() {
      free();
      for (const array of arrays) array.dispose();
    },
  };
}

function convolution(
  { convolution: { kernel, stride }, gradients }: ConvolutionWork,
  [x, w, dy]: readonly HostArray[],
): Prepared {
  if (x === undefined || w === undefined || dy === undefined) throw new Error("jax-js: no inputs");
  const convolve = (x: np.Array, w: np.Array): np.Array => conv(x, w, kernel, stride);
  const layouts = [toNhwc, toNhwc, (dw: HostArray) => permuted(dw, [2, 3, 1, 0])];
  const toResult = (result: HostArray, i: number): HostArray => layouts[i]?.(result) ?? result;
  if (!gradients) {
    const forward = jit((x: np.Array, w: np.Array) => [convolve(x, w)]);
    return repeat([toNchw(x), toOihw(w)], forward, toResult);
  }
  const both = jit((x: np.Array, w: np.Array, dy: np.Array) => {
    const [y, pullBack] = vjp(convolve, [x, w]);
    const gradients = pullBack(dy);
    pullBack.dispose();
    return [y, ...gradients];
  });
  return repeat([toNchw(x), toOihw(w), toNchw(dy)], both, toResult);
}

function alsoReleasing(prepared: Prepared, release: () => void): Prepared {
  return {
    ...prepared,
    async release() {
      await prepared.release();
      release();
    },
  };
}
