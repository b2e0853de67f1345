/** @file What images can be predicted from, and how they are called in errors. */
import { sourceName, type ImageSource } from "../data/index.ts";
import { ArgumentError } from "../engine/index.ts";

/** A path, a `file:` URL, the bytes of a file, or pixels `{ width, height, data }`. */
export type PredictionItem = ImageSource | ArrayBuffer | URL;

/**
 * What loaders take.
 *
 * @param i its place in the list.
 * @throws ArgumentError for anything else; the message gives its place and says what is taken.
 */
export function sourceOf(item: PredictionItem, i: number): ImageSource {
  if (item instanceof ArrayBuffer) return new Uint8Array(item);
  if (item instanceof URL) return pathOf(item, i);
  if (typeof item === "string" || item instanceof Uint8Array || isPixels(item)) return item;
  throw refused(i, describe(item));
}

/** `image 3 (cat.jpg)`. */
export function nameOf(source: ImageSource, i: number): string {
  return typeof source === "string" ? `image ${i} (${source})` : sourceName(source, i);
}

function isPixels(item: unknown): item is Exclude<ImageSource, string | Uint8Array> {
  if (typeof item !== "object" || item === null) return false;
  return "width" in item && "height" in item && "data" in item && ArrayBuffer.isView(item.data);
}

/** Like Node's `fileURLToPath`, which browsers do not have. */
function pathOf(url: URL, i: number): string {
  if (url.protocol !== "file:") throw refused(i, url.href);
  const path = decodeURIComponent(url.pathname);
  if (url.host !== "") return `//${url.host}${path}`;
  // "/C:/cat.jpg" of Windows.
  return /^\/[A-Za-z]:/.test(path) ? path.slice(1) : path;
}

function refused(i: number, what: string): ArgumentError {
  return new ArgumentError(
    "predict",
    `image ${i} is nothing that can be predicted from: ${what}`,
    "Pass a path, a file: URL, the bytes of a file (Uint8Array or ArrayBuffer), or pixels { width, height, data }, or a list of these",
  );
}

/** `an object with width, height, pixels`. */
function describe(item: unknown): string {
  if (typeof item !== "object" || item === null) return String(item);
  const members = Object.keys(item);
  const name = item.constructor === Object ? "object" : item.constructor.name;
  return members.length === 0 ? name : `${name} with ${members.join(", ")}`;
}
