/** @file Numbers in JSON, which knows no NaN and no infinity. */

/** The number, or its name where JSON has none for it. */
export function toJson(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

/** Undoes `toJson`; NaN for what is missing. */
export function fromJson(value: unknown): number {
  return typeof value === "number" || typeof value === "string" ? Number(value) : NaN;
}
