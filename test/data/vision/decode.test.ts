/** @file Decoding: every kind of file that users have, and the errors for those that are none. */
import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { Resize, Xoshiro128 } from "../../../data/index.ts";
import { decodeImage, getImageFiles, imageFileLoader, verifyImages } from "../../../data/node.ts";
import { sharedData } from "../../shared-data.ts";
import { difference, noise, plain, pngOf, put, sharpOf, temporaryFolder } from "./images.ts";

const folder = temporaryFolder();
const orange = [240, 130, 20] as const;
const validation = { training: false, random: new Xoshiro128(0) };

async function raw(bytes: Uint8Array | string) {
  const { width, height, data } = await decodeImage(bytes);
  return { width, height, data: [...data] };
}

describe("decodeImage", () => {
  it("gives the pixels of a PNG, from a path and from bytes", async () => {
    const image = noise(5, 3);
    const bytes = await pngOf(image);
    const expected = { width: 5, height: 3, data: [...image.data] };
    expect(await raw(bytes)).toEqual(expected);
    expect(await raw(await put(folder, "five.png", bytes))).toEqual(expected);
  });

  it.each(["jpeg", "webp", "tiff", "avif", "gif"] as const)("reads %s", async (format) => {
    const { width, height, data } = await decodeImage(
      await sharpOf(plain(16, 8, orange))
        .toFormat(format)
        .toBuffer(),
    );
    expect([width, height]).toEqual([16, 8]);
    expect(difference(data, plain(16, 8, orange).data).largest).toBeLessThanOrEqual(6);
  });

  it("goes by the content, not by the name", async () => {
    const path = await put(folder, "really-a-png.jpg", await pngOf(plain(2, 2, orange)));
    expect((await raw(path)).data).toEqual([...plain(2, 2, orange).data]);
  });

  it("makes RGB of grey, of one pixel, and of 16 bits by their upper 8", async () => {
    const grey = sharp(Uint8Array.of(7, 200), { raw: { width: 2, height: 1, channels: 1 } });
    const greyPng = await grey.toColourspace("b-w").png().toBuffer();
    expect((await sharp(greyPng).metadata()).channels).toBe(1);
    expect((await raw(greyPng)).data).toEqual([7, 7, 7, 200, 200, 200]);
    expect((await raw(await pngOf(plain(1, 1, orange)))).data).toEqual([...orange]);
    const words = Uint16Array.of(0x1234, 0xffff, 0x00ff);
    const deep = await sharp(words, { raw: { width: 1, height: 1, channels: 3 } })
      .toColourspace("rgb16")
      .png()
      .toBuffer();
    expect((await sharp(deep).metadata()).depth).toBe("ushort");
    expect((await raw(deep)).data).toEqual([0x12, 0xff, 0x00]);
    const deepGrey = await sharp(Uint16Array.of(0x8001), {
      raw: { width: 1, height: 1, channels: 1 },
    })
      .toColourspace("grey16")
      .png()
      .toBuffer();
    expect((await raw(deepGrey)).data).toEqual([0x80, 0x80, 0x80]);
  });

  it("looks palettes up", async () => {
    const bytes = await sharpOf(plain(4, 4, orange))
      .png({ palette: true })
      .toBuffer();
    expect((await raw(bytes)).data).toEqual([...plain(4, 4, orange).data]);
  });

  it("drops transparency without blending, before it resizes, too", async () => {
    const pixel = [240, 130, 20, 0];
    const data = Uint8Array.from({ length: 64 * 4 }, (_, i) => pixel[i % 4] ?? 0);
    const bytes = await sharp(data, { raw: { width: 8, height: 8, channels: 4 } })
      .png()
      .toBuffer();
    expect((await raw(bytes)).data).toEqual([...plain(8, 8, orange).data]);
    const small = await imageFileLoader()(bytes, [new Resize(3)], validation);
    expect([...small.data]).toEqual([...plain(3, 3, orange).data]);
  });

  it("makes RGB of CMYK", async () => {
    const bytes = await sharpOf(plain(8, 8, [255, 255, 255]))
      .toColourspace("cmyk")
      .jpeg()
      .toBuffer();
    expect((await sharp(bytes).metadata()).space).toBe("cmyk");
    const { data } = await decodeImage(bytes);
    expect(Math.min(...data)).toBeGreaterThan(245);
  });

  it("takes the first picture of an animation", async () => {
    const frames = [plain(6, 4, orange), plain(6, 4, [0, 0, 255])];
    const gif = await sharp(await Promise.all(frames.map(pngOf)), { join: { animated: true } })
      .gif()
      .toBuffer();
    expect((await sharp(gif).metadata()).pages).toBe(2);
    const { width, height, data } = await decodeImage(gif);
    expect([width, height]).toEqual([6, 4]);
    expect(difference(data, plain(6, 4, orange).data).largest).toBeLessThanOrEqual(6);
    const small = await imageFileLoader()(gif, [new Resize(2)], validation);
    expect([small.width, small.height]).toEqual([2, 2]);
  });

  it("ignores EXIF orientation unless it is asked to apply it", async () => {
    const bytes = await sharpOf(noise(6, 4)).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect(await decodeImage(bytes)).toMatchObject({ width: 6, height: 4 });
    const turned = await decodeImage(bytes, { applyExif: true });
    expect(turned).toMatchObject({ width: 4, height: 6 });
    const load = imageFileLoader({ applyExif: true });
    const cropped = await load(bytes, [new Resize([6, 4])], validation);
    expect([...cropped.data]).toEqual([...turned.data]);
  });

  it("reads a picture of 20,000 pixels width", async () => {
    const image = noise(20_000, 3);
    expect((await decodeImage(await pngOf(image))).data).toEqual(Buffer.from(image.data));
    const small = await imageFileLoader()(await pngOf(image), [new Resize(8)], validation);
    expect([small.width, small.height]).toEqual([8, 8]);
  });

  it("reads what was written under the same name since", async () => {
    const path = await put(folder, "changing.png", await pngOf(plain(2, 2, orange)));
    await raw(path);
    await put(folder, "changing.png", await pngOf(plain(2, 2, [1, 2, 3])));
    expect((await raw(path)).data.slice(0, 3)).toEqual([1, 2, 3]);
  });

  it("refuses too many pixels before it decodes them", async () => {
    const path = await put(folder, "large.png", await pngOf(plain(100, 50, orange)));
    await expect(decodeImage(path, { maxPixels: 4999 })).rejects.toThrow(
      `${path} has more than 4999 pixels: 100 x 50. Make it smaller, or raise maxPixels`,
    );
    expect(await decodeImage(path, { maxPixels: 5000 })).toMatchObject({ width: 100 });
  });
});

