/** @file Is this the file that was meant? Digests of files, whole or, as torchvision's names have them, their beginning. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { ArgumentError } from "../../engine/index.ts";

/** What a file's digest must begin with. */
export interface Checksum {
  readonly algorithm: "sha256" | "md5";
  /** Lower-case hexadecimal digits. */
  readonly digits: string;
}

/** What a caller says about the digest. */
export interface ChecksumOptions {
  /**
   * The file's SHA-256 in hexadecimal, or its first 8 digits and more; false for none. Default: the 8 digits that torchvision puts
   * in the names of weights, `resnet34-b627a593.pth`, and none for other names.
   */
  readonly sha256?: string | false;
  /** The file's MD5: 32 hexadecimal digits. It tells a broken file, not a forged one. Default: none. */
  readonly md5?: string;
}

/**
 * All that must hold for a file of this name.
 *
 * @throws ArgumentError when an option has not the form of a digest.
 */
export function expectedChecksums(op: string, name: string, options: ChecksumOptions): Checksum[] {
  const sha256 = options.sha256 ?? /-([0-9a-f]{8})\.pth$/.exec(name)?.[1] ?? false;
  const checksums: Checksum[] = [];
  if (sha256 !== false) checksums.push(parse(op, "sha256", sha256, /^[0-9a-f]{8,64}$/));
  if (options.md5 !== undefined) checksums.push(parse(op, "md5", options.md5, /^[0-9a-f]{32}$/));
  return checksums;
}

function parse(op: string, algorithm: Checksum["algorithm"], text: string, form: RegExp): Checksum {
  const digits = text.toLowerCase();
  if (form.test(digits)) return { algorithm, digits };
  throw new ArgumentError(
    op,
    `${algorithm} is not one: ${JSON.stringify(text)}`,
    algorithm === "md5" ? "Pass 32 hexadecimal digits" : "Pass 8 to 64 hexadecimal digits",
  );
}

/** What does not hold for the file at `path`, in words; undefined when all does. */
export async function findMismatch(
  path: string,
  checksums: readonly Checksum[],
): Promise<string | undefined> {
  for (const { algorithm, digits } of checksums) {
    const hash = createHash(algorithm);
    await pipeline(createReadStream(path), hash);
    const actual = hash.digest("hex");
    if (!actual.startsWith(digits)) {
      return `its ${algorithm} is ${actual}, expected ${digits}${digits.length < actual.length ? "..." : ""}`;
    }
  }
  return undefined;
}

/**
 * Checks a file on this machine as a download of this name would be.
 *
 * @throws ArgumentError when there is no such file, it has not the digests, or an option has not the form of one.
 */
export async function checkFile(
  op: string,
  path: string,
  name: string,
  options: ChecksumOptions,
): Promise<void> {
  const isFile = (await stat(path).catch(() => undefined))?.isFile() ?? false;
  if (!isFile) throw new ArgumentError(op, `there is no such file: ${path}`, "Check the path");
  const mismatch = await findMismatch(path, expectedChecksums(op, name, options));
  if (mismatch === undefined) return;
  throw new ArgumentError(
    op,
    `${path} is not the file that was expected: ${mismatch}`,
    "Copy or download it again; sha256: false takes what a name says for no checksum",
  );
}
