/** @file The page: opens the browser's WebGPU and offers the scenario to the test that drives it. */
import { openDevice } from "../../engine/index.ts";
import { predictPictures, runOps, trainTwentySteps } from "./scenario.ts";

const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;

Object.assign(globalThis, {
  wgrad: {
    open: async () => (await openDevice({ gpu })).adapter,
    runOps,
    predictPictures,
    trainTwentySteps,
  },
});
