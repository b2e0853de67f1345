/** @file Arguments of a learner that are wrong are refused where they are given, in plain words. */
import { expect, test } from "vitest";
import { accuracy, SaveBest, type Learner } from "../../nn/index.ts";
import { useDevice } from "../device.ts";
import { makeLearner } from "./resume-run.ts";

useDevice();

/** As JavaScript lets it pass. */
const any = (value: unknown) => value as never;

test.each<[string, (learner: Learner) => unknown]>([
  ["fit(1, text)", (learner) => learner.fit(1, any("1e-3"))],
  ["fit(1, { lr })", (learner) => learner.fit(1, any({ lr: 1e-3 }))],
  ["fit(1, null)", (learner) => learner.fitOneCycle(1, any(null))],
  ["fit(1, [text])", (learner) => learner.fit(1, any(["1e-3", "1e-3"]))],
  ["fineTune(1, text)", (learner) => learner.fineTune(1, any("1e-3"))],
  ["fineTune(1, slice)", (learner) => learner.fineTune(1, any({ stop: 1e-3 }))],
  ["resume(undefined)", (learner) => learner.resume(any(undefined))],
  ["resume({})", (learner) => learner.resume(any({}))],
  ["resume(promise)", (learner) => learner.resume(any(learner.checkpoint()))],
  ["validate(null)", (learner) => learner.validate(any(null))],
  ["getPreds(list)", (learner) => learner.getPreds(any([]))],
  ["one callback", (learner) => learner.fit(1, 0.1, any({ callbacks: new SaveBest() }))],
  ["a class", (learner) => learner.fit(1, 0.1, any({ callbacks: [SaveBest] }))],
  ["the learner's callbacks", () => makeLearner({ callbacks: any(new SaveBest()) })],
  ["the name of a metric", () => makeLearner({ metrics: any(["accuracy"]) })],
  ["one metric", () => makeLearner({ metrics: any(accuracy) })],
])("%s", async (_what, call) => {
  const learner = makeLearner();
  const attempt = async () => {
    await call(learner);
  };
  await expect(attempt()).rejects.toThrowErrorMatchingSnapshot();
  expect(learner.recorder.rows).toEqual([]);
});
