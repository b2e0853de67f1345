/**
 * @file Decoding images through sharp. It runs in the threads of libuv's pool (4, or what UV_THREADPOOL_SIZE says), so that
 * JavaScript's thread is free meanwhile. Node only.
 */
import { readFile } from "node:fs/promises";
import type { Sharp } from "sharp";
import { ArgumentError } from "../../engine/index.ts";
import { placeAll, sourceName, type LoadImage } from "./load-image.ts";
import {
  centreBox,
  type ItemTransform,
  type Placement,
  type PlacementContext,
  type Size,
} from "./item-transform.ts";
import { otherFormat } from "./other-formats.ts";
import { checkRgbImage, type Box, type RgbImage } from "./rgb-image.ts";
import { loadSharp } from "./sharp.ts";

export interface DecodeOptions {
  /**
   * Turns the picture as its EXIF orientation says. fastai does not, and what was trained without should be used without. Default:
   * false.
   */
  readonly applyExif?: boolean;
  /** Largest picture that is decoded, in pixels; a few bytes can claim billions. Default: 178,956,970, as in Pillow. */
  readonly maxPixels?: number;
  /** Resizes by PIL's rule to the bit, in JavaScript's thread: slower, 4 to 20 ms for a photo. Default: false. */
  readonly exactResize?: boolean;
}

const defaultMaxPixels = 178_956_970;

/** An image whose header was read. */
interface Opened {
  readonly name: string;
  readonly size: Size;
  readonly hasAlpha: boolean;
  /** A new pipeline; a pipeline can run once. */
  start(): Sharp;
}

/**
 * Decodes JPEG, PNG, WebP, GIF, AVIF or TIFF; the content decides, not the file's name. Grey, palette, CMYK and 16 bits become RGB of
 * 8 bits (16 bits by their upper 8); transparency is dropped, as PIL's `convert("RGB")` does, not blended with a background; of
 * animations and files of several pages the first one is taken. Embedded colour profiles are ignored, as in PIL; CMYK without one goes
 * through a standard profile, where PIL has a simpler formula.
 *
 * @throws ArgumentError, with the file's name, when it cannot be read, is empty, no image, of another format, truncated, or larger than
 * `maxPixels`.
 */
export async function decodeImage(
  source: string | Uint8Array,
  options: DecodeOptions = {},
): Promise<RgbImage> {
  return decodeWhole(await open(source, options));
}

/**
 * Decodes an image, and refuses also what decoders warn of in JPEG: data whose codes make no sense, so that a part of the picture is
 * wrong. Stray bytes before a marker or behind the end are no such thing. Errors as of `decodeImage`.
 */
export async function checkImage(
  source: string | Uint8Array,
  options: DecodeOptions,
): Promise<void> {
  await decodeWhole(await open(source, options, "warning"));
}

/**
 * The `LoadImage` of Node: the first transform is carried out while decoding, near PIL's result unless `exactResize` asks for it to the
 * bit; docs/data.md has the differences.
 */
export function imageFileLoader(options: DecodeOptions = {}): LoadImage {
  return async (source, transforms, context) => {
    if (typeof source === "string" || source instanceof Uint8Array) {
      const opened = await open(source, options);
      return loadPlaced(opened, transforms, context, options.exactResize ?? false);
    }
    checkRgbImage("decodeImage", source);
    return placeAll(source, transforms, context);
  };
}

/**
 * Crops and resizes within sharp where its rule for shrinking is near that of PIL: the box lies in the picture, and no side of it grows.
 * Otherwise the pixels are resized here, as PIL does. Over 31 photos, cropped or squished to 64, 128 and 224 pixels, sharp's result
 * differs from PIL's rule by 0.21 to 0.54 of 255 on average and by 8 to 25 at most, at edges; test/data/vision/resize.test.ts prints it.
 */
async function loadPlaced(
  opened: Opened,
  transforms: readonly ItemTransform[],
  context: PlacementContext,
  exact: boolean,
): Promise<RgbImage> {
  const [first, ...rest] = transforms;
  if (first === undefined) return decodeWhole(opened);
  const placement = first.place(opened.size, context);
  if (exact || !sharpCan(opened.size, placement)) {
    const whole = await decodeWhole(opened);
    return placeAll(whole, [{ ...named(first), place: () => placement }, ...rest], context);
  }
  return placeAll(await placeBySharp(opened, placement), rest, context);
}

function named({ name, settings }: ItemTransform): Pick<ItemTransform, "name" | "settings"> {
  return { name, settings };
}

