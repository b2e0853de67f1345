/** @file Images to a batch on the device: as bytes, a quarter of what floats would be, made floats there. */
import {
  defineKernel,
  defineOp,
  linearGrid,
  ShapeError,
  type Device,
  type Shape,
  type Tensor,
  zeros,
} from "../../engine/index.ts";
import source from "../../shaders/vision/unpack-bytes.wgsl";
import { greyOf, type ImageChannels, type RgbImage } from "./rgb-image.ts";

const kernel = defineKernel({
  name: "vision/unpack-bytes",
  source,
  grid: ({ words }) => linearGrid(words as number, 64),
});

/** `out[4 i + k] = byte k of x[i] / 255` */
const unpackBytes = defineOp<readonly [Tensor], Shape>({
  name: "unpackBytes",
  output: (_, shape) => ({ shape, dtype: "f32" }),
  forward: ([x], out) => {
    kernel({ x, out }, { words: x.size });
    return {};
  },
  gradient: null,
});

/**
 * One tensor `[n, height, width, channels]`, f32, pixels from 0 to 1, of images of one size; with one channel, of their grey values.
 *
 * @param names what the images are called in the error.
 * @throws ShapeError when their sizes differ, or there is none.
 */
export function imagesToDevice(
  images: readonly RgbImage[],
  names: readonly string[],
  device: Device,
  channels: ImageChannels,
): Tensor {
  const [{ width, height } = { width: 0, height: 0 }] = images;
  const odd = images.findIndex((image) => image.width !== width || image.height !== height);
  const other = images[odd];
  if (other !== undefined || images.length === 0) {
    throw new ShapeError(
      "imagesToDevice",
      other === undefined
        ? "there is no image: 0 images"
        : `the images of a batch differ in size: ${names[0] ?? ""} has ${width} x ${height} pixels, ${names[odd] ?? ""} ${other.width} x ${other.height}`,
      "Bring them to one size, for example by itemTfms: [new Resize(224)]",
    );
  }
  const parts = images.map((image) => (channels === 1 ? greyOf(image) : image.data));
  const bytes = joined(parts, width * height * channels);
  const packed = zeros([bytes.length / 4], { dtype: "u32", device });
  try {
    // Not through `tensor`, which would look at each of two million words.
    const { buffer, byteOffset } = packed.memory("imagesToDevice");
    device.recorder.write(buffer, byteOffset, bytes);
    return unpackBytes([packed], [images.length, height, width, channels]);
  } finally {
    packed.release("imagesToDevice");
  }
}

/** All bytes one after another, filled up with zeros to whole words, of which the lowest byte is the first one, on every host. */
function joined(parts: readonly Uint8Array[], bytesEach: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 * Math.ceil((parts.length * bytesEach) / 4));
  parts.forEach((data, i) => {
    bytes.set(data, i * bytesEach);
  });
  return bytes;
}
