/** @file Finding image files. Node only. */
import type { Dirent } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { ArgumentError } from "../../engine/index.ts";
import { compareCodePoints } from "./vocab.ts";

/**
 * Extensions of image files. Some of them cannot be decoded here; these files are found all the same, so that nobody misses them
 * without knowing why.
 */
const imageExtensions: ReadonlySet<string> = new Set(
  "avif bmp gif heic heif ico jfif jpe jpeg jpg pbm pgm png pnm ppm tif tiff webp".split(" "),
);

export interface ImageFilesOptions {
  /** Look into folders within the folder, too. Default: true. */
  readonly recurse?: boolean;
  /** Names of folders right within `path` to look into, and no others. Default: all. */
  readonly folders?: readonly string[];
}

/**
 * Paths of all image files in a folder, sorted by code points of the path, folder by folder, so that they come in the same order on
 * every machine: splits depend on it. Names that begin with a dot are passed over. Links are followed.
 *
 * @throws ArgumentError when the folder, or one of `folders`, does not exist or cannot be read.
 */
export async function getImageFiles(
  path: string,
  { recurse = true, folders }: ImageFilesOptions = {},
): Promise<string[]> {
  if (folders === undefined) return listImages(path, recurse, []);
  const sorted = [...new Set(folders)].sort(compareCodePoints);
  const lists: string[][] = [];
  for (const folder of sorted) lists.push(await listImages(join(path, folder), recurse, []));
  return lists.flat();
}

/** @param within - folders that are being listed, without links: a link back into one of them would never end. */
async function listImages(
  path: string,
  recurse: boolean,
  within: readonly string[],
): Promise<string[]> {
  const { real, entries } = await readFolder(path);
  if (within.includes(real)) {
    throw new ArgumentError(
      "getImageFiles",
      `a link leads back into a folder that it lies in: ${path}`,
      "Remove the link",
    );
  }
  const files: string[] = [];
  for (const entry of entries) {
    const full = join(path, entry.name);
    const isImage = imageExtensions.has(extname(entry.name).slice(1).toLowerCase());
    if (await isFolder(entry, full)) {
      if (recurse) files.push(...(await listImages(full, true, [...within, real])));
    } else if (isImage) files.push(full);
  }
  return files;
}

async function readFolder(path: string): Promise<{ real: string; entries: Dirent[] }> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    const seen = entries.filter(({ name }) => !name.startsWith("."));
    seen.sort((a, b) => compareCodePoints(a.name, b.name));
    return { real: await realpath(path), entries: seen };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ArgumentError(
      "getImageFiles",
      `the folder ${path} cannot be read: ${reason}`,
      "Check the path and who may read it",
    );
  }
}

/** A link that leads nowhere counts as a file: opening it will say so. */
async function isFolder(entry: Dirent, path: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  return stat(path).then(
    (target) => target.isDirectory(),
    () => false,
  );
}
