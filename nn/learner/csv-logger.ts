/** @file CsvLogger: the table as CSV, with all digits. Source: fastai, callback/progress.py (`CSVLogger`). */
import type { Callback, CallbackState, SavedCallbackState } from "./callback.ts";
import type { Learner } from "./learner.ts";
import { formatTime, tableColumns } from "./table.ts";

/**
 * Adds a line for each epoch, columns as in the table, numbers unrounded, within `fineTune` after one for its phase; a head comes before the
 * first line, and again where a later fit has other columns. The text is part of a checkpoint, so that after `learner.resume` it goes on
 * as if there had been no break.
 *
 * ```ts
 * const logger = new CsvLogger((text) => writeFile("history.csv", text));
 * await learner.fineTune(3, 2e-3, { callbacks: [logger] });
 * ```
 */
export class CsvLogger implements Callback {
  readonly order = 60;
  readonly duringLrFind = false;
  readonly stateName = "CsvLogger";
  /** All lines so far. */
  text = "";
  readonly #write: (text: string) => void | Promise<void>;
  #head = "";

  /**
   * @param write is handed the whole text after each epoch, for example to write a file anew; the fit waits. Default: only `text`
   * keeps it.
   */
  constructor(write: (text: string) => void | Promise<void> = () => undefined) {
    this.#write = write;
  }

  async afterEpoch({ recorder, metrics, valid, phase }: Learner): Promise<void> {
    const row = recorder.rows.at(-1);
    if (row === undefined) return;
    const names = metrics.map(({ name }) => name);
    const columns = tableColumns(names, valid !== undefined);
    const { epoch, trainLoss, validLoss, metrics: values, seconds } = row;
    const validation = valid === undefined ? [] : [validLoss, ...names.map((_, i) => values[i])];
    const cells = [epoch, trainLoss, ...validation.map((value) => value ?? "")];
    const [phaseColumn, phaseCell] = phase === undefined ? [[], []] : [["phase"], [phase]];
    this.#add([...phaseColumn, ...columns], [...phaseCell, ...cells, formatTime(seconds)]);
    await this.#write(this.text);
  }

  saveState(): SavedCallbackState {
    return { json: { text: this.text, head: this.#head } };
  }

  loadState({ json }: CallbackState): void {
    const { text, head } = json as { text: string; head: string };
    this.text = text;
    this.#head = head;
  }

  #add(columns: readonly string[], cells: readonly (string | number)[]): void {
    const head = columns.join();
    if (head !== this.#head) this.text += `${head}\n`;
    this.#head = head;
    this.text += `${cells.join()}\n`;
  }
}
