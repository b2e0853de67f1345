/** @file Tables of file names and labels. Node only. */
import { readFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { ArgumentError } from "../../engine/index.ts";
import { decodeCsv } from "../formats/csv.ts";
import type { Splitter } from "./splitters.ts";
import type { Label } from "./vocab.ts";

/** A column by its name in the header, or by its index from 0 on. */
export type Column = string | number;

export interface CsvOptions {
  /** The table, within the folder. Default: "labels.csv". */
  readonly csvFname?: string;
  /** The first row has the names of the columns. Default: true. */
  readonly header?: boolean;
  /** Default: ",". */
  readonly delimiter?: string;
  /** File names; absolute paths stay what they are. Default: 0. */
  readonly fnCol?: Column;
  /** Labels; where all of them are whole numbers, they are ordered as such. Default: 1. */
  readonly labelCol?: Column;
  /**
   * Whether a file validates: `true`, `yes` or `1`, or else `false`, `no`, `0` or nothing, in upper or lower case. Default: a random
   * split.
   */
  readonly validCol?: Column;
  /** Put before each file name. Default: none. */
  readonly folder?: string;
  /** Put behind each file name, for example ".jpg". Default: none. */
  readonly suff?: string;
}

export interface LabelTable {
  readonly files: readonly string[];
  readonly labels: readonly Label[];
  readonly splitter: Splitter | undefined;
}

/** @throws ArgumentError when the table cannot be read, is malformed, lacks a column, or says neither yes nor no in `validCol`. */
export async function readLabelsCsv(path: string, options: CsvOptions): Promise<LabelTable> {
  const { csvFname = "labels.csv", header = true, delimiter = ",", validCol } = options;
  const file = join(path, csvFname);
  const rows = decodeCsv(await read(file), { delimiter, name: file });
  const titles = header ? rows.shift() : undefined;
  const column = (wanted: Column) => columnOf(file, rows, titles, wanted);
  const { folder = "", suff = "" } = options;
  return {
    files: column(options.fnCol ?? 0).map((name) => within(path, within(folder, `${name}${suff}`))),
    labels: asNumbers(column(options.labelCol ?? 1)),
    splitter: validCol === undefined ? undefined : splitterOf(file, column(validCol)),
  };
}

/** As Python joins paths: one that is absolute begins anew. */
function within(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path);
}

function columnOf(
  file: string,
  rows: readonly (readonly string[])[],
  titles: readonly string[] | undefined,
  wanted: Column,
): readonly string[] {
  const index = typeof wanted === "number" ? wanted : (titles?.indexOf(wanted) ?? -1);
  return rows.map((row, i) => {
    const field = row[index];
    if (field !== undefined) return field;
    throw new ArgumentError(
      "fromCsv",
      `row ${i + 1} of ${file} has no column ${wanted}: ${row.length} fields${titles === undefined ? "" : `, titles ${titles.join(", ")}`}`,
      "Correct the table, the column or the delimiter",
    );
  });
}

/** As pandas reads them: 10 comes after 9. */
function asNumbers(fields: readonly string[]): readonly Label[] {
  return fields.every((field) => /^-?(0|[1-9]\d{0,14})$/.test(field)) ? fields.map(Number) : fields;
}

function splitterOf(file: string, fields: readonly string[]): Splitter {
  const isValid = fields.map((field, i) => truthOf(file, i + 1, field));
  return () => {
    const where = (wanted: boolean) =>
      Uint32Array.from(isValid.flatMap((value, i) => (value === wanted ? [i] : [])));
    return { train: where(false), valid: where(true) };
  };
}

function truthOf(file: string, row: number, field: string): boolean {
  const text = field.trim();
  if (/^(true|yes|1)$/i.test(text)) return true;
  if (/^(false|no|0|)$/i.test(text)) return false;
  throw new ArgumentError(
    "fromCsv",
    `row ${row} of ${file} does not say whether the file validates: ${JSON.stringify(field)}`,
    "Use true or false, yes or no, 1 or 0 in the column validCol",
  );
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ArgumentError("fromCsv", `the table cannot be read: ${reason}`, "Check the path");
  }
}
