/** @file Run by `cold-start.ts`: opens a device, makes ResNet-34, trains two steps, and prints when each was done. */
import { openScope } from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import type { FirstStep } from "./cold-start.ts";
import { netCases, start } from "./nets.ts";

const [net] = netCases;
if (net === undefined) throw new Error("benchmark: there is no net");

const device = await openNodeDevice();
const deviceMs = performance.now();
const { step } = start(device, net);
await device.synchronize();
const modelMs = performance.now();
const firstStepMs = await stepDone();
const secondStepMs = (await stepDone()) - firstStepMs;
const pipelines = device.pipelines.progress.requested;
const result: FirstStep = { deviceMs, modelMs, firstStepMs, secondStepMs, pipelines };
console.log(JSON.stringify(result));
await device.close();

async function stepDone(): Promise<number> {
  using _scope = openScope();
  await step().item();
  return performance.now();
}
