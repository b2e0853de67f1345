/** @file The public surface of the data folder for Node: what reads and writes files; re-exports only. */
export { checkFile, type ChecksumOptions } from "./download/checksum.ts";
export {
  downloadFile,
  type DownloadOptions,
  type DownloadProgress,
  type NetworkOptions,
} from "./download/download-file.ts";
export type { ExtractionLimits } from "./download/extract/sink.ts";
export { wgradHome } from "./download/home.ts";
export { untarData, type UntarOptions } from "./download/untar-data.ts";
export { URLs } from "./download/urls.ts";
export {
  loadMnist,
  readIdx,
  readSafetensors,
  readTorch,
  readWeights,
  writeSafetensors,
  type MnistOptions,
} from "./files.ts";
export { imagesOf } from "./vision/show-batch.ts";
export { pictureGrid, type TitledImage, type TitleLine } from "./vision/picture-grid.ts";
export { palette } from "./formats/palette.ts";
export { escapeXml, fontFamily, rasterizeSvg } from "./formats/svg.ts";
export { loadPeer } from "./peer-package.ts";
export { decodePng, encodePng, type Pixels, type PngOptions } from "./formats/png.ts";
export type { Column, CsvOptions } from "./vision/csv-labels.ts";
export { ImageDataLoaders } from "./vision/data-loaders.ts";
export type {
  FolderOptions,
  ImageDataLoadersOptions,
  LabelFunctionOptions,
  RegexOptions,
} from "./vision/data-loaders-options.ts";
export { decodeImage, imageFileLoader, type DecodeOptions } from "./vision/decode.ts";
export { getImageFiles, type ImageFilesOptions } from "./vision/image-files.ts";
export type { LabelFunction } from "./vision/labels.ts";
export type { ShowBatchOptions } from "./vision/show-batch.ts";
export { verifyImages, type BadImage } from "./vision/verify.ts";
