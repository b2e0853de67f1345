/** @file The public surface of the data folder for Node: what reads and writes files; re-exports only. */
export {
  loadMnist,
  readIdx,
  readSafetensors,
  writeSafetensors,
  type MnistOptions,
} from "./files.ts";
export { decodePng, encodePng, type Pixels, type PngOptions } from "./formats/png.ts";
