/**
 * @file How many images a second the loader gives, and how many a training step takes: `npm run bench:loader -- FOLDER`. Without a
 * folder, photos are made up. Whichever of the two figures is smaller is the speed of training.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import sharp from "sharp";
import { Resize, Xoshiro128 } from "../../data/index.ts";
import { getImageFiles, ImageDataLoaders } from "../../data/node.ts";
import { openScope, setDefaultDevice, type Device } from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import { netCases, start } from "../models/nets.ts";

const epochs = 3;

/** Photos of 500 x 375 pixels as JPEG, neither smooth nor noise. */
async function makePhotos(folder: string, count: number): Promise<void> {
  const random = new Xoshiro128(1);
  for (let i = 0; i < count; i++) {
    const data = Uint8Array.from({ length: 125 * 94 * 3 }, () => random.below(256));
    const small = sharp(data, { raw: { width: 125, height: 94, channels: 3 } });
    await writeFile(join(folder, `${i}.jpg`), await small.resize(500, 375).jpeg().toBuffer());
  }
}

/** Images a second, and the share of the time in which JavaScript's thread was busy with loading. */
async function measureLoader(device: Device, folder: string): Promise<void> {
  const files = await getImageFiles(folder);
  const dls = await ImageDataLoaders.fromPathFunc(folder, files, {
    ...{ labelFunc: () => "any", validPct: 0, itemTfms: [new Resize(224)], device },
    onWarning: () => undefined,
  });
  console.log(`${files.length} images of ${folder}, batches of 64 of 224 x 224`);
  for (let epoch = 0; epoch < epochs; epoch++) {
    const [begin, busyBefore] = [performance.now(), performance.eventLoopUtilization()];
    let images = 0;
    for await (const { size } of dls.train.epoch(epoch)) images += size;
    await device.synchronize();
    const rate = (1000 * images) / (performance.now() - begin);
    const { utilization } = performance.eventLoopUtilization(busyBefore);
    console.log(
      `epoch ${epoch}: ${rate.toFixed(0)} images a second, JavaScript's thread busy ${(100 * utilization).toFixed(0)} % of the time`,
    );
  }
}

/** Images a second that a training step of ResNet-34 takes, when they need not be loaded. */
async function measureStep(device: Device): Promise<void> {
  const net = netCases.find(({ mode, imageSize }) => mode === "training" && imageSize === 224);
  if (net === undefined) throw new Error("bench: there is no net for images of 224 x 224");
  using _scope = openScope();
  const running = start(device, net);
  const step = async () => {
    using _step = openScope();
    running.step();
    await device.synchronize();
  };
  await step();
  const begin = performance.now();
  for (let i = 0; i < epochs; i++) await step();
  const rate = (1000 * epochs * net.batch) / (performance.now() - begin);
  console.log(`a training step of ${net.net}: ${rate.toFixed(1)} images a second`);
}

const [folder] = process.argv.slice(2);
const device = await openNodeDevice();
setDefaultDevice(device);
console.log(`${device.adapter.description}, ${availableParallelism()} cores`);
const made = folder === undefined ? await mkdtemp(join(tmpdir(), "wgrad-photos-")) : undefined;
try {
  if (made !== undefined) await makePhotos(made, 256);
  await measureLoader(device, folder ?? made ?? "");
} finally {
  if (made !== undefined) await rm(made, { recursive: true });
}
await measureStep(device);
await device.close();
