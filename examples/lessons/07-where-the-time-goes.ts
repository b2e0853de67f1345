/**
 * Lesson 7: where the time goes, kernel by kernel.
 *
 *     node --import ./tools/register.mjs examples/lessons/07-where-the-time-goes.ts
 *
 * Training is millions of steps like the one below, so its speed decides what one can try in a day. Do not guess what is slow:
 * measure. The profile shows how long the device works on each kernel. The trace, which opens in the browser at
 * ui.perfetto.dev or chrome://tracing, shows every single run of a kernel on a time axis.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  backward,
  crossEntropy,
  formatBytes,
  manualSeed,
  openScope,
  profile,
  randomInteger,
  randomNormal,
} from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import { SGD, SmallResNet } from "../../nn/index.ts";

export async function main(print: (line: string) => void = console.log, folder = "runs") {
  const device = await openNodeDevice();
  manualSeed(1);
  // The network of `npm start`, and a batch of noise: how long a step takes does not depend on what is in the pictures.
  const model = new SmallResNet();
  const optimizer = new SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
  const images = randomNormal([64, 28, 28, 1]);
  const labels = randomInteger([64], 0, 10);
  const step = (): void => {
    using _scope = openScope();
    backward(crossEntropy(model.forward(images), labels));
    optimizer.step();
    optimizer.zeroGrad();
  };

  // The first step waits until all kernels are compiled for this device. The others show the true speed.
  for (const name of ["first", "second", "third"]) {
    const start = performance.now();
    step();
    await device.synchronize();
    print(`The ${name} step: ${(performance.now() - start).toFixed(0)} ms.`);
  }
  print(`Kernels compiled so far: ${device.pipelines.progress.finished}.\n`);

  const measured = await profile(step);
  print(String(measured));

  // A convolution works three times in each step: forward, for the gradient of its input (which the first layer does not need), and
  // for that of its weights. This is why a step of training takes about three times as long as a prediction.
  const share = (prefix: string): number =>
    measured.kernels
      .filter(({ kernel }) => kernel.startsWith(prefix))
      .reduce((sum, kernel) => sum + kernel.share, 0);
  const convolutions = share("conv2d");
  print(`\nThe convolutions take ${(100 * convolutions).toFixed(0)} % of the time on the device.`);
  const { peakBytes } = device.memory();
  print(`Memory in use at the same time, at most: ${formatBytes(peakBytes)}.`);

  await mkdir(folder, { recursive: true });
  const trace = join(folder, "lesson-07.trace.json");
  await writeFile(trace, measured.toTrace());
  print(`The trace is in ${trace}.`);

  await device.close();
  return { measured, convolutions, trace };
}

if (process.argv[1] === import.meta.filename) await main();