/** Files that are no images, and what the error says of them. */
async function badFiles(): Promise<readonly (readonly [path: string, problem: string])[]> {
  const jpeg = await sharpOf(noise(200, 200)).jpeg().toBuffer();
  const png = await pngOf(noise(200, 200));
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>');
  return [
    [await put(folder, "bad/empty.jpg", Buffer.alloc(0)), "is empty: 0 bytes"],
    [await put(folder, "bad/cut.jpg", jpeg.subarray(0, jpeg.length / 2)), "is damaged"],
    [await put(folder, "bad/cut.png", png.subarray(0, png.length / 2)), "is damaged"],
    [await put(folder, "bad/header.jpg", jpeg.subarray(0, 12)), "is damaged"],
    [await put(folder, "bad/text.png", Buffer.from("I am a text")), "is damaged, or no image"],
    [await put(folder, "bad/drawing.jpg", svg), "is a drawing"],
    [`${folder}/bad/missing.jpg`, "cannot be read"],
  ];
}

/** A BMP of 1 x 1 pixels, orange. */
const bmp = Buffer.from(
  "424d3a0000000000000036000000280000000100000001000000010018000000000004000000130b0000130b000000000000000000001482f000",
  "hex",
);

describe("files of other formats", () => {
  it.each([
    ["BMP", bmp],
    ["PNM (PBM, PGM, PPM)", Buffer.from("P6\n1 1\n255\nabc")],
    ["PNM (PBM, PGM, PPM)", Buffer.from("P2\n1 1\n255\n7\n")],
    ["ICO", Buffer.concat([Buffer.of(0, 0, 1, 0, 1, 0, 1, 1, 0, 0, 1, 0, 24, 0), bmp])],
    ["JPEG 2000", Buffer.from("\0\0\0\x0cjP  \r\n\x87\n", "latin1")],
    ["HEIC", Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic", "latin1")],
  ])("are not called damaged: %s", async (format, bytes) => {
    const path = await put(folder, "other.jpg", bytes);
    await expect(decodeImage(path)).rejects.toThrow(
      `decodeImage: ${path} is of a format that is not supported: ${format}. Convert it to PNG or JPEG`,
    );
  });
});

describe("files that are no images", () => {
  it("are refused by name", async () => {
    for (const [path, problem] of await badFiles()) {
      await expect(decodeImage(path)).rejects.toThrow(`decodeImage: ${path} ${problem}`);
      const load = imageFileLoader();
      await expect(load(path, [new Resize(50)], validation)).rejects.toThrow(`${path} ${problem}`);
    }
    await expect(decodeImage(new Uint8Array(0))).rejects.toThrow("the image (0 bytes) is empty");
  });

  it("are listed by verifyImages, and left where they are", async () => {
    const bad = await badFiles();
    const good = await put(folder, "bad/good.png", await pngOf(noise(3, 3)));
    const files = [good, ...bad.map(([path]) => path), good];
    const found = await verifyImages(files, { numWorkers: 2 });
    expect(found.map(({ file }) => file)).toEqual(bad.map(([path]) => path));
    found.forEach(({ reason }, i) => {
      expect(reason).toContain(bad[i]?.[1]);
    });
    expect((await readFile(bad[0]?.[0] ?? "")).length).toBe(0);
    expect(await verifyImages([])).toEqual([]);
  });

  it("are JPEGs of which a part is wrong, but not those with stray bytes", async () => {
    const data = Uint8Array.from({ length: 200 * 200 * 3 }, (_, i) => (i % 600) / 10 + i / 600);
    const jpeg = await sharpOf({ width: 200, height: 200, data }).jpeg().toBuffer();
    const damagedAt = Math.floor(jpeg.length / 2);
    const wrong = Buffer.concat([
      jpeg.subarray(0, damagedAt),
      Buffer.alloc(400, Uint8Array.of(0xff, 0)), // All ones: no code of JPEG.
      jpeg.subarray(damagedAt + 400),
    ]);
    const before = [jpeg.subarray(0, -2), Buffer.alloc(240, 7), jpeg.subarray(-2)];
    const files = [
      await put(folder, "stray/wrong.jpg", wrong),
      await put(folder, "stray/before-end.jpg", Buffer.concat(before)),
      await put(folder, "stray/behind-end.jpg", Buffer.concat([jpeg, Buffer.alloc(50, 7)])),
    ];
    expect(await verifyImages(files)).toEqual([
      { file: files[0], reason: expect.stringContaining("Corrupt JPEG data") as string },
    ]);
    expect((await decodeImage(files[0] ?? "")).width).toBe(200);
  });

  const pets = sharedData("pets", "images");
  it.skipIf(pets === undefined)("do not occur among the pets", async () => {
    expect(await verifyImages(await getImageFiles(pets ?? ""))).toEqual([]);
  });
});
