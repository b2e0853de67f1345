/** @file What an ONNX file should say of the images and classes that its model was trained with. */
import { ImagePipeline, type Json } from "../../data/index.ts";
import type { PredictionData } from "../predictor.ts";
import type { OnnxOptions } from "./encode-onnx.ts";
import type { OnnxTransform } from "./preprocessing.ts";

type Settings = Readonly<Record<string, Json>>;

/** Preprocessing and labels for `encodeOnnx`, from what the data say of themselves: all that prediction does to a picture. */
export function describeData(data: PredictionData): Pick<OnnxOptions, "preprocessing" | "labels"> {
  const settings = data.settings() as Settings;
  const itemTfms = forPrediction(settings["itemTfms"]);
  const batchTfms = forPrediction(settings["batchTfms"]);
  const { itemTfms: ownItem, batchTfms: ownBatch } = ImagePipeline.needsMakers(settings);
  const size = sizeAfter([...itemTfms, ...batchTfms], [...ownItem, ...ownBatch]);
  const normalize = batchTfms.find(({ name }) => name === "Normalize")?.settings;
  const decoding = {
    ...(settings["decoding"] as Settings),
    ...(settings["channels"] === 1 && { channels: 1 }),
  };
  return {
    labels: data.vocab.map(String),
    preprocessing: {
      ...(Object.keys(decoding).length > 0 && { decoding }),
      ...{ itemTfms, batchTfms },
      ...(size && { size }),
      ...(normalize && {
        mean: normalize["mean"] as readonly number[],
        std: normalize["std"] as readonly number[],
      }),
    },
  };
}

type Described = OnnxTransform & { readonly trainingOnly?: boolean };

/** Names and settings of what is not for training only, in the order in which it runs. */
function forPrediction(transforms: Json | undefined): readonly OnnxTransform[] {
  const all = transforms as unknown as readonly Described[];
  return all
    .filter(({ trainingOnly = false }) => !trainingOnly)
    .map(({ name, settings }) => ({ name, settings }));
}

/** The size that images have at the end; undefined where it is not known, as after a transform of one's own that has none in its settings. */
function sizeAfter(
  transforms: readonly OnnxTransform[],
  own: readonly string[],
): readonly [height: number, width: number] | undefined {
  let last: readonly [number, number] | undefined;
  for (const { name, settings } of transforms) {
    const size = settings["size"];
    if (Array.isArray(size)) last = size as unknown as readonly [number, number];
    else if (own.includes(name)) last = undefined;
  }
  return last;
}
