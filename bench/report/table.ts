/** @file Tables for the terminal. */
import type { Row } from "../row.ts";

/** Columns as wide as their longest cell; all but the first `textColumns` to the right. */
export function formatColumns(rows: readonly (readonly string[])[], textColumns: number): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column < textColumns
            ? cell.padEnd(widths[column] ?? 0)
            : cell.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export const rowHeader = [
  ...["op", "shape", "variant"],
  ...["GPU ms", "±", "wall ms", "GFLOP/s", "GB/s", "limit", "runs", "error"],
] as const;

/** Share of the limit with the limit's name; "*" after the variant that wgrad chooses by itself. */
export function rowCells(row: Row): readonly string[] {
  const limit = row.bound === "compute" ? "FMA" : "copy";
  return [
    row.op,
    row.shape,
    `${row.variant}${row.chosen ? "" : " (not chosen)"}`,
    milliseconds(row.gpuMs),
    `${(100 * row.spread).toFixed(1)} %`,
    milliseconds(row.wallMs),
    row.gflops === undefined ? "" : row.gflops.toFixed(1),
    row.gbps.toFixed(1),
    row.share === undefined ? "" : `${(100 * row.share).toFixed(0)} % ${limit}`,
    `${row.rounds} x ${row.repetitions}`,
    row.error === undefined ? "" : row.error.toExponential(0),
  ];
}

/** Three digits that count. */
export function milliseconds(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toPrecision(3);
}
