/** @file A square convolution of a ResNet: sizes and operations. Pure. */

/** Images [batch, size, size, inChannels], a kernel of `kernel` x `kernel`, zeros of half of it around the image, no bias. */
export interface Convolution {
  readonly batch: number;
  readonly size: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernel: number;
  readonly stride: number;
}

/** `kernel` x `kernel` stays centred on a pixel. */
export function paddingOf(kernel: number): number {
  return (kernel - 1) / 2;
}

/** Rows, and columns, of the result. */
export function outSize({
  size,
  kernel,
  stride,
}: Pick<Convolution, "size" | "kernel" | "stride">): number {
  return Math.floor((size + 2 * paddingOf(kernel) - kernel) / stride) + 1;
}

/** Two for each product of an output with one weight; products with padding count, as they do everywhere. */
export function convolutionFlops(convolution: Convolution): number {
  const { batch, inChannels, outChannels, kernel } = convolution;
  return 2 * batch * outSize(convolution) ** 2 * outChannels * kernel ** 2 * inChannels;
}

export interface ConvolutionShapes {
  /** NHWC. */
  readonly x: readonly number[];
  /** [kernel, kernel, inChannels, outChannels]. */
  readonly w: readonly number[];
  /** NHWC. */
  readonly y: readonly number[];
}

export function convolutionShapes(convolution: Convolution): ConvolutionShapes {
  const { batch, size, inChannels, outChannels, kernel } = convolution;
  const out = outSize(convolution);
  return {
    x: [batch, size, size, inChannels],
    w: [kernel, kernel, inChannels, outChannels],
    y: [batch, out, out, outChannels],
  };
}
