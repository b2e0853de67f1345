/** @file CSV as RFC 4180 describes it. Written with `\n` between rows; read with `\r\n`, too. */
import { ArgumentError } from "../../engine/index.ts";

/**
 * One row a line, a header first. A field with a comma, a quote or a line break is quoted, its quotes doubled. Numbers are
 * written as JavaScript prints them, the shortest text that reads back as the same double; `undefined` is an empty field.
 *
 * Source: https://www.rfc-editor.org/rfc/rfc4180
 */
export function encodeCsv(
  columns: readonly string[],
  rows: readonly (readonly (string | number | undefined)[])[],
): string {
  return [columns, ...rows].map((row) => `${row.map(encodeField).join(",")}\n`).join("");
}

function encodeField(value: string | number | undefined): string {
  const text = value === undefined ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export interface CsvReadOptions {
  /** One character between fields. Default: ",". */
  readonly delimiter?: string;
  /** What the text is called in errors. Default: "the text". */
  readonly name?: string;
}

/**
 * The rows of a CSV text, each a list of fields. Empty lines are passed over, and a byte order mark at the beginning, too.
 *
 * @throws ArgumentError when a quote is not closed, or something follows it in the field.
 */
export function decodeCsv(
  text: string,
  { delimiter = ",", name = "the text" }: CsvReadOptions = {},
): string[][] {
  const rows: string[][] = [];
  const field = fieldPattern(delimiter);
  let row: string[] = [];
  let at = text.startsWith("\ufeff") ? 1 : 0;
  while (at < text.length) {
    field.lastIndex = at;
    const [all = "", quoted, plain = "", end = ""] = field.exec(text) ?? [];
    if (all === "") {
      const line = text.slice(0, at).split("\n").length;
      throw new ArgumentError(
        "decodeCsv",
        `a quoted field in line ${line} of ${name} does not end as it should`,
        "Close the quote, and double quotes within a field",
      );
    }
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    at += all.length;
    if (end === delimiter && at < text.length) continue;
    if (end === delimiter) row.push("");
    if (row.length > 1 || row[0] !== "" || quoted !== undefined) rows.push(row);
    row = [];
  }
  return rows;
}

/** A quoted or a plain field, and what ends it: the delimiter, a line break, or the end of the text. */
function fieldPattern(delimiter: string): RegExp {
  if (delimiter.length !== 1 || /["\r\n]/.test(delimiter)) {
    throw new ArgumentError(
      "decodeCsv",
      `the delimiter is not one character: ${JSON.stringify(delimiter)}`,
      'Use ",", ";" or a tab',
    );
  }
  const mark = delimiter.replace(/[\\^\]-]/, "\\$&");
  return new RegExp(
    `(?:"((?:[^"]|"")*)"|([^"${mark}\\r\\n][^${mark}\\r\\n]*|))([${mark}]|\\r?\\n|$)`,
    "y",
  );
}
