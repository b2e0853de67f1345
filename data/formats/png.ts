/** @file PNG through the package pngjs. Node only: its synchronous interface uses node:zlib. */
import { inflateSync } from "node:zlib";
import { PNG } from "pngjs";
import { ArgumentError } from "../../engine/index.ts";

/** Pixels, row by row from the top, channels last, 8 bits a channel, colours not premultiplied by alpha. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. */
  readonly channels: 1 | 2 | 3 | 4;
  /** `height * width * channels` bytes. */
  readonly data: Uint8Array;
}

/** PNG's colour types by number of channels. */
const colorTypes = { 1: 0, 2: 4, 3: 2, 4: 6 } as const;

/** Largest picture that is read or written: a gigabyte of RGBA. Its header alone could claim 2^62 pixels. */
const maxPixels = 2 ** 28;

export interface PngOptions {
  /**
   * How rows are prepared for compression: `"adaptive"` suits photos, `"none"` drawings of few colours. Default: adaptive.
   * Source: PNG specification, section 12.8 (filter selection).
   */
  readonly filter?: "adaptive" | "none";
}

/**
 * Writes pixels as PNG. The same pixels give the same bytes with the same zlib.
 *
 * @throws ArgumentError when the data do not fill the picture, or it has no or more than 2^28 pixels.
 */
export function encodePng(pixels: Pixels, options: PngOptions = {}): Uint8Array<ArrayBuffer> {
  const { width, height, channels, data } = pixels;
  checkSize("encodePng", width, height);
  if (data.length !== width * height * channels) {
    throw new ArgumentError(
      "encodePng",
      `${data.length} bytes do not fill ${width} x ${height} pixels of ${channels} channels`,
      `Pass ${width * height * channels} bytes`,
    );
  }
  const colorType = colorTypes[channels];
  const png = new PNG({ width, height });
  png.data = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const written = PNG.sync.write(png, {
    colorType,
    inputColorType: colorType,
    filterType: options.filter === "none" ? 0 : -1,
    deflateLevel: 9,
    deflateStrategy: 0,
  });
  return new Uint8Array(written);
}

/**
 * Reads a PNG of any colour type as RGBA, 8 bits a channel; 16 bits are rounded.
 *
 * @throws ArgumentError when the bytes are no PNG, are damaged, or the picture has more than 2^28 pixels.
 */
export function decodePng(bytes: Uint8Array): Pixels {
  const { width, height } = readSize(bytes);
  checkSize("decodePng", width, height);
  if (width * height > bytes.length * largestRatio) {
    damaged(`${bytes.length} bytes cannot hold ${width} x ${height} pixels`);
  }
  try {
    const { data, interlace, bpp, depth } = readPng(bytes);
    const rowBytes = 1 + Math.ceil((width * bpp * depth) / 8);
    if (!interlace) checkComplete(bytes, rowBytes * height);
    return { width, height, channels: 4, data: new Uint8Array(data) };
  } catch (error) {
    return damaged(error instanceof Error ? error.message : "its compressed data are wrong");
  }
}

/** Most pixels that a byte of PNG can hold: deflate makes at most 1032 bytes of one, each of 8 pixels of 1 bit. */
const largestRatio = 1032 * 8;

/** What pngjs gives besides what its types say: channels (`bpp`) and bits (`depth`) of the file's pixels. */
type PngFile = PNG & { readonly interlace: boolean; readonly bpp: number; readonly depth: number };

function readPng(bytes: Uint8Array): PngFile {
  return PNG.sync.read(Buffer.from(bytes));
}

/** pngjs takes uninitialised memory for rows that a file lacks; so its data are counted here, after its chunks were checked. */
function checkComplete(bytes: Uint8Array, expectedBytes: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  for (let begin = 8; begin + 8 <= bytes.length; begin += 12 + view.getUint32(begin)) {
    const isData = view.getUint32(begin + 4) === 0x49444154; // "IDAT"
    if (isData) parts.push(bytes.subarray(begin + 8, begin + 8 + view.getUint32(begin)));
  }
  const found = inflateSync(Buffer.concat(parts), { maxOutputLength: expectedBytes }).length;
  if (found !== expectedBytes)
    throw new Error(`it has ${found} bytes of pixels, not ${expectedBytes}`);
}

function damaged(problem: string): never {
  throw new ArgumentError(
    "decodePng",
    `the PNG is damaged: ${problem}`,
    "Copy or download it again",
  );
}

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Size from the header, which the format demands to come first: signature, length, "IHDR", width, height. */
function readSize(bytes: Uint8Array): { width: number; height: number } {
  if (bytes.length < 24 || signature.some((byte, i) => bytes[i] !== byte)) {
    throw new ArgumentError(
      "decodePng",
      "the bytes do not begin as a PNG does",
      "Pass the bytes of a PNG file",
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

function checkSize(op: string, width: number, height: number): void {
  const whole = Number.isInteger(width) && Number.isInteger(height);
  if (!whole || width < 1 || height < 1 || width * height > maxPixels) {
    throw new ArgumentError(
      op,
      `the size is out of range: ${width} x ${height} pixels`,
      `Use from 1 to ${maxPixels} pixels in all`,
    );
  }
}
