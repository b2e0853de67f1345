/**
 * @file Schedules: how a hyper changes over a fit. A position runs from 0, before the first batch, to (just below) 1.
 * Source: fastai, callback/schedule.py.
 */
import { ArgumentError } from "../../engine/index.ts";

/** A value for each position from 0 to 1. */
export type Schedule = (position: number) => number;

/** `start + position * (end - start)`. */
export function schedLin(start: number, end: number): Schedule {
  return (position) => start + position * (end - start);
}

/** Half a period of a cosine from `start` to `end`: `start + (1 + cos(pi (1 - position))) (end - start) / 2`. */
export function schedCos(start: number, end: number): Schedule {
  return (position) => start + ((1 + Math.cos(Math.PI * (1 - position))) * (end - start)) / 2;
}

/** Always `start`. */
export function schedNo(start: number): Schedule {
  return () => start;
}

/** `start * (end / start)^position`; both must have the same sign and not be 0. */
export function schedExp(start: number, end: number): Schedule {
  return (position) => start * (end / start) ** position;
}

/** `start + (end - start) * position^power`. */
export function schedPoly(start: number, end: number, power: number): Schedule {
  return (position) => start + (end - start) * position ** power;
}

/** Sums of fractions and positions are rounded: the first batch of a part must not be the last one of the part before. */
const rounding = 1e-12;

/**
 * One schedule after another; each sees positions from 0 to 1 within its own part.
 *
 * @param fractions what part of the whole each takes; together 1.
 * @throws ArgumentError when the fractions are not that, or there are not as many as schedules.
 */
export function combineScheds(
  fractions: readonly number[],
  schedules: readonly Schedule[],
): Schedule {
  const total = fractions.reduce((sum, fraction) => sum + fraction, 0);
  const negative = fractions.some((fraction) => !(fraction >= 0));
  if (negative || Math.abs(total - 1) > 1e-9 || fractions.length !== schedules.length) {
    throw new ArgumentError(
      "combineScheds",
      `the parts do not make up a whole: [${fractions.join(", ")}] for ${schedules.length} schedules`,
      "Pass one fraction >= 0 for each schedule, together 1",
    );
  }
  return (position) => {
    let start = 0;
    let index = 0;
    while (index < fractions.length - 1 && position >= start + (fractions[index] ?? 0) - rounding) {
      start += fractions[index++] ?? 0;
    }
    return schedules[index]?.((position - start) / (fractions[index] ?? 1)) ?? NaN;
  };
}

/** A cosine from `start` to `middle` over the first `fraction`, then one from `middle` to `end`. */
export function combinedCos(
  fraction: number,
  start: number,
  middle: number,
  end: number,
): Schedule {
  const parts = [schedCos(start, middle), schedCos(middle, end)];
  return combineScheds([fraction, 1 - fraction], parts);
}
