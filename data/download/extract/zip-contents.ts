/**
 * @file The bytes of one entry of a zip archive, unpacked by Node's zlib: zip.js sets up several streams for each entry, which for
 * photographs takes longer than to unpack them.
 *
 * Source: APPNOTE.TXT by PKWARE, version 6.3, sections 4.3.7 and 4.4.5.
 */
import type { FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import type { FileEntry } from "@zip.js/zip.js";
import { damaged } from "./damaged.ts";
import { refused } from "./entry-path.ts";

/** Length of the header before an entry's name. */
const headerLength = 30;
/** Bytes that are read at once. */
const chunkLength = 65_536;

/** Bytes, packed or not, up to which an entry is unpacked at once. */
const mostAtOnce = 1_048_576;

const stored = 0;
const deflated = 8;

/**
 * @throws ArchiveError when it is compressed in another way than deflate.
 * @throws DamagedArchiveError when it cannot be unpacked, or size or CRC are not what the directory of the archive says.
 */
export async function* contents(
  entry: FileEntry,
  file: FileHandle,
  archive: string,
): AsyncGenerator<Uint8Array, void> {
  const { filename, compressionMethod: method, uncompressedSize } = entry;
  if (method !== stored && method !== deflated) {
    throw refused(archive, filename, `is compressed by method ${method}, which is not supported`);
  }
  const fail = (reason: string) => damaged(archive, `entry ${JSON.stringify(filename)}: ${reason}`);
  const begin = await findData(entry, file);
  if (begin === undefined) throw fail("it is not where the directory says");
  let size = 0;
  let crc = 0;
  const packed = compressed(file, begin, entry.compressedSize);
  for await (const chunk of method === deflated ? inflate(packed, entry, fail) : packed) {
    size += chunk.length;
    crc = crc32(chunk, crc);
    yield chunk;
  }
  if (size !== uncompressedSize) throw fail(`${size} bytes instead of ${uncompressedSize}`);
  if (crc !== entry.crc32) throw fail("its CRC is wrong");
}

/** Behind the entry's own header, whose name and extra field can have other lengths than in the directory. */
async function findData(entry: FileEntry, file: FileHandle): Promise<number | undefined> {
  const header = Buffer.alloc(headerLength);
  const { bytesRead } = await file.read(header, 0, headerLength, entry.offset);
  if (bytesRead < headerLength || !header.toString("latin1").startsWith("PK\x03\x04"))
    return undefined;
  return entry.offset + headerLength + header.readUInt16LE(26) + header.readUInt16LE(28);
}

/** Not a stream of the file: that would close it at its end. */
async function* compressed(
  file: FileHandle,
  begin: number,
  length: number,
): AsyncGenerator<Uint8Array, void> {
  for (let done = 0; done < length;) {
    const chunk = new Uint8Array(Math.min(chunkLength, length - done));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, begin + done);
    if (bytesRead === 0) return;
    done += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

/** Small entries at once and not as a stream: to set up the stream takes longer than to unpack a photograph. */
async function* inflate(
  source: AsyncGenerator<Uint8Array, void>,
  { compressedSize, uncompressedSize }: FileEntry,
  fail: (reason: string) => Error,
): AsyncGenerator<Uint8Array, void> {
  if (Math.max(compressedSize, uncompressedSize) > mostAtOnce) {
    yield* inflateStream(source, fail);
    return;
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  try {
    // The limit guards against an entry that unpacks to more than it says.
    yield inflateRawSync(Buffer.concat(chunks), { maxOutputLength: Math.max(1, uncompressedSize) });
  } catch (error) {
    throw fail((error as Error).message);
  }
}

async function* inflateStream(
  source: AsyncGenerator<Uint8Array, void>,
  fail: (reason: string) => Error,
): AsyncGenerator<Uint8Array, void> {
  const packed = Readable.from(source);
  const unpacked = packed.pipe(createInflateRaw());
  packed.on("error", (error) => unpacked.destroy(error));
  try {
    yield* unpacked as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw fail((error as Error).message);
  } finally {
    packed.destroy();
    unpacked.destroy();
  }
}
