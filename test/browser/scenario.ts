/** @file What the browser and Node both run, so that their results can be compared: a sample of the op table, predictions, a training. */
import { imagenetStats, ImagePipeline, Normalize, Resize } from "../../data/index.ts";
import { backward, crossEntropy, manualSeed, openScope, tensor } from "../../engine/index.ts";
import type { OpCase } from "../../engine/op-case.ts";
import * as cases from "../../engine/ops/cases.ts";
import { createVisionModel, SGD, SmallResNet, squeezenet1_0, type Module } from "../../nn/index.ts";
import { decodeLearner, encodeLearner } from "../../vision/index.ts";
import { makeInput, seededRandom, worstError } from "../inputs.ts";

/** How far one sample of one op is from its float64 reference. */
export interface OpOutcome {
  readonly title: string;
  readonly error: number;
  readonly tolerance: number;
}

/** Larger samples would take a page long on a software adapter. */
const maxElements = 4096;
const samplesPerOp = 2;

/** The first small samples of every op, forward, on the default device. */
export async function runOps(): Promise<OpOutcome[]> {
  const outcomes: OpOutcome[] = [];
  for (const record of Object.values(cases).flat() as unknown as OpCase<unknown>[]) {
    const small = record.samples.filter(
      ({ inputs, feature }) =>
        feature === undefined &&
        inputs.every(({ shape }) => shape.reduce((a, b) => a * b, 1) <= maxElements),
    );
    for (const sample of small.slice(0, samplesPerOp)) {
      using scope = openScope();
      const random = seededRandom(1);
      const hosts = sample.inputs.map((spec) => makeInput(spec, random));
      const inputs = hosts.map(({ shape, data }, i) =>
        tensor(data, { shape, dtype: sample.inputs[i]?.dtype ?? "f32" }),
      );
      const reading = record.run(inputs, sample.args).data();
      scope[Symbol.dispose]();
      const error = worstError(await reading, record.reference(hosts, sample.args).data);
      outcomes.push({ title: record.title, error, tolerance: sample.tolerance ?? 1e-5 });
    }
  }
  return outcomes;
}

/** Kaiming's normal numbers need a logarithm and a cosine, which differ from driver to driver; these are the same everywhere. */
function setWeights(model: Module, random: () => number, gain = 1): void {
  for (const parameter of model.parameters()) {
    if (parameter.shape.length < 2) continue;
    const bound = gain * Math.sqrt((6 * (parameter.shape.at(-1) ?? 1)) / parameter.size);
    parameter.write(
      Float32Array.from({ length: parameter.size }, () => bound * (2 * random() - 1)),
    );
  }
}

/** What a model that was exported and loaded says of three pictures: all probabilities. */
export async function predictPictures(): Promise<number[]> {
  const random = seededRandom(21);
  manualSeed(21);
  const model = createVisionModel(squeezenet1_0, { numClasses: 3 });
  // Somewhat less than what keeps the variance: the probabilities are neither 0 nor 1.
  setWeights(model, random, 0.9);
  const dls = new ImagePipeline({
    ...{ vocab: ["bird", "cat", "dog"], itemTfms: [new Resize(48)] },
    batchTfms: [new Normalize(imagenetStats)],
  });
  const predictor = decodeLearner(await encodeLearner({ model, dls }));
  const pictures = [
    { width: 64, height: 48 },
    { width: 48, height: 48 },
    { width: 33, height: 90 },
  ].map(({ width, height }) => ({
    ...{ width, height },
    data: Uint8Array.from({ length: 3 * width * height }, () => 256 * random()),
  }));
  const predictions = await predictor.predict(pictures);
  return predictions.flatMap(({ probabilities }) => [...probabilities]);
}

/** The losses of twenty steps of the network of `npm start` on a fixed batch that it can learn. */
export async function trainTwentySteps(): Promise<number[]> {
  const random = seededRandom(12);
  // For the biases, which are uniform.
  manualSeed(12);
  const model = new SmallResNet();
  setWeights(model, random);
  const optimizer = new SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
  const images = Float32Array.from({ length: 32 * 28 * 28 }, () => random());
  const labels = Int32Array.from({ length: 32 }, (_, i) => i % 10);
  const losses: Promise<number>[] = [];
  for (let step = 0; step < 20; step++) {
    using _scope = openScope();
    const x = tensor(images, { shape: [32, 28, 28, 1] });
    const loss = crossEntropy(model.forward(x), tensor(labels));
    backward(loss);
    optimizer.step();
    optimizer.zeroGrad();
    losses.push(loss.item());
  }
  return Promise.all(losses);
}
