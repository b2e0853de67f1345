/** @file cnnLearner: `visionLearner` with the weights read from where they are published, or from a file. Node only. */
import { torchStateDict } from "../data/index.ts";
import { downloadFile, readSafetensors, readTorch } from "../data/node.ts";
import { ArgumentError } from "../engine/index.ts";
import {
  architectureOf,
  type ModelFunction,
  type Pretrained,
  type TorchState,
} from "../nn/index.ts";
import { terminalProgress } from "../nn/node.ts";
import { exportLearner } from "./export-learner.ts";
import { describeData } from "./onnx/describe-data.ts";
import type { OnnxOptions } from "./onnx/encode-onnx.ts";
import { writeOnnx } from "./onnx/write-onnx.ts";
import {
  visionModel,
  VisionLearner,
  type VisionData,
  type VisionLearnerOptions,
} from "./vision-learner.ts";

export interface CnnLearnerOptions extends Omit<VisionLearnerOptions, "weights"> {
  /**
   * True: the architecture's published weights, downloaded once and checked. A path: a file of these or of one's own, `.safetensors`,
   * `.pth` or `.pt`. False: random weights, all of them trained from the start. Default: true.
   */
  readonly pretrained?: boolean | string | TorchState;
}

/** A `VisionLearner` that can be written to a folder. */
export class CnnLearner extends VisionLearner {
  /** Writes the model with all that predictions need; `loadLearner` reads it. See `exportLearner`. */
  export(folder: string): Promise<void> {
    return exportLearner(this, folder);
  }

  /** Writes the model as an ONNX file that says how images were resized and normalised, and names the classes. See `writeOnnx`. */
  exportOnnx(file: string, options: OnnxOptions = {}): Promise<void> {
    return writeOnnx(file, this.model, { ...describeData(this.dls), ...options });
  }
}

/**
 * The learner of the fastai book's first chapter: a known network, pretrained, with a new head for the classes of the data.
 *
 * ```ts
 * const learn = await cnnLearner(dls, resnet34, { metrics: [errorRate] });
 * await learn.fineTune(1);
 * ```
 * Table and progress are shown in the terminal, see `terminalProgress`. Source: fastai, `vision_learner`.
 *
 * @throws ArgumentError when the weights cannot be had, are damaged or do not fit.
 */
export async function cnnLearner(
  dls: VisionData,
  arch: ModelFunction,
  options: CnnLearnerOptions = {},
): Promise<CnnLearner> {
  const { pretrained = true, progress = await terminalProgress(), ...others } = options;
  const rest = { ...others, progress };
  const weights = pretrained === false ? undefined : await weightsFrom(arch, pretrained);
  const all = weights === undefined ? rest : { ...rest, weights };
  const learner = new CnnLearner(dls, visionModel(dls, arch, all), all);
  if (weights !== undefined) learner.freeze();
  return learner;
}

async function weightsFrom(
  arch: ModelFunction,
  pretrained: true | string | TorchState,
): Promise<TorchState> {
  if (typeof pretrained === "string") return readWeights(pretrained);
  if (pretrained !== true) return pretrained;
  const { name, pretrained: published } = architectureOf(arch);
  const source = published.find((weights) => weights.url !== undefined);
  if (source?.url === undefined) {
    throw new ArgumentError(
      "cnnLearner",
      `no address of pretrained weights is known: ${name}`,
      'Pass the path of a file: { pretrained: "weights.safetensors" }',
    );
  }
  return readWeights(await downloadWeights(source.url, source));
}

function downloadWeights(url: string, { sha256 }: Pretrained): Promise<string> {
  return downloadFile(url, { sha256 });
}

/** The tensors of a file, by its ending. */
async function readWeights(path: string): Promise<TorchState> {
  if (path.endsWith(".safetensors")) return (await readSafetensors(path)).tensors;
  return torchStateDict(await readTorch(path));
}
