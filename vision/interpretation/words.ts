/** @file What a classifier confuses, in words. */
import type { ClassificationInterpretation, JudgedImage } from "./interpretation.ts";

/** More classes than this have no matrix: nobody reads it. */
const mostClasses = 40;
/** Wider matrices have numbers over their columns instead of names. In letters. */
const widest = 100;

/** The share of errors, the confusion matrix, the pairs that are confused most, and the worst images. */
export function interpretationText(interpretation: ClassificationInterpretation): string {
  const { images, errors, vocab } = interpretation;
  const percent = (100 * errors.length) / images.length;
  const pairs = interpretation
    .mostConfused()
    .slice(0, 10)
    .map(({ actual, predicted, count }) => `  ${count} x ${actual} taken for ${predicted}`);
  return [
    `${images.length} images, ${errors.length} wrong (${percent.toFixed(2)} %)`,
    ...(vocab.length <= mostClasses ? ["", ...matrixLines(interpretation)] : []),
    ...(pairs.length === 0 ? [] : ["", "most confused", ...pairs]),
    "",
    topLossesText(interpretation, 5),
  ].join("\n");
}

/** See `ClassificationInterpretation.topLossesText`. */
export function topLossesText(interpretation: ClassificationInterpretation, count: number): string {
  const worst = interpretation.topLosses(count);
  const named = (index: number, probability: number): string =>
    `${interpretation.nameOf(index)} ${probability.toFixed(2)}`;
  const rows = worst.map((judged) => [
    judged.loss.toFixed(2),
    named(judged.predicted, judged.predictedProbability),
    named(judged.actual, judged.actualProbability),
    placeOf(judged),
  ]);
  return ["top losses", ...columns([["loss", "predicted", "actual", "image"], ...rows])].join("\n");
}

function placeOf({ file, item }: JudgedImage): string {
  return file ?? `number ${item}`;
}

/** The first column to the right, the others to the left. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widthOf = (column: number): number =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0));
  return rows.map((row) => {
    const cells = row.map((cell, i) =>
      i === 0 ? cell.padStart(widthOf(i)) : cell.padEnd(widthOf(i)),
    );
    return `  ${cells.join("  ")}`.trimEnd();
  });
}

/** `matrix[actual][predicted]`: what is right in brackets, points for 0. Over many classes stand numbers, which the rows explain. */
function matrixLines(interpretation: ClassificationInterpretation): string[] {
  const names = interpretation.vocab.map(String);
  const cells = interpretation
    .confusionMatrix()
    .map((row, i) => row.map((count, j) => cellText(count, i === j)));
  const width = names.reduce((sum, { length }) => sum + 1 + Math.max(4, length), 0);
  const short = width > widest;
  const rowNames = short ? names.map((name, i) => `${String(i).padStart(2)} ${name}`) : names;
  const head = Math.max("actual".length, ...rowNames.map(({ length }) => length));
  const titles = names.map((name, i) => (short ? `${i} ` : `${name} `));
  const widths = titles.map(({ length }, j) =>
    Math.max(length, ...cells.map((row) => row[j]?.length ?? 0)),
  );
  const line = (name: string, values: readonly string[]): string =>
    [name.padEnd(head), ...values.map((value, j) => value.padStart(widths[j] ?? 0))]
      .join(" ")
      .trimEnd();
  return [
    `${"".padEnd(head)}  predicted`,
    line("actual", titles),
    ...cells.map((row, i) => line(rowNames[i] ?? "", row)),
  ];
}

function cellText(count: number, isRight: boolean): string {
  if (isRight) return `[${count}]`;
  return count === 0 ? ". " : `${count} `;
}
