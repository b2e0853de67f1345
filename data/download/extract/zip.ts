/** @file Zip archives: what is in them. */
import { open, type FileHandle } from "node:fs/promises";
import type * as zipLibrary from "@zip.js/zip.js";
import type { Entry, Reader } from "@zip.js/zip.js";
import { loadPeer } from "../../peer-package.ts";
import { damaged } from "./damaged.ts";
import { refused } from "./entry-path.ts";
import type { Sink } from "./sink.ts";
import { contents } from "./zip-contents.ts";

/** The package, loaded when the first zip archive is. */
type ZipLibrary = typeof zipLibrary;

/**
 * Unpacks a zip archive. Permissions and times are not taken over.
 *
 * @param onBytes - is told how many bytes of the archive were unpacked.
 * @throws ArchiveError for a link, a device or an encrypted entry, and whatever the sink refuses.
 * @throws DamagedArchiveError when it cannot be read, or an entry has not the size and the CRC that the directory says.
 */
export async function extractZip(
  path: string,
  sink: Sink,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const zip = await loadPeer("untarData", "@zip.js/zip.js", () => import("@zip.js/zip.js"));
  const file = await open(path);
  try {
    let bytes = 0;
    for await (const entry of readEntries(zip, file, sink.archive)) {
      await addEntry(entry, file, sink);
      onBytes((bytes += entry.compressedSize));
    }
  } finally {
    await file.close();
  }
}

async function* readEntries(
  { Reader, ZipReader }: ZipLibrary,
  file: FileHandle,
  archive: string,
): AsyncGenerator<Entry, void> {
  const reader = new ZipReader(await fileReader(Reader, file), {
    filenameValidation: "tolerant", // The sink looks at names, with the same eyes for every format.
    useWebWorkers: false,
  });
  const entries = reader.getEntriesGenerator();
  for (;;) {
    const next = await entries.next().catch((error: unknown) => {
      throw damaged(archive, (error as Error).message);
    });
    if (next.done === true) return;
    yield next.value;
  }
}

/** Reads where it is asked to, so that an archive larger than memory can be unpacked. */
async function fileReader(
  Base: ZipLibrary["Reader"],
  file: FileHandle,
): Promise<Reader<FileHandle>> {
  class FileReader extends Base<FileHandle> {
    override async readUint8Array(index: number, length: number): Promise<Uint8Array> {
      const data = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await file.read(data, filled, length - filled, index + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return data.subarray(0, filled);
    }
  }
  const reader = new FileReader(file);
  reader.size = (await file.stat()).size;
  return reader;
}

async function addEntry(entry: Entry, file: FileHandle, sink: Sink): Promise<void> {
  const { filename, encrypted } = entry;
  const type = entry.symlink ? 0o120000 : (entry.unixMode ?? 0) & 0o170000;
  if (type === 0o120000) throw refused(sink.archive, filename, "is a symbolic link");
  if (![0, 0o100000, 0o040000].includes(type)) throw refused(sink.archive, filename, "is a device");
  if (encrypted) throw refused(sink.archive, filename, "is encrypted");
  if (entry.directory) return sink.addFolder(filename);
  await sink.addFile(filename, entry.uncompressedSize, contents(entry, file, sink.archive));
}
