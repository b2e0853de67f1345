/** @file What an ONNX file should say of the images and classes that its model was trained with. */
import type { Json } from "../../data/index.ts";
import type { PredictionData } from "../predictor.ts";
import type { OnnxOptions } from "./encode-onnx.ts";

type Settings = Readonly<Record<string, Json>>;

/** Preprocessing and labels for `encodeOnnx`, from what the data say of themselves. Transforms that ONNX's metadata have no word for stay out. */
export function describeData(data: PredictionData): Pick<OnnxOptions, "preprocessing" | "labels"> {
  const { itemTfms, batchTfms } = data.settings() as Settings;
  const resize = settingsOf(itemTfms, "Resize");
  const normalize = settingsOf(batchTfms, "Normalize");
  return {
    labels: data.vocab.map(String),
    preprocessing: {
      ...(resize && {
        resize: {
          method: resize["method"] as string,
          size: resize["size"] as readonly [height: number, width: number],
        },
      }),
      ...(normalize && {
        mean: normalize["mean"] as readonly number[],
        std: normalize["std"] as readonly number[],
      }),
    },
  };
}

/** Settings of the transform of this name. */
function settingsOf(transforms: Json | undefined, name: string): Settings | undefined {
  const all = (transforms ?? []) as readonly {
    readonly name: string;
    readonly settings: Settings;
  }[];
  return all.find((transform) => transform.name === name)?.settings;
}
