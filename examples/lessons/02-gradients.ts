/**
 * Lesson 2: gradients, how a model finds out which way is better.
 *
 *     node --import ./tools/register.mjs examples/lessons/02-gradients.ts
 *
 * The loss is one number that says how wrong the predictions are. Its gradient says, for each weight, how much the loss grows when
 * that weight grows a little. Who knows the gradient knows which way to turn every weight. Backpropagation finds it for all of
 * them in one walk, from the loss back to the weights.
 */
import {
  add,
  backward,
  detach,
  grad,
  gradcheck,
  mean,
  mul,
  square,
  sub,
  tensor,
  type Tensor,
} from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";

// Inputs, and targets: the right answers, also called labels. A person sees at once that target = 2 input + 1.
const inputs = [1, 2, 3];
const targets = [3, 5, 7];

/** How wrong the model `prediction = weight * input + bias` is for each input, squared. */
function squaredErrors(weight: Tensor, bias: Tensor): Tensor {
  const predictions = add(mul(weight, tensor(inputs)), bias);
  return square(sub(predictions, tensor(targets)));
}

export async function main(print: (line: string) => void = console.log) {
  const device = await openNodeDevice();

  // Two weights that know nothing yet. `requiresGrad` makes the engine remember what is computed from them.
  const weight = tensor(1, { requiresGrad: true });
  const bias = tensor(0, { requiresGrad: true });
  const loss = mean(squaredErrors(weight, bias));
  const lossValue = await loss.item();
  print(`Loss with weight 1 and bias 0: ${lossValue.toFixed(4)}`);

  // What it remembers is called the tape: each result knows the op that made it and its inputs. Here it is, from the loss down.
  const tape: string[] = [];
  for (let at: Tensor | undefined = loss; at?.node !== undefined; at = at.node.inputs[0]) {
    tape.push(at.node.op);
  }
  print(`The tape, from the loss back to the weight: ${tape.join(", ")}`);

  // Each op has a rule that turns the gradient of its result into gradients of its inputs. `backward` follows the tape and adds
  // what arrives at a weight to its `.grad`; `grad` does the same walk and returns the gradients by the names that you give.
  backward(loss);
  const { slope, height } = grad(mean(squaredErrors(weight, bias)), {
    slope: weight,
    height: bias,
  });
  const gradient = {
    weight: (await weight.grad?.item()) ?? NaN,
    bias: (await bias.grad?.item()) ?? NaN,
    slope: (await slope?.item()) ?? NaN,
    height: (await height?.item()) ?? NaN,
  };
  print(
    `\nGradient for the weight: ${gradient.weight.toFixed(4)}, for the bias: ${gradient.bias.toFixed(4)}`,
  );
  print("Both are negative: the loss shrinks when they grow.");

  // Is that true? Turn the weight by 0.01 and look: the loss should change by 0.01 times its gradient.
  const nudged = await mean(squaredErrors(tensor(1.01), bias)).item();
  print(
    `With weight 1.01 the loss is ${nudged.toFixed(4)}: it changed by ${(nudged - lossValue).toFixed(4)}.`,
  );

  // gradcheck turns every number of every input like this, for a function with any result, and prints what it found beside what
  // the tape says. (It adds up a result of several numbers with a factor for each, so that errors cannot cancel.)
  weight.name = "weight";
  bias.name = "bias";
  const right = await gradcheck(squaredErrors, [weight, bias]);
  print(`\n${String(right)}`);

  // A wrong gradient, to see the check fail: of the two factors of x * x, the first is cut off the tape.
  const wrong = await gradcheck((x) => mul(detach(x), x), [tensor([1, 2])]);
  print(`\nAnd x * x with half of its gradient missing:\n${String(wrong)}`);

  await device.close();
  return { gradient, tape, change: nudged - lossValue, right: right.passed, wrong: wrong.passed };
}

if (process.argv[1] === import.meta.filename) await main();
