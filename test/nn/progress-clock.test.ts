import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ProgressClock } from "../../nn/learner/progress-clock.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});

afterEach(() => {
  vi.useRealTimers();
});

const second = () => vi.advanceTimersByTime(1000);

test("what runs on the device counts as left until it is finished", () => {
  // Ten batches of 8 images, of a second each; two are recorded ahead.
  const clock = new ProgressClock(80, 0);
  for (let i = 0; i < 3; i++) clock.advance(8, true);
  expect(clock.secondsLeft).toBeUndefined();
  clock.batchFinished();
  expect(clock.secondsPerBatch).toBeUndefined();
  for (let finished = 2; finished <= 10; finished++) {
    if (finished <= 8) clock.advance(8, true);
    second();
    clock.batchFinished();
    expect(clock.secondsPerBatch).toBeCloseTo(1);
    expect(clock.secondsLeft).toBeCloseTo(10 - finished);
  }
});

test("an image of training counts as three of validation", () => {
  const clock = new ProgressClock(16, 24);
  for (let i = 0; i < 2; i++) clock.advance(8, true);
  clock.batchFinished();
  second();
  clock.batchFinished();
  // 24 images of validation cost as much as 8 of training.
  expect(clock.secondsLeft).toBeCloseTo(1);
});

test("a batch that was cancelled is not waited for", () => {
  const clock = new ProgressClock(32, 0);
  clock.advance(8, true);
  clock.advance(8, true, false);
  clock.advance(8, true);
  clock.batchFinished();
  second();
  clock.batchFinished();
  clock.advance(8, true, false);
  expect(clock.secondsLeft).toBe(0);
});

test("the time between two epochs is no part of a batch's", () => {
  const clock = new ProgressClock(64, 0);
  for (let i = 0; i < 8; i++) clock.advance(8, true);
  clock.beginEpoch();
  clock.batchFinished();
  second();
  clock.batchFinished();
  vi.advanceTimersByTime(60_000);
  clock.beginEpoch();
  clock.batchFinished();
  expect(clock.secondsPerBatch).toBeCloseTo(1);
  vi.advanceTimersByTime(2000);
  clock.batchFinished();
  expect(clock.secondsPerBatch).toBeCloseTo(2);
});
