/**
 * Lesson 1: tensors, what every model is made of.
 *
 *     node --import ./tools/register.mjs examples/lessons/01-tensors.ts
 *
 * An ordinary program takes inputs and gives results. A model takes inputs and weights, also called parameters: with other weights
 * the same inputs give other results, its predictions. Inputs, weights and predictions are all tensors: numbers of one type with
 * a shape, in the memory of a device.
 */
import {
  add,
  matmul,
  mean,
  mul,
  ones,
  reshape,
  ShapeError,
  tensor,
  type Tensor,
} from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";

/** The numbers of a tensor, once they are computed. */
async function show(t: Tensor): Promise<string> {
  return [...(await t.data())].join(", ");
}

export async function main(print: (line: string) => void = console.log) {
  // The device is where tensors live and shaders run: a GPU, or the processor where there is none.
  const device = await openNodeDevice();
  print(`Device: ${device.adapter.description}`);

  // Two flats, three numbers about each (rooms, floor, square metres): shape [2, 3]. One weight for each number: shape [3, 1].
  const flats = tensor([
    [3, 1, 70],
    [2, 4, 50],
  ]);
  const weights = tensor([[20], [5], [3]]);
  print(`\nInputs ${String(flats)}, weights ${String(weights)}`);

  // Ops are functions: no `flats.matmul(...)`, no hidden state. This is the simplest model of all, a weighted sum of each row.
  const rents = matmul(flats, weights);
  // The shape of a result is known at once, its numbers are not: so far the work is only written down. `data()` waits for it.
  print(`Rents, of shape [${rents.shape.join(", ")}]: ${await show(rents)}`);
  // Other weights, other predictions: this model has heard that nobody wants to climb stairs.
  const others = matmul(flats, tensor([[20], [-5], [3]]));
  print(`The same flats with other weights: ${await show(others)}`);

  // A pair of grey images of 2 x 2 pixels: [images, height, width, channels], the order of all images here.
  const images = reshape(tensor([0, 1, 2, 3, 10, 10, 10, 30]), [2, 2, 2, 1]);
  const brightness = mean(images, [1, 2, 3]);
  print(`\nMean brightness of each image: ${await show(brightness)}`);
  // Broadcasting: a tensor of shape [] or with axes of size 1 is repeated to fit. Here one number meets eight.
  print(`All pixels, brighter by 5: ${await show(add(images, 5))}`);

  // Shapes that do not fit are refused at once, with the numbers and the likely fix: the most common mistake of all.
  let message = "";
  try {
    matmul(weights, flats);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    message = error.message;
  }
  print(`\nmatmul(weights, flats) is refused:\n  ${message}`);

  // Why read late? Writing down is quick, computing takes time, and the two can go on side by side, if nobody waits in between.
  let x = ones([256, 256]);
  const start = performance.now();
  for (let i = 0; i < 100; i++) x = mul(x, 1.01);
  const recorded = performance.now() - start;
  const [corner = 0] = await x.data();
  const waited = performance.now() - start - recorded;
  print(`\n100 multiplications: written down in ${recorded.toFixed(1)} ms,`);
  print(`then ${waited.toFixed(1)} ms of waiting for the result, ${corner.toFixed(4)} = 1.01^100.`);

  await device.close();
  return { message, corner };
}

if (process.argv[1] === import.meta.filename) await main();
