/**
 * @file Suggestions for a learning rate, from the curve of `lrFind`. Rules and constants are those of fastai's callback/schedule.py
 * (`minimum`, `steep`, `valley`, `slide`), as known from its source.
 */

/** Learning rates in ascending order and the smoothed loss at each. */
export interface LrCurve {
  readonly lrs: readonly number[];
  readonly losses: readonly number[];
}

/** Learning rates by fastai's four rules; NaN where a curve has fewer than two points. */
export interface LrSuggestions {
  /** A tenth of the one with the lowest loss. */
  readonly minimum: number;
  /** Where the loss falls fastest over the logarithm of the learning rate. */
  readonly steep: number;
  /** In the middle of the longest descent; fastai's default. */
  readonly valley: number;
  /** From the end leftwards, the first one before which the slope is about that of 15 steps further left. */
  readonly slide: number;
}

export function suggestLr(curve: LrCurve): LrSuggestions {
  if (curve.lrs.length < 2) return { minimum: NaN, steep: NaN, valley: NaN, slide: NaN };
  return {
    minimum: minimum(curve),
    steep: steep(curve),
    valley: valley(curve),
    slide: slide(curve),
  };
}

/** `lr(argmin loss) / 10` */
function minimum({ lrs, losses }: LrCurve): number {
  return (lrs[indexOfLeast(losses)] ?? NaN) / 10;
}

/** `lr(argmin of (loss[i+1] - loss[i]) / (ln lr[i+1] - ln lr[i]))` */
function steep({ lrs, losses }: LrCurve): number {
  const slopes = losses.slice(1).map((loss, i) => {
    const run = Math.log(lrs[i + 1] ?? NaN) - Math.log(lrs[i] ?? NaN);
    return (loss - (losses[i] ?? NaN)) / run;
  });
  return lrs[indexOfLeast(slopes)] ?? NaN;
}

/**
 * With `end` the end of the longest decreasing subsequence, of `length` losses, and `start = end - length`:
 *
 *     index = start + floor(third) + floor(third / 2),   third = (end - start) / 3
 */
function valley({ lrs, losses }: LrCurve): number {
  const lengths = losses.map(() => 1);
  let end = 0;
  losses.forEach((loss, i) => {
    for (let j = 0; j < i; j++) {
      const longer = (lengths[j] ?? 0) + 1;
      if (loss < (losses[j] ?? NaN) && (lengths[i] ?? 0) < longer) lengths[i] = longer;
    }
    if ((lengths[i] ?? 0) > (lengths[end] ?? 0)) end = i;
  });
  const length = lengths[end] ?? 1;
  const third = length / 3;
  const index = end - length + Math.floor(third) + Math.floor(third / 2);
  return lrs[Math.max(0, index)] ?? NaN;
}

/** Losses between the two ends of the interval of `slide`, and how much their slopes may differ. */
const slideWidth = 15;
const slideThreshold = 0.005;

/** Slides an interval from the right to the left, as long as the slopes of the loss at its ends differ. */
function slide({ lrs, losses }: LrCurve): number {
  const slopes = losses.map((_, i) => slopeAt(losses, i));
  let right = losses.length - 1;
  let left = right - slideWidth;
  let found = lrs[Math.max(0, left)] ?? NaN;
  const differ = () => Math.abs((slopes[right] ?? NaN) - (slopes[left] ?? NaN)) > slideThreshold;
  while (left >= 0 && differ()) {
    found = lrs[left] ?? NaN;
    right--;
    left--;
  }
  return found;
}

/** Half the difference of the neighbours; at the ends, the difference to the only one. Source: numpy.gradient. */
function slopeAt(values: readonly number[], i: number): number {
  const [before, after] = [Math.max(0, i - 1), Math.min(values.length - 1, i + 1)];
  return ((values[after] ?? NaN) - (values[before] ?? NaN)) / (after - before);
}

function indexOfLeast(values: readonly number[]): number {
  return values.reduce((least, value, i) => (value < (values[least] ?? NaN) ? i : least), 0);
}
