/** @file wgrad itself among its peers, through its public surface, as a program would use it. */
import {
  add,
  backward,
  conv2d,
  crossEntropy,
  grad,
  matmul,
  noGrad,
  openScope,
  setRequiresGrad,
  tensor,
  type Device,
  type Tensor,
} from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import { exportStateDict, importStateDict, resnet34, SGD, type ResNet } from "../../nn/index.ts";
import type { HostArray } from "../../test/oracles/layout.ts";
import { paddingOf } from "./convolution.ts";
import type { Peer, Prepared } from "./peer.ts";
import { initialState, trackedChanges } from "./resnet34.ts";
import {
  inputsOf,
  labelsOf,
  learningRate,
  momentum,
  type ConvolutionWork,
  type NetworkWork,
  type Work,
} from "./work.ts";
import { versionOf } from "./versions.ts";

/**
 * Opens the adapter. Rules choose the variants of kernels, not what was tuned on this machine before. `device` is for tests that have
 * one open.
 */
export async function openPeer(device?: Device): Promise<Peer> {
  const opened = device ?? (await openNodeDevice({ tuning: false }));
  const { vendor, architecture, description } = opened.adapter;
  return {
    description: {
      version: await versionOf("wgrad"),
      device: [vendor, architecture, description].filter((part) => part !== "").join(", "),
    },
    prepare: (work) => prepare(opened, work),
  };
}

function prepare(device: Device, work: Work): Prepared {
  const inputs = inputsOf(work).map((input) => upload(device, input));
  switch (work.kind) {
    case "matmul":
      return repeat(device, inputs, ([a, b]) => [matmul(a, b)]);
    case "chain":
      return repeat(device, inputs, ([x, y]) => {
        let sum = x;
        for (let i = 0; i < work.adds; i++) sum = add(sum, y);
        return [sum];
      });
    case "convolution":
      return convolution(device, work, inputs);
    case "inference": {
      const model = modelOf(device).eval();
      return repeat(device, inputs, ([x]) => noGrad(() => [model.forward(x)]));
    }
    case "training":
      return training(device, work, inputs);
  }
}

type Two = readonly [Tensor, Tensor, ...Tensor[]];

function upload(device: Device, { shape, data }: HostArray): Tensor {
  return tensor(data, { shape, device });
}

/** The work is a function of the inputs; its results live until the next run. */
function repeat(
  device: Device,
  inputs: readonly Tensor[],
  compute: (inputs: Two) => readonly Tensor[],
): Prepared {
  const [first, second = first] = inputs;
  if (first === undefined || second === undefined) throw new Error("wgrad: no inputs");
  let results: readonly Tensor[] = [];
  const free = (): void => {
    for (const result of results) result.release();
    results = [];
  };
  return {
    async run() {
      free();
      {
        using scope = openScope();
        results = compute([first, second, ...inputs.slice(2)]);
        for (const result of results) scope.keep(result);
      }
      await device.synchronize();
    },
    results: () => Promise.all(results.map(download)),
    release() {
      free();
      for (const input of inputs) input.release();
    },
  };
}

async function download(result: Tensor): Promise<HostArray> {
  return { shape: result.shape, data: Float32Array.from(await result.data()) };
}

function convolution(device: Device, work: ConvolutionWork, inputs: readonly Tensor[]): Prepared {
  const { kernel, stride } = work.convolution;
  const options = { stride, padding: paddingOf(kernel) };
  if (!work.gradients) return repeat(device, inputs, ([x, w]) => [conv2d(x, w, options)]);
  for (const input of inputs.slice(0, 2)) setRequiresGrad(input, true);
  return repeat(device, inputs, ([x, w, dy]) => {
    const y = conv2d(x, w, options);
    const { dx, dw } = grad(y, { dx: x, dw: w }, dy === undefined ? {} : { gradient: dy });
    return [y, dx, dw].filter((result) => result !== null);
  });
}

function modelOf(device: Device): ResNet {
  const model = resnet34({ device });
  const state = Array.from(
    initialState(),
    ([name, entry]) => [name, { dtype: "F32", ...entry }] as const,
  );
  importStateDict(model, new Map(state));
  return model;
}

function training(device: Device, work: NetworkWork, inputs: readonly Tensor[]): Prepared {
  const model = modelOf(device).train();
  const optimizer = new SGD(model.parameters(), { lr: learningRate, momentum });
  const labels = tensor(labelsOf(work), { device });
  const step = repeat(device, inputs, ([x]) => {
    const loss = crossEntropy(model.forward(x), labels);
    backward(loss);
    optimizer.step();
    optimizer.zeroGrad();
    return [loss];
  });
  return {
    ...step,
    results: async () => [
      ...(await step.results()),
      ...trackedChanges(await exportStateDict(model)),
    ],
  };
}
