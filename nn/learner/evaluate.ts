/** @file Running a model over a loader without training it. */
import { noGrad, openScope, type Tensor } from "../../engine/index.ts";
import { requireLoader } from "./check-arguments.ts";
import { awaitedLater, InFlight } from "./in-flight.ts";
import type { Batch, Loader } from "./loader.ts";
import type { Model } from "./options.ts";

/** Batches that may be recorded but not computed while the next one is recorded. */
export const batchesInFlight = 2;

/**
 * Runs `body` on every batch, the model in evaluation mode, without recording gradients. What a body makes is freed when it is
 * over. After each batch comes `between`, which may wait.
 * @throws ArgumentError when there is no loader.
 */
export async function evaluate(
  op: string,
  model: Model,
  loader: Loader | undefined,
  body: (batch: Batch) => void,
  between: () => Promise<void> | undefined = () => undefined,
): Promise<void> {
  const batches = requireLoader(op, loader).epoch(0);
  model.eval();
  const inFlight = new InFlight<void>();
  for await (const batch of batches) {
    inScope(() => {
      noGrad(() => {
        body(batch);
      });
    });
    inFlight.add(batch.x.device.synchronize());
    await between();
    await inFlight.settle(batchesInFlight);
  }
  await inFlight.settle(0);
}

/** Frees what `body` makes. */
function inScope(body: () => void): void {
  using _scope = openScope();
  body();
}

/** Results of a model for a whole loader, on the host. */
export interface Predictions {
  /** Row-major, `[samples, ...shape]`. */
  readonly predictions: Float32Array<ArrayBuffer>;
  /** The shape of one sample's result. */
  readonly shape: readonly number[];
  /** The targets of all samples, row-major. */
  readonly targets: Float32Array<ArrayBuffer>;
}

/** See `Learner.getPreds`; `predict` makes the result for a batch. */
export async function collectPredictions(
  model: Model,
  loader: Loader | undefined,
  predict: (x: Tensor) => Tensor,
): Promise<Predictions> {
  const predictions: Promise<ArrayLike<number>>[] = [];
  const targets: Promise<ArrayLike<number>>[] = [];
  let shape: readonly number[] = [];
  await evaluate("getPreds", model, loader, ({ x, y }) => {
    const result = predict(x);
    shape = result.shape.slice(1);
    predictions.push(awaitedLater(result.data()));
    targets.push(awaitedLater(y.data()));
  });
  return {
    predictions: joined(await Promise.all(predictions)),
    shape,
    targets: joined(await Promise.all(targets)),
  };
}

function joined(parts: readonly ArrayLike<number>[]): Float32Array<ArrayBuffer> {
  const all = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
