/** @file Arguments of a learner that JavaScript lets pass and that would fail far from the call. */
import { ArgumentError } from "../../engine/index.ts";
import type { Metric } from "../metrics/metric.ts";
import type { Callback } from "./callback.ts";
import type { Loader } from "./loader.ts";

/** The callbacks. @throws ArgumentError unless they are a list of objects. */
export function checkCallbacks(op: string, callbacks: readonly Callback[]): readonly Callback[] {
  const wrong = firstWrong(callbacks, (value) => isObject(value) && !Array.isArray(value));
  if (wrong === undefined) return callbacks;
  throw new ArgumentError(
    op,
    `the callbacks are no list of callbacks: ${wrong}`,
    "Pass for example { callbacks: [new SaveBest()] }",
  );
}

/** The metrics, made where there is a function that makes one. @throws ArgumentError where there is something else. */
export function makeMetrics(metrics: readonly (Metric | (() => Metric))[]): Metric[] {
  const wrong = firstWrong(
    metrics,
    (value) => typeof value === "function" || hasMethods(value, ["reset", "update", "value"]),
  );
  if (wrong === undefined) {
    return metrics.map((metric) => (typeof metric === "function" ? metric() : metric));
  }
  throw new ArgumentError(
    "Learner",
    `the metrics are no list of metrics: ${wrong}`,
    "Pass for example { metrics: [accuracy] }",
  );
}

/** The loader. @throws ArgumentError when it is none. */
export function requireLoader(op: string, loader: Loader | undefined): Loader {
  if (hasMethods(loader, ["epoch"])) return loader as Loader;
  throw new ArgumentError(
    op,
    loader === undefined
      ? "there is no validation set: undefined"
      : `this is no loader: ${describeValue(loader)}`,
    "Pass a loader",
  );
}

export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** `"1e-3"`, `{"lr":0.1}`, `a SaveBest`, `the function accuracy`. */
export function describeValue(value: unknown): string {
  if (typeof value === "function") return `the function ${value.name}`;
  if (!isObject(value)) return typeof value === "string" ? JSON.stringify(value) : String(value);
  const { name = "Object" } = (value.constructor as { readonly name?: string } | undefined) ?? {};
  return name === "Object" || Array.isArray(value) ? JSON.stringify(value) : `a ${name}`;
}

/** Of a list, the first value that is not right, described; of what is no list, that. */
function firstWrong(list: unknown, isRight: (value: unknown) => boolean): string | undefined {
  if (!Array.isArray(list)) return describeValue(list);
  const i = list.findIndex((value) => !isRight(value));
  return i < 0 ? undefined : describeValue(list[i]);
}

function hasMethods(value: unknown, names: readonly string[]): boolean {
  if (!isObject(value)) return false;
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === "function");
}