function sharpCan(size: Size, { box, resized }: Placement): boolean {
  const isInside =
    box.left >= 0 &&
    box.top >= 0 &&
    box.left + box.width <= size.width &&
    box.top + box.height <= size.height;
  const shrinks = resized.width <= box.width && resized.height <= box.height;
  return isInside && shrinks;
}

/** A box that is cut out first keeps libvips from shrinking while it decodes, which would be another rule. */
async function placeBySharp(opened: Opened, placement: Placement): Promise<RgbImage> {
  const { box, resized, centre } = placement;
  const cut = (opened.hasAlpha ? await withoutAlpha(opened) : opened.start())
    .extract(asExtract(box))
    .resize({ ...resized, fit: "fill", kernel: "linear", fastShrinkOnLoad: false });
  const middle = centre === undefined ? cut : cut.extract(asExtract(centreBox(resized, centre)));
  return pixelsOf(opened, middle);
}

/** Decoded whole: sharp would weight the colours with their transparency when it resizes, which PIL does not. */
async function withoutAlpha(opened: Opened): Promise<Sharp> {
  const { width, height, data } = await decodeWhole(opened);
  const sharp = await loadSharp("decodeImage");
  return sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
}

function asExtract({ left, top, width, height }: Box): Box {
  return { left, top, width, height };
}

function decodeWhole(opened: Opened): Promise<RgbImage> {
  return pixelsOf(opened, opened.start());
}

async function pixelsOf({ name }: Opened, pipeline: Sharp): Promise<RgbImage> {
  try {
    const { data, info } = await pipeline
      .removeAlpha()
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    const image = { width: info.width, height: info.height, data };
    checkRgbImage("decodeImage", image);
    return image;
  } catch (error) {
    throw damaged(name, error);
  }
}

async function open(
  source: string | Uint8Array,
  { applyExif = false, maxPixels = defaultMaxPixels }: DecodeOptions,
  failOnInJpeg: "warning" | "error" = "error",
): Promise<Opened> {
  const sharp = await loadSharp("decodeImage");
  const name = sourceName(source, 0).replace("image 0 ", "the image ");
  // Bytes, not the path: libvips would remember a file by its name, and give the old picture after a change.
  const bytes = typeof source === "string" ? await read(source) : source;
  if (bytes.length === 0) {
    throw new ArgumentError(
      "decodeImage",
      `${name} is empty: 0 bytes`,
      "Copy or download it again, or delete it",
    );
  }
  const isJpeg = bytes[0] === 0xff && bytes[1] === 0xd8;
  const failOn = isJpeg ? failOnInJpeg : "error";
  const options = { failOn, ignoreIcc: true, limitInputPixels: false } as const;
  const start = () => {
    const pipeline = sharp(bytes, options);
    return applyExif ? pipeline.autoOrient() : pipeline;
  };
  const metadata = await start()
    .metadata()
    .catch((error: unknown) => {
      throw unsupported(name, bytes) ?? damaged(name, error);
    });
  checkFormat(name, metadata.format);
  const size = applyExif ? metadata.autoOrient : metadata;
  checkPixels(name, size, maxPixels);
  const { width, height } = size;
  return { name, size: { width, height }, hasAlpha: metadata.hasAlpha, start };
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ArgumentError(
      "decodeImage",
      `${path} cannot be read: ${reason}`,
      "Check the path and who may read it",
    );
  }
}

/** Drawings and documents have no pixels of their own. */
function checkFormat(name: string, format: string): void {
  if (format === "svg" || format === "pdf") {
    throw new ArgumentError(
      "decodeImage",
      `${name} is a drawing, not an image of pixels: ${format}`,
      "Convert it to PNG",
    );
  }
}

function checkPixels(name: string, { width, height }: Size, maxPixels: number): void {
  if (width * height > maxPixels) {
    throw new ArgumentError(
      "decodeImage",
      `${name} has more than ${maxPixels} pixels: ${width} x ${height}`,
      "Make it smaller, or raise maxPixels",
    );
  }
}

function unsupported(name: string, bytes: Uint8Array): ArgumentError | undefined {
  const format = otherFormat(bytes);
  if (format === undefined) return undefined;
  return new ArgumentError(
    "decodeImage",
    `${name} is of a format that is not supported: ${format}`,
    "Convert it to PNG or JPEG",
  );
}

function damaged(name: string, error: unknown): ArgumentError {
  const [line = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
  // What sharp says where libvips' own words were taken by another thread.
  const reason = line.includes("failOn") ? "Corrupt JPEG data" : line;
  return new ArgumentError(
    "decodeImage",
    `${name} is damaged, or no image that can be decoded: ${reason}`,
    "Copy or download it again, convert it to JPEG or PNG, or delete it",
  );
}
