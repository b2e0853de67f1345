/** @file Weights of a model from a file of any format, recognized by its first bytes. */
import { ArgumentError } from "../../engine/index.ts";
import { maxHeaderBytes } from "./safetensors-header.ts";
import { float32Values } from "./safetensors-values.ts";
import { decodeSafetensors, type SafetensorsEntry } from "./safetensors.ts";
import { torchStateDict, withoutParallelPrefix } from "./torch/torch-state-dict.ts";
import { decodeTorch, isTorch } from "./torch/torch.ts";

/**
 * The tensors of a file of weights by name: safetensors, or a checkpoint of PyTorch in the zip format or the legacy one. Floating-point
 * numbers become F32: exact for F16, BF16 and F8, rounded for F64; whole numbers stay. Where every name begins with `module.`, as after
 * training on several devices, that is taken off.
 *
 * ```ts
 * const model = resnet34({ pretrained: decodeWeights(bytes) });
 * ```
 * @throws ArgumentError when the bytes are of neither format or damaged, and as `torchStateDict`.
 */
export function decodeWeights(bytes: Uint8Array): ReadonlyMap<string, SafetensorsEntry> {
  const tensors = isSafetensors(bytes)
    ? withoutParallelPrefix("decodeWeights", decodeSafetensors(bytes).tensors)
    : torchStateDict(decodeTorch(checkTorch(bytes)), { widen: false });
  return new Map(Array.from(tensors, ([name, entry]) => [name, widened(entry)]));
}

/** A length of the header, then the header, which begins with `{`. */
function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 9 || bytes[8] !== 0x7b) return false;
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  return length <= BigInt(maxHeaderBytes);
}

function checkTorch(bytes: Uint8Array): Uint8Array {
  if (isTorch(bytes)) return bytes;
  const start = String.fromCharCode(...bytes.subarray(0, 24));
  throw new ArgumentError(
    "decodeWeights",
    `the file is neither safetensors nor a PyTorch checkpoint: ${bytes.length} bytes, beginning with ${JSON.stringify(start)}`,
    "Download it again, and look whether it is a web page or a pointer of Git LFS",
  );
}

/** Whole numbers stay whole: counters are such. */
function widened(entry: SafetensorsEntry): SafetensorsEntry {
  const { dtype, shape } = entry;
  const isWhole = /^[IU]\d+$/.test(dtype);
  return dtype === "F32" || isWhole ? entry : { dtype: "F32", shape, data: float32Values(entry) };
}
