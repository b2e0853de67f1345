/** @file CSV as RFC 4180 describes it, with `\n` between rows. Writing only. */

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
