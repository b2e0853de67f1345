/** @file cnnLearner: `visionLearner` with the weights read from where they are published, or from a file. Node only. */
import type { NetworkOptions } from "../data/node.ts";
import { ArgumentError } from "../engine/index.ts";
import type { ModelFunction, TorchState, VisionModel } from "../nn/index.ts";
import { terminalProgress } from "../nn/node.ts";
import { exportLearner } from "./export-learner.ts";
import type { ExportOptions } from "./exported-model.ts";
import { describeData } from "./onnx/describe-data.ts";
import type { OnnxOptions } from "./onnx/encode-onnx.ts";
import { writeOnnx } from "./onnx/write-onnx.ts";
import { pretrainedWeights } from "./pretrained-weights.ts";
import {
  visionModel,
  VisionLearner,
  type VisionData,
  type VisionLearnerOptions,
} from "./vision-learner.ts";

/** `onProgress` and `signal` are those of the download. */
export interface CnnLearnerOptions
  extends Omit<VisionLearnerOptions, "weights">, Pick<NetworkOptions, "onProgress" | "signal"> {
  /**
   * True: the architecture's published weights, downloaded once and checked. An address or a path: a file of these or of one's own, see
   * `pretrainedWeights`. False: random weights, all of them trained from the start. Default: true.
   */
  readonly pretrained?: boolean | string | TorchState;
}

/** A `VisionLearner` that can be written to a folder. */
export class CnnLearner extends VisionLearner {
  /** Writes the model with all that predictions need; `loadLearner` reads it. See `exportLearner`. */
  export(folder: string, options: ExportOptions = {}): Promise<void> {
    return exportLearner(this, folder, options);
  }

  /** Writes the model as an ONNX file that says what prediction does to images before, and names the classes. See `writeOnnx`. */
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
 * @throws ArgumentError when the weights are missing, damaged or do not fit, DownloadError when they cannot be fetched.
 */
export async function cnnLearner(
  dls: VisionData,
  arch: ModelFunction,
  options: CnnLearnerOptions = {},
): Promise<CnnLearner> {
  const { pretrained = true, progress, onProgress, signal, ...others } = options;
  const rest = { ...others, progress: progress ?? (await terminalProgress()) };
  const network = { ...(onProgress && { onProgress }), ...(signal && { signal }) };
  const weights = await weightsFrom(arch, pretrained, network);
  const all = weights === undefined ? rest : { ...rest, weights };
  const learner = new CnnLearner(
    dls,
    named(pretrained, () => visionModel(dls, arch, all)),
    all,
  );
  if (weights !== undefined) learner.freeze();
  return learner;
}

async function weightsFrom(
  arch: ModelFunction,
  pretrained: boolean | string | TorchState,
  network: Pick<NetworkOptions, "onProgress" | "signal">,
): Promise<TorchState | undefined> {
  if (pretrained === false) return undefined;
  if (pretrained === true) return pretrainedWeights(arch, network);
  return typeof pretrained === "string" ? pretrainedWeights(pretrained, network) : pretrained;
}

/** What is wrong with weights, with the name of their file. */
function named(file: CnnLearnerOptions["pretrained"], make: () => VisionModel): VisionModel {
  try {
    return make();
  } catch (error) {
    if (typeof file !== "string" || !(error instanceof ArgumentError)) throw error;
    if (error.op !== "loadPretrained") throw error;
    throw new ArgumentError("cnnLearner", `${file}: ${error.problem}`, error.fix);
  }
}
