/** @file Pretrained weights from where they are published, from an address, or from a file. Node only. */
import { basename } from "node:path";
import { checkFile, downloadFile, readWeights, type DownloadOptions } from "../data/node.ts";
import { ArgumentError } from "../engine/index.ts";
import { architectureOf, type ModelFunction, type TorchState } from "../nn/index.ts";

/**
 * The tensors of pretrained weights, for `resnet34({ pretrained })`, `createVisionModel` and `visionLearner`.
 *
 * ```ts
 * const model = resnet34({ pretrained: await pretrainedWeights(resnet34) });
 * ```
 * @param source a function that builds a known network: its published weights, downloaded once; an address, `https:` or `http:`:
 * downloaded once; else the path of a file. Files are safetensors or checkpoints of PyTorch, whatever their ending.
 * @param options of the download. The digits that torchvision puts in names, `resnet34-b627a593.pth`, are checked for files on this
 * machine, too: a name that promises published weights must keep it. `sha256: false` does without.
 * @throws ArgumentError when nothing is published, or the file is missing, damaged, of another format or not what its name says.
 * @throws DownloadError when it cannot be fetched, or is not what the checksum says.
 */
export async function pretrainedWeights(
  source: ModelFunction | string,
  options: DownloadOptions = {},
): Promise<TorchState> {
  if (typeof source === "function") return published(source, options);
  if (/^https?:/i.test(source)) return readWeights(await downloadFile(source, options));
  await checkFile("pretrainedWeights", source, basename(source), options);
  return readWeights(source);
}

async function published(arch: ModelFunction, options: DownloadOptions): Promise<TorchState> {
  const { name, pretrained } = architectureOf(arch);
  for (const { url, sha256 } of pretrained)
    if (url !== undefined) return readWeights(await downloadFile(url, { sha256, ...options }));
  throw new ArgumentError(
    "pretrainedWeights",
    `no address of pretrained weights is known: ${name}`,
    'Pass the path or address of a file: "weights.safetensors"',
  );
}
