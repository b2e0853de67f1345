/** @file Going on with a fit in the middle: is it the same fit, and which batches are left. */
import { ArgumentError } from "../../engine/index.ts";
import type { ResumePoint } from "./checkpoint.ts";
import type { Batch, Loader } from "./loader.ts";
import type { FitCall } from "./policies.ts";

/** @throws ArgumentError unless the checkpoint was made by this call. */
export function checkSameCall(call: FitCall, { fit }: ResumePoint): void {
  const [now, then] = [call, fit].map((value) => JSON.stringify(value));
  if (now === then) return;
  throw new ArgumentError(
    call.name,
    `the checkpoint was made by another fit: ${then}, this is ${now}`,
    "Call the same fit with the same arguments after learner.resume",
  );
}

/** The batches of an epoch from number `skip` on. `ready` runs when those before are over, and before the next is asked for. */
export async function* remainingBatches(
  loader: Loader,
  epoch: number,
  skip: number,
  ready: () => void,
): AsyncGenerator<Batch, void, undefined> {
  if (loader.epochFrom !== undefined) {
    ready();
    yield* loader.epochFrom(epoch, skip);
    return;
  }
  let seen = 0;
  for await (const batch of loader.epoch(epoch)) {
    if (seen >= skip) yield batch;
    if (++seen === skip) ready();
  }
  if (seen >= skip) return;
  throw new ArgumentError(
    "resume",
    `the loader gave ${seen} batches in epoch ${epoch}, of which ${skip} had been trained on`,
    "Make the loader as it was, with the same seed and batch size",
  );
}
