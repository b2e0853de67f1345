/** @file CsvLogger: the table as CSV, with all digits. Source: fastai, callback/progress.py (`CSVLogger`). */
import type { Callback } from "./callback.ts";
import type { Learner } from "./learner.ts";
import { formatTime, tableColumns } from "./table.ts";

/**
 * Writes a line for each epoch, columns as in the table, numbers unrounded; a head comes before the first line, and again where a later
 * fit has other columns. What a fit has written before it was interrupted stays with whoever keeps it: after `learner.resume`, `text`
 * holds the epochs since then.
 */
export class CsvLogger implements Callback {
  readonly order = 60;
  readonly duringLrFind = false;
  /** All lines so far. */
  text = "";
  readonly #write: (text: string) => void;
  #head = "";

  /** @param write takes each line, its end included, for example to append it to a file. Default: only `text` keeps it. */
  constructor(write: (text: string) => void = () => undefined) {
    this.#write = write;
  }

  afterEpoch({ recorder, metrics, valid }: Learner): void {
    const row = recorder.rows.at(-1);
    if (row === undefined) return;
    const names = metrics.map(({ name }) => name);
    const head = tableColumns(names, valid !== undefined).join();
    if (head !== this.#head) this.#line(head);
    this.#head = head;
    const { epoch, trainLoss, validLoss, metrics: values, seconds } = row;
    const validation = valid === undefined ? [] : [validLoss, ...names.map((_, i) => values[i])];
    const cells = [epoch, trainLoss, ...validation.map((value) => value ?? "")];
    this.#line([...cells, formatTime(seconds)].join());
  }

  #line(line: string): void {
    this.text += `${line}\n`;
    this.#write(`${line}\n`);
  }
}
