/** @file What a model consists of: its layers in the order in which they run, with shapes, parameters and multiply-adds. */
import { noGrad, openScope, zeros, type Shape, type Tensor } from "../engine/index.ts";
import { hookForward } from "./forward-hook.ts";
import { inEvaluation } from "./in-evaluation.ts";
import type { Module } from "./module.ts";

/** One call of a layer. */
export interface SummaryRow {
  /** Path of the layer: "layer1.0.conv1". */
  readonly name: string;
  /** Class of the layer: "Conv2d". */
  readonly type: string;
  readonly outputShape: Shape;
  /** Numbers in the layer's own parameters; 0 when the layer ran before and they were counted there. */
  readonly parameters: number;
  /** Those of them that are trained. */
  readonly trainable: number;
  /** Multiply-adds of this call. */
  readonly multiplyAdds: number;
}

export interface ModelSummary {
  readonly rows: readonly SummaryRow[];
  /** Numbers in all parameters, those of modules that did not run included. */
  readonly parameters: number;
  /** Those of them that are trained. */
  readonly trainable: number;
  /** Multiply-adds of one forward pass. */
  readonly multiplyAdds: number;
  /** The table. */
  toString(): string;
}

/**
 * Runs the model once on zeros, in evaluation mode and without recording, and reports each layer that ran: as fastai's
 * `learn.summary()`, with multiply-adds. Print it by `console.log(String(summary(model, [1, 224, 224, 3])))`.
 *
 * @param inputShape of one batch: [batch, height, width, channels]; shapes and multiply-adds are for this batch.
 * @throws whatever `model.forward` throws for such an input.
 */
export function summary(model: Module, inputShape: Shape): ModelSummary {
  const rows: SummaryRow[] = [];
  const counted = new Set<Tensor>();
  const stops: (() => void)[] = [];
  for (const [name, module] of model.namedModules()) {
    const children = module.namedChildren().size;
    if (children > 0 && ownParameters(module).length === 0) continue;
    stops.push(
      hookForward(module, (output, input) => {
        rows.push(rowOf(name, module, input.shape, output.shape, counted));
      }),
    );
  }
  try {
    runOnZeros(model, inputShape);
  } finally {
    for (const stop of stops) stop();
  }
  const all = model.parameters();
  const totals = {
    parameters: countNumbers(all),
    trainable: countNumbers(all.filter((tensor) => tensor.requiresGrad)),
    multiplyAdds: rows.reduce((sum, row) => sum + row.multiplyAdds, 0),
  };
  const toString = (): string => table(model.constructor.name, inputShape, rows, totals);
  return { rows, ...totals, toString };
}

function runOnZeros(model: Module, inputShape: Shape): void {
  using _scope = openScope();
  const [first] = model.parameters();
  inEvaluation(model, () =>
    noGrad(() =>
      model.forward(zeros(inputShape, first === undefined ? {} : { device: first.device })),
    ),
  );
}

function rowOf(
  name: string,
  module: Module,
  input: Shape,
  outputShape: Shape,
  counted: Set<Tensor>,
): SummaryRow {
  const fresh = ownParameters(module).filter((tensor) => !counted.has(tensor));
  for (const tensor of fresh) counted.add(tensor);
  return {
    name,
    type: module.constructor.name,
    outputShape,
    parameters: countNumbers(fresh),
    trainable: countNumbers(fresh.filter((tensor) => tensor.requiresGrad)),
    multiplyAdds: module.multiplyAdds(input, outputShape),
  };
}

/** Parameters in the module's own fields. */
function ownParameters(module: Module): Tensor[] {
  return Array.from(module.namedParameters())
    .filter(([name]) => !name.includes("."))
    .map(([, tensor]) => tensor);
}

function countNumbers(tensors: readonly Tensor[]): number {
  return tensors.reduce((sum, { size }) => sum + size, 0);
}

const headings = ["Layer", "Type", "Output shape", "Parameters", "Trainable", "Multiply-adds"];

/** Columns of words are aligned left, of numbers right. */
const firstNumberColumn = 3;

function table(
  title: string,
  inputShape: Shape,
  rows: readonly SummaryRow[],
  totals: Pick<ModelSummary, "parameters" | "trainable" | "multiplyAdds">,
): string {
  const cells = rows.map((row) => [
    row.name === "" ? "(the model)" : row.name,
    row.type,
    row.outputShape.join(" x "),
    grouped(row.parameters),
    row.parameters === 0
      ? ""
      : row.trainable === row.parameters
        ? "yes"
        : row.trainable === 0
          ? "no"
          : "partly",
    grouped(row.multiplyAdds),
  ]);
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...cells.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column < firstNumberColumn ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd();
  const rule = "-".repeat(
    line(headings.map((_, column) => "x".repeat(widths[column] ?? 0))).length,
  );
  const frozen = totals.parameters - totals.trainable;
  return [
    `${title} (input: ${inputShape.join(" x ")})`,
    rule,
    line(headings),
    rule,
    ...cells.map(line),
    rule,
    `Parameters: ${grouped(totals.parameters)}, of which trainable ${grouped(totals.trainable)}, frozen ${grouped(frozen)}`,
    `Multiply-adds: ${grouped(totals.multiplyAdds)}`,
  ].join("\n");
}

/** `21797672` as `21,797,672`. */
function grouped(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}
