/** @file Whether files, labels and split make loaders at all. */
import { ArgumentError } from "../../engine/index.ts";
import type { Split } from "./splitters.ts";
import type { Label } from "./vocab.ts";

/** @throws ArgumentError when there are no files, or not as many labels. */
export function checkLists(path: string, files: readonly string[], labels: readonly Label[]): void {
  if (files.length === 0) {
    throw new ArgumentError(
      "ImageDataLoaders",
      `there are no images: 0 files of ${path}`,
      "Check the folder; getImageFiles lists what it finds",
    );
  }
  if (files.length !== labels.length) {
    throw new ArgumentError(
      "ImageDataLoaders",
      `files and labels differ in number: ${files.length} and ${labels.length}`,
      "Give one label for each file",
    );
  }
}

/** @throws ArgumentError when nothing is left to train on. */
export function checkSplit(path: string, { train, valid }: Split): void {
  if (train.length > 0) return;
  throw new ArgumentError(
    "ImageDataLoaders",
    `no image of ${path} is for training: 0 train, ${valid.length} validate`,
    "Use a smaller validPct, or correct the splitter or the names of the folders",
  );
}

/** Files that a splitter left out. */
export function inNeither(files: readonly string[], { train, valid }: Split): readonly string[] {
  const used = new Set([...train, ...valid]);
  return files.filter((_, i) => !used.has(i));
}
