/** @file What can be said on the command line. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { UsageError, withUsage } from "../program.ts";
import { resnet18, resnet34, resnet50, squeezenet1_0, type ModelFunction } from "../../nn/index.ts";

const architectures: Readonly<Record<string, ModelFunction>> = {
  ...{ resnet18, resnet34, resnet50, squeezenet1_0 },
};

export interface ChapterOptions {
  /** Folder of the photos; undefined: the pets are downloaded (800 MB). */
  readonly images: string | undefined;
  /** "name": names of cats begin with a capital; "folder": train/CLASS/ and valid/CLASS/. */
  readonly labels: "name" | "folder";
  readonly arch: ModelFunction;
  /** A file of pretrained weights; true: the published ones are downloaded; false: random ones. */
  readonly weights: string | boolean;
  readonly size: number;
  readonly batchSize: number;
  readonly epochs: number;
  /** Folder of what the run leaves. */
  readonly out: string;
  /** Go on from the checkpoint in that folder. */
  readonly resume: boolean;
  /** Look for a learning rate first. */
  readonly lrFind: boolean;
}

const usage = `node tools/run.mjs examples/chapter-1/main.ts
  [--images FOLDER]       default: the pets, downloaded (800 MB)
  [--labels name|folder]  name: cats have a capital; folder: FOLDER/train/CLASS/, FOLDER/valid/CLASS/. Default: name
  [--arch ${Object.keys(architectures).join("|")}]  default: resnet34
  [--weights FILE|none]   default: the published ones, downloaded
  [--size 224] [--bs 64] [--epochs 1] [--out runs/chapter-1] [--resume] [--lr-find]`;

/** Reads the arguments. Throws `UsageError` with what is wrong. */
export function readOptions(args: readonly string[]): ChapterOptions {
  const values = withUsage(usage, () => parse(args));
  const { labels, weights } = values;
  const arch = architectures[values.arch];
  if (arch === undefined) throw new UsageError(`--arch ${values.arch} is not known.\n${usage}`);
  if (labels !== "name" && labels !== "folder") {
    throw new UsageError(`--labels is name or folder, not ${labels}.\n${usage}`);
  }
  return {
    ...{ images: values.images, labels, arch, out: values.out, resume: values.resume },
    weights: weights === "none" ? false : (weights ?? true),
    size: wholeNumber("size", values.size),
    batchSize: wholeNumber("bs", values.bs),
    epochs: wholeNumber("epochs", values.epochs),
    lrFind: values["lr-find"],
  };
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new UsageError(`--${name} takes a whole number >= 1, not ${text}.\n${usage}`);
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      ...{ images: { type: "string" }, weights: { type: "string" } },
      labels: { type: "string", default: "name" },
      arch: { type: "string", default: "resnet34" },
      size: { type: "string", default: "224" },
      bs: { type: "string", default: "64" },
      epochs: { type: "string", default: "1" },
      out: { type: "string", default: join("runs", "chapter-1") },
      resume: { type: "boolean", default: false },
      "lr-find": { type: "boolean", default: false },
    },
  }).values;
}
