/** @file The table that a fit prints, column for column as fastai prints it in a terminal. */
import type { EpochRow } from "./recorder.ts";

/** Columns: epoch, train_loss, valid_loss and the metrics where there is a validation set, time. */
export function tableColumns(metricNames: readonly string[], withValidation: boolean): string[] {
  const validation = withValidation ? ["valid_loss", ...metricNames] : [];
  return ["epoch", "train_loss", ...validation, "time"];
}

/** `epoch     train_loss  valid_loss  accuracy  time    ` */
export function tableHead(columns: readonly string[]): string {
  return columns.map((column) => column.padEnd(8)).join("  ");
}

/** `0         0.173790    0.018827    0.005413  00:12     ` */
export function tableRow(columns: readonly string[], row: EpochRow): string {
  const { epoch, trainLoss, validLoss, metrics, seconds } = row;
  const found = validLoss === undefined ? [] : [validLoss, ...metrics].map((n) => n.toFixed(6));
  const validation = Array.from({ length: columns.length - 3 }, (_, i) => found[i] ?? "None");
  const cells = [String(epoch), trainLoss.toFixed(6), ...validation, formatTime(seconds)];
  return cells.map((cell, i) => cell.padEnd((columns[i] ?? "").padEnd(8).length + 2)).join("");
}

/** `mm:ss`, from an hour on `h:mm:ss`. */
export function formatTime(seconds: number): string {
  const whole = Math.floor(seconds);
  const hours = Math.floor(whole / 3600);
  const two = (n: number) => String(n % 60).padStart(2, "0");
  const rest = `${two(Math.floor(whole / 60))}:${two(whole)}`;
  return hours === 0 ? rest : `${hours}:${rest}`;
}
