import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodePng, encodePng, type Pixels } from "../../data/node.ts";
import { ArgumentError } from "../../engine/index.ts";

const pictures: fc.Arbitrary<Pixels> = fc
  .tuple(
    fc.integer({ min: 1, max: 9 }),
    fc.integer({ min: 1, max: 9 }),
    fc.constantFrom(1 as const, 2 as const, 3 as const, 4 as const),
  )
  .chain(([width, height, channels]) => {
    const size = width * height * channels;
    return fc
      .uint8Array({ minLength: size, maxLength: size })
      .map((data) => ({ width, height, channels, data }));
  });

/** What a reader sees of a pixel: grey stands in all three colours, no alpha means opaque. */
function toRgba({ channels, data }: Pixels): number[] {
  return Array.from({ length: data.length / channels }, (_, i) => {
    const pixel = data.subarray(i * channels, (i + 1) * channels);
    const [first = 0, second = 0, third = 0, fourth = 0] = pixel;
    if (channels <= 2) return [first, first, first, channels === 2 ? second : 255];
    return [first, second, third, channels === 4 ? fourth : 255];
  }).flat();
}

/** 2 x 1 pixels, black and white, grey of 1 bit: written by hand after the specification, checksums by zlib.crc32. */
const tiny = Buffer.from(
  "89504e470d0a1a0a0000000d4948445200000002000000010100000000dc594227" +
    "0000000a49444154789c63700000004200412937f4ef0000000049454e44ae426082",
  "hex",
);

/** A grey PNG of 8 bits with these compressed data; the checksums are right. */
function greyFile(width: number, height: number, data: Uint8Array): Uint8Array {
  const header = Buffer.from([0, 0, 0, width, 0, 0, 0, height, 8, 0, 0, 0, 0]);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", data), chunk("IEND")]);
}

function chunk(type: string, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const word = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const body = Buffer.concat([Buffer.from(type), data]);
  return Buffer.concat([word(data.length), body, word(crc32(body))]);
}

/** Source: PNG specification, annex D. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : 0xedb88320);
  }
  return ~crc >>> 0;
}

describe("PNG", () => {
  it("gives back the pixels of every kind of picture", () => {
    fc.assert(
      fc.property(pictures, fc.constantFrom("adaptive", "none"), (picture, filter) => {
        const back = decodePng(encodePng(picture, { filter }));
        expect(back).toMatchObject({ width: picture.width, height: picture.height, channels: 4 });
        expect([...back.data]).toEqual(toRgba(picture));
      }),
    );
  });

  it("writes the colour type of its channels", () => {
    const colorType = (channels: 1 | 2 | 3 | 4) =>
      encodePng({ width: 1, height: 1, channels, data: new Uint8Array(channels) })[25];
    expect([colorType(1), colorType(2), colorType(3), colorType(4)]).toEqual([0, 4, 2, 6]);
  });

  it("reads a picture of one bit a pixel", () => {
    expect([...decodePng(tiny).data]).toEqual([0, 0, 0, 255, 255, 255, 255, 255]);
  });

  it("reads a damaged file as pixels or refuses it, nothing else", () => {
    const width = 16;
    const data = Uint8Array.from({ length: width * width * 3 }, (_, i) => (i * 7) % 256);
    const file = encodePng({ width, height: width, channels: 3, data });
    const check = (bytes: Uint8Array) => {
      try {
        const back = decodePng(bytes);
        expect(back.data.length).toBe(back.width * back.height * 4);
      } catch (error) {
        expect(error).toBeInstanceOf(ArgumentError);
      }
    };
    for (let length = 0; length < file.length; length++) check(file.subarray(0, length));
    fc.assert(
      fc.property(fc.nat({ max: file.length - 1 }), fc.nat({ max: 7 }), (position, bit) => {
        const damaged = new Uint8Array(file);
        damaged[position] = (damaged[position] ?? 0) ^ (1 << bit);
        check(damaged);
      }),
      { numRuns: 2000 },
    );
  });

  it("refuses a picture whose rows are missing, with valid checksums, instead of inventing them", () => {
    const rows = (count: number) => deflateSync(Buffer.alloc(9 * count));
    expect(decodePng(greyFile(8, 8, rows(8))).data.length).toBe(256);
    for (const count of [0, 1, 4, 7, 9, 80]) {
      expect(() => decodePng(greyFile(8, 8, rows(count)))).toThrow("the PNG is damaged");
    }
  });

  it("says what is wrong", () => {
    expect(() => decodePng(new Uint8Array(30))).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: decodePng: the bytes do not begin as a PNG does. Pass the bytes of a PNG file]`,
    );
    const huge = new Uint8Array(tiny);
    huge.fill(0x7f, 16, 24);
    expect(() => decodePng(huge)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: decodePng: the size is out of range: 2139062143 x 2139062143 pixels. Use from 1 to 268435456 pixels in all]`,
    );
    const larger = new Uint8Array(tiny);
    larger.set([0, 0, 0x40, 0, 0, 0, 0x20, 0], 16);
    expect(() => decodePng(larger)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: decodePng: the PNG is damaged: 67 bytes cannot hold 16384 x 8192 pixels. Copy or download it again]`,
    );
    const pixels = { width: 2, height: 2, channels: 1, data: new Uint8Array(3) } as const;
    expect(() => encodePng(pixels)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: encodePng: 3 bytes do not fill 2 x 2 pixels of 1 channels. Pass 4 bytes]`,
    );
    expect(() => encodePng({ ...pixels, width: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: encodePng: the size is out of range: 0 x 2 pixels. Use from 1 to 268435456 pixels in all]`,
    );
  });
});
