/** @file Looking for images that cannot be decoded. Node only. */
import { checkImage, type DecodeOptions } from "./decode.ts";
import { Limiter } from "./limiter.ts";

/** An image that cannot be used, and why. */
export interface BadImage {
  readonly file: string;
  readonly reason: string;
}

/**
 * Decodes all images and says which cannot be, and why. It is stricter than training, which takes a JPEG of which a part is
 * visibly wrong. It deletes nothing: what is bad for one program may be good for another, and a mistake in a path makes all of them look
 * bad.
 *
 * @returns the bad ones, in the order of `files`; empty when all are good.
 */
export async function verifyImages(
  files: readonly string[],
  options: DecodeOptions & { readonly numWorkers?: number } = {},
): Promise<readonly BadImage[]> {
  const limiter = new Limiter(options.numWorkers ?? 8);
  const found = await Promise.all(
    files.map((file) => limiter.run(() => reasonAgainst(file, options))),
  );
  return files.flatMap((file, i) => {
    const reason = found[i];
    return reason === undefined ? [] : [{ file, reason }];
  });
}

async function reasonAgainst(file: string, options: DecodeOptions): Promise<string | undefined> {
  return checkImage(file, options).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}
