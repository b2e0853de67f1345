/** @file Updates of all 110 parameters of ResNet-34, in as few dispatches as the optimizer needs. */
import { resnet34 } from "../../nn/models/resnet.ts";
import { Adam, SGD, type Optimizer } from "../../nn/optim/index.ts";
import { keep, ones, type Device, type Tensor } from "../../engine/index.ts";
import type { BenchCase, Prepared } from "../case.ts";
import { memoryCase } from "./memory-case.ts";

/** Parameters of ResNet-34 with ten classes. */
const size = 21_289_802;
const momentum = 0.9;
const lr = 1e-3;

/** What `steps` updates with the gradient 1 subtract. */
type Distance = (steps: number) => number;

/** v = momentum v + 1; p = p - lr v. Source: torch.optim.SGD. */
const sgdDistance: Distance = (steps) => {
  let [velocity, distance] = [0, 0];
  for (let i = 0; i < steps; i++) {
    velocity = momentum * velocity + 1;
    distance += lr * velocity;
  }
  return distance;
};

/** With a constant gradient both corrected moments are 1. Source: Kingma and Ba, arXiv 1412.6980. */
const adamDistance: Distance = (steps) => (steps * lr) / (1 + 1e-8);

function prepare(
  device: Device,
  make: (parameters: readonly Tensor[]) => Optimizer,
  distance: Distance,
): Prepared {
  const model = resnet34({ numClasses: 10, device });
  const parameters = [...model.parameters()];
  for (const parameter of parameters) parameter.grad = keep(ones(parameter.shape, { device }));
  const optimizer = make(parameters);
  // Batch norm's biases start with 0, so the distance itself can be seen in them.
  const bias = parameters.find(({ name }) => name?.endsWith("bn1.bias") === true);
  if (bias === undefined) throw new Error("benchmark: ResNet-34 has no bn1.bias");
  let steps = 0;
  return {
    run: () => {
      steps++;
      optimizer.step();
      // A copy, because the result is overwritten before the kernel is verified.
      return bias.copy();
    },
    check: { expected: () => -distance(steps), tolerance: 1e-5 },
  };
}

export function optimizerCases(): readonly BenchCase[] {
  const common = { suite: "optimizer", shape: "ResNet-34, 21.3 M" };
  return [
    memoryCase({
      ...{ ...common, op: "SGD, momentum", numbers: 5 * size },
      prepare: (device) =>
        prepare(device, (parameters) => new SGD(parameters, { lr, momentum }), sgdDistance),
    }),
    memoryCase({
      ...{ ...common, op: "Adam", numbers: 7 * size },
      prepare: (device) =>
        prepare(device, (parameters) => new Adam(parameters, { lr }), adamDistance),
    }),
  ];
}
