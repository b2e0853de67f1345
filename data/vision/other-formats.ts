/** @file Formats of images that are not decoded here, told by their first bytes, so that good files are not called damaged. */

/** A box of the ISO file format, 12 bytes long. */
const box12 = String.fromCharCode(0, 0, 0, 12);

/** The format of a file by its first bytes as text, each byte one character. */
const formats: readonly (readonly [format: string, matches: (start: string) => boolean])[] = [
  ["BMP", (start) => start.startsWith("BM") && start.slice(6, 10) === "\0\0\0\0"],
  ["PNM (PBM, PGM, PPM)", (start) => /^P[1-7][\s#]/.test(start)],
  ["ICO", (start) => start.startsWith("\0\0\u0001\0") && start[4] !== "\0"],
  [
    "JPEG 2000",
    (start) => start.startsWith(`${box12}jP  `) || start.startsWith("\u00ff\u004f\u00ff\u0051"),
  ],
  ["JPEG XL", (start) => start.startsWith(`${box12}JXL `) || start.startsWith("\u00ff\u000a")],
  ["HEIC", (start) => /^.{4}ftyp(hei|hev|mif1|msf1)/s.test(start)],
  ["Photoshop", (start) => start.startsWith("8BPS")],
];

/** The name of the format, if it is a known one that is not decoded here; undefined for all other bytes. */
export function otherFormat(bytes: Uint8Array): string | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 32));
  return formats.find(([, matches]) => matches(start))?.[0];
}
