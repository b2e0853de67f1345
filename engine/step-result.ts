/** @file What a captured step returns: tensors, walked without knowing their names. */
import { Tensor } from "./tensor.ts";

/** What a step may return: a tensor, several by name, or nothing. */
// eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- a function without `return` returns void
export type StepResult = Tensor | void | undefined | Readonly<Record<string, Tensor | undefined>>;

/** All tensors of a result. */
export function tensorsIn(result: StepResult): Tensor[] {
  if (result === undefined) return [];
  if (result instanceof Tensor) return [result];
  return Object.values(result).filter((value) => value !== undefined);
}

/** The same arrangement of other tensors. */
export function mapResult<R extends StepResult>(result: R, map: (tensor: Tensor) => Tensor): R {
  if (result === undefined) return result;
  if (result instanceof Tensor) return map(result) as R;
  const entries = Object.entries(result);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, value === undefined ? value : map(value)]),
  ) as R;
}

/** For the caller, to be freed like the results of any op. */
export function viewsOf<R extends StepResult>(result: R): R {
  return mapResult(result, (tensor) => tensor.alias(tensor.shape, "capture"));
}
