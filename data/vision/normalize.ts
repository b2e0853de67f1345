/** @file Normalisation of batches of images on the device. */
import {
  ArgumentError,
  div,
  formatShape,
  openScope,
  ShapeError,
  sub,
  tensor,
  type Tensor,
} from "../../engine/index.ts";
import type { BatchTransform, Json } from "../batch-transform.ts";
import type { ChannelStats } from "../transforms.ts";

/** Statistics of ImageNet's photos, which most pretrained models were trained with. Source: torchvision. */
export const imagenetStats: ChannelStats = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/** Statistics of CIFAR-10. Source: fastai, `vision/core.py`. */
export const cifarStats: ChannelStats = {
  mean: [0.491, 0.482, 0.447],
  std: [0.247, 0.243, 0.261],
};

/** `out[n, h, w, c] = (x[n, h, w, c] - mean[c]) / std[c]`, the last of the transforms that keep pixels pixels. */
export class Normalize implements BatchTransform {
  readonly name = "Normalize";
  readonly order = 99;
  readonly trainingOnly = false;
  readonly stats: ChannelStats;

  /** @throws ArgumentError when the lists differ in length, a number is not finite, or a std is not positive. */
  constructor({ mean, std }: ChannelStats) {
    const fits = mean.length > 0 && mean.length === std.length && mean.every(Number.isFinite);
    if (!fits || !std.every((s) => s > 0 && Number.isFinite(s))) {
      throw new ArgumentError(
        "Normalize",
        `mean and std do not fit: [${mean.join(", ")}] and [${std.join(", ")}]`,
        "Give one finite mean and one positive std for each channel",
      );
    }
    this.stats = { mean: [...mean], std: [...std] };
  }

  get settings(): Readonly<Record<string, Json>> {
    return { mean: this.stats.mean, std: this.stats.std };
  }

  /** @throws ShapeError unless the last axis has one channel for each mean. */
  apply(x: Tensor): Tensor {
    const { mean, std } = this.stats;
    if (x.shape.at(-1) !== mean.length) {
      throw new ShapeError(
        "Normalize",
        `statistics of ${mean.length} channels for images of shape ${formatShape(x.shape)}`,
        "Give one mean and std for each channel of the last axis",
      );
    }
    using scope = openScope();
    const { device } = x;
    const centred = sub(x, tensor([...mean], { device }));
    return scope.keep(div(centred, tensor([...std], { device })));
  }

  /** Whether both do the same. */
  equals(other: Normalize): boolean {
    return JSON.stringify(this.settings) === JSON.stringify(other.settings);
  }
}
