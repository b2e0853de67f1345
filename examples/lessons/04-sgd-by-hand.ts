/**
 * Lesson 4: stochastic gradient descent, the loop that trains every model.
 *
 *     node --import ./tools/register.mjs examples/lessons/04-sgd-by-hand.ts
 *
 * Predict, measure the loss, find its gradient, move the weights a little against it, and again: that is all. "Stochastic" means
 * that each step looks at a few examples only, a batch. One pass through all of them is an epoch. Nothing here frees memory:
 * `backward` gives back what only the gradient needed, and the garbage collector takes the rest.
 */
import {
  add,
  backward,
  concat,
  manualSeed,
  matmul,
  mean,
  mul,
  noGrad,
  onesLike,
  randomNormal,
  randomUniform,
  slice,
  square,
  sub,
  tensor,
  type Tensor,
} from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";

const examples = 128;
const batchSize = 16;
const epochs = 16;
const learningRate = 0.2;

/** The architecture, what the model computes from whatever weights it has: here a x^2 + b x + c. Inputs [n, 1], weights [3, 1]. */
function predict(weights: Tensor, x: Tensor): Tensor {
  return matmul(concat([square(x), x, onesLike(x)], 1), weights);
}

/** One step downhill, in place. The step itself must not get onto the tape; the gradient is used up. */
function stepDown(weights: Tensor): void {
  const { grad } = weights;
  if (grad === undefined) throw new Error("there is no gradient yet: backward comes first");
  noGrad(() => {
    weights.assign(sub(weights, mul(grad, learningRate)));
  });
  grad.release();
  weights.grad = undefined;
}

export async function main(print: (line: string) => void = console.log) {
  const device = await openNodeDevice();

  // The data: points of 2 x^2 - 3 x + 1, as if measured with an error of 0.1. The model is to find the three numbers.
  manualSeed(1);
  const x = randomUniform([examples, 1], { min: -1, max: 1 });
  const y = add(predict(tensor([[2], [-3], [1]]), x), randomNormal([examples, 1], { std: 0.1 }));

  const weights = tensor([[0], [0], [0]], { requiresGrad: true });
  const losses: number[] = [];
  print("epoch     loss        a        b        c");
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const batchLosses: Promise<number>[] = [];
    for (let start = 0; start < examples; start += batchSize) {
      const predictions = predict(weights, slice(x, [start], [start + batchSize]));
      const loss = mean(square(sub(predictions, slice(y, [start], [start + batchSize]))));
      backward(loss);
      stepDown(weights);
      // Asked for now, awaited when the epoch is over: the loop need not stop for it.
      batchLosses.push(loss.item());
    }
    const total = (await Promise.all(batchLosses)).reduce((sum, loss) => sum + loss, 0);
    const average = total / batchLosses.length;
    losses.push(average);
    const numbers = [average, ...(await weights.data())].map((n) => n.toFixed(3).padStart(9));
    print(String(epoch).padStart(5) + numbers.join(""));
  }

  // A loss of 0 would mean that the model had learned the errors of the measurement, too. Their mean square is 0.1^2 = 0.01.
  const [a = NaN, b = NaN, c = NaN] = await weights.data();
  print(
    `\nThe data were made with 2, -3 and 1; found: ${a.toFixed(2)}, ${b.toFixed(2)} and ${c.toFixed(2)}.`,
  );

  await device.close();
  return { losses, weights: { a, b, c } };
}

if (process.argv[1] === import.meta.filename) await main();
