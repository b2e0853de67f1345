/** @file RandomErasing: boxes of noise in place of what was there. Formula: `shaders/augment/random-erasing.wgsl`. */
import source from "../../shaders/augment/random-erasing.wgsl";
import {
  ArgumentError,
  defineKernel,
  defineOp,
  linearGrid,
  tensor,
  type Tensor,
} from "../../engine/index.ts";
import type { BatchTransform } from "../batch-transform.ts";
import type { Xoshiro128 } from "../random.ts";
import { checkImages } from "./check-images.ts";

export interface RandomErasingOptions {
  /** The probability that an image is changed. Default: 0.5. */
  readonly p?: number;
  /** The least part of the image's area that is erased. Default: 0. */
  readonly sl?: number;
  /** The greatest part. Default: 0.3. */
  readonly sh?: number;
  /** Height over width of a box is from `minAspect` to `1 / minAspect`. Default: 0.3. */
  readonly minAspect?: number;
  /** At most so many boxes share the area. Default: 1. */
  readonly maxCount?: number;
}

interface ErasingAttributes {
  readonly boxesOfImage: number;
  readonly key: readonly [low: number, high: number];
}

const kernel = defineKernel({
  name: "random-erasing",
  source,
  grid: ({ blocks }) => linearGrid(blocks as number, 64),
});

const eraseOp = defineOp<readonly [x: Tensor, boxes: Tensor], ErasingAttributes>({
  name: "randomErasing",
  output: ([x]) => ({ shape: x.shape }),
  forward: ([x, boxes], out, { boxesOfImage, key: [key_low, key_high] }) => {
    const [, height = 0, width = 0, channels = 0] = x.shape;
    const blocks = Math.ceil(x.size / 4);
    const params = { blocks, height, width, channels, key_low, key_high };
    kernel({ x, boxes, out }, { ...params, boxes_of_image: boxesOfImage });
    return {};
  },
  gradient: null,
});

/**
 * Puts noise of the standard normal distribution into random boxes of images, in training only. For normalized pixels, hence the order
 * 100. Draws for each image; fastai draws once for the whole batch. Source: fastai, RandomErasing; arXiv 1708.04896.
 *
 *     count     1..maxCount, each equally likely
 *     area      uniform in sl..sh, times the image's area, divided by count, for each box
 *     aspect    exp(u), u uniform in ln(minAspect)..-ln(minAspect)
 *     height    round(sqrt(area aspect)), width round(sqrt(area / aspect)), anywhere in the image, cut off where they are longer
 */
export class RandomErasing implements BatchTransform {
  readonly name = "RandomErasing";
  readonly order = 100;
  readonly trainingOnly = true;
  readonly settings: Readonly<Required<RandomErasingOptions>>;

  /** @throws ArgumentError for options outside their domain. */
  constructor({
    p = 0.5,
    sl = 0,
    sh = 0.3,
    minAspect = 0.3,
    maxCount = 1,
  }: RandomErasingOptions = {}) {
    const holds =
      p >= 0 && p <= 1 && sl >= 0 && sl <= sh && sh <= 1 && minAspect > 0 && minAspect <= 1;
    if (!holds || !Number.isSafeInteger(maxCount) || maxCount < 1) {
      throw new ArgumentError(
        "RandomErasing",
        `an option is outside its domain: p ${p}, sl ${sl}, sh ${sh}, minAspect ${minAspect}, maxCount ${maxCount}`,
        "Use 0 <= p <= 1, 0 <= sl <= sh <= 1, 0 < minAspect <= 1 and a whole maxCount >= 1",
      );
    }
    this.settings = { p, sl, sh, minAspect, maxCount };
  }

  /** @throws ShapeError, DTypeError unless x is f32 [n, height, width, channels]. */
  apply(x: Tensor, random: Xoshiro128): Tensor {
    checkImages("randomErasing", x);
    const [count = 0] = x.shape;
    const { maxCount } = this.settings;
    const boxes = new Uint32Array(4 * maxCount * count);
    for (let i = 0; i < count; i++) {
      if (random.uniform() >= this.settings.p) continue;
      boxes.set(this.#boxes(x, random), 4 * maxCount * i);
    }
    if (boxes.every((edge) => edge === 0)) return x;
    const table = tensor(boxes, { device: x.device });
    // 53 bits, as a seed of the engine's Generator, whose numbers these are.
    const key = [random.nextUint32(), random.nextUint32() >>> 11] as const;
    const out = eraseOp([x, table], { boxesOfImage: maxCount, key });
    table.release("randomErasing");
    return out;
  }

  /** First row, end row, first column, end column of each box. */
  #boxes({ shape: [, height = 0, width = 0] }: Tensor, random: Xoshiro128): number[] {
    const { sl, sh, minAspect, maxCount } = this.settings;
    const count = 1 + random.below(maxCount);
    return Array.from({ length: count }, () => {
      const area = ((sl + (sh - sl) * random.uniform()) * height * width) / count;
      const aspect = minAspect ** (2 * random.uniform() - 1);
      return [
        ...stretch(Math.sqrt(area * aspect), height, random),
        ...stretch(Math.sqrt(area / aspect), width, random),
      ];
    }).flat();
  }
}

/** First and end of a stretch of this length, rounded, anywhere in 0..size. */
function stretch(length: number, size: number, random: Xoshiro128): [number, number] {
  const whole = Math.min(size, Math.round(length));
  const first = random.below(size - whole + 1);
  return [first, first + whole];
}
