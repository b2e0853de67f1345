/** @file Fingerprints: a short text that tells whether two loaders give the same batches. Cheap: of large contents, samples are looked at. */

/** What a fingerprint says in words. */
export interface FingerprintSettings {
  readonly datasetSize: number;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly seed: number;
  readonly dropLast: boolean;
}

/** `36 samples, batches of 12, shuffled by seed 42, contents 0e6f2a31` */
export function describeLoader(settings: FingerprintSettings, contents: ContentHash): string {
  const { datasetSize, batchSize, shuffle, seed, dropLast } = settings;
  return [
    `${datasetSize} samples`,
    `batches of ${batchSize}${dropLast ? ", full ones alone" : ""}`,
    `${shuffle ? "shuffled by" : "in order,"} seed ${seed}`,
    `contents ${contents.toString()}`,
  ].join(", ");
}

/** Bytes of one array that are looked at, at most. */
const bytesSampled = 4096;

/** The hash FNV-1a of whole numbers instead of bytes, 32 bits. Source: http://www.isthe.com/chongo/tech/comp/fnv. */
export class ContentHash {
  #hash = 0x811c9dc5;

  add(number: number): void {
    this.#hash = Math.imul(this.#hash ^ number, 0x01000193);
  }

  addText(text: string): void {
    this.add(text.length);
    for (let i = 0; i < text.length; i++) this.add(text.charCodeAt(i));
  }

  /** The length, and all bytes or up to 4096 of them at even distances, odd ones, so that they are not all of one place in a word. */
  addSample({ buffer, byteOffset, byteLength }: ArrayBufferView): void {
    this.add(byteLength);
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    const step = Math.ceil(byteLength / bytesSampled);
    for (let i = 0; i < byteLength; i += step + 1 - (step % 2)) this.add(bytes[i] ?? 0);
  }

  /** 8 hexadecimal digits. */
  toString(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }
}
