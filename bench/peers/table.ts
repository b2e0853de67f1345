/** @file The rows of the benchmark as text: one column for each peer, a cell of a few lines. Pure. */
import { milliseconds } from "../report/table.ts";
import type { Outcome, Row } from "./measure.ts";
import type { PeerName } from "./peer.ts";

const nameWidth = 31;
const cellWidth = 22;

/** The names of the peers over their columns. */
export function formatHeader(group: string, peers: readonly PeerName[]): string {
  return [`${group}\n${"".padEnd(nameWidth)}`, ...peers.map((peer) => peer.padEnd(cellWidth))]
    .join("")
    .trimEnd();
}

/**
 * A row: time and spread over speed and ratio. The ratio is the time over that of the first column, so above 1 the first is faster. Where
 * there is no time, the cell says why.
 */
export function formatRow(row: Row): string {
  const [base] = row.outcomes;
  const cells = row.outcomes.map((outcome) => cellLines(row, outcome, base));
  const columns = [wrapped(row.name, nameWidth - 2), ...cells];
  const height = Math.max(...columns.map((lines) => lines.length));
  const lines = Array.from({ length: height }, (_, i) =>
    columns
      .map((lines, column) => (lines[i] ?? "").padEnd(column === 0 ? nameWidth : cellWidth))
      .join("")
      .trimEnd(),
  );
  return lines.join("\n");
}

function cellLines(row: Row, outcome: Outcome, base: Outcome | undefined): string[] {
  if (outcome.kind === "refused") return wrapped(outcome.reason, cellWidth - 2);
  const { ms, spread, hostMs } = outcome;
  const ratio =
    base === outcome || base?.kind !== "timed" ? [] : [`${milliseconds(ms / base.ms)} x`];
  const plusMinus = `±${(100 * spread).toFixed(0)} %`;
  if (row.adds !== undefined) {
    const each = (value: number): string => `${milliseconds((1000 * value) / (row.adds ?? 1))} us`;
    return [`${each(ms)} an op ${plusMinus}`, [`host ${each(hostMs)}`, ...ratio].join(", ")];
  }
  const speed = `${(row.flops / ms / 1e6).toFixed(1)} GFLOP/s`;
  return [`${milliseconds(ms)} ms ${plusMinus}`, [speed, ...ratio].join(", ")];
}

/** Lines of at most `width` characters, broken between words where that is possible. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ").flatMap((long) => pieces(long, width))) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function pieces(word: string, width: number): string[] {
  const count = Math.max(1, Math.ceil(word.length / width));
  return Array.from({ length: count }, (_, i) => word.slice(i * width, (i + 1) * width));
}
