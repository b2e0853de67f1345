/** @file From an archive to a folder, all of it or nothing. */
import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ArgumentError } from "../../../engine/index.ts";
import { damaged } from "./damaged.ts";
import { Sink, type ExtractionLimits } from "./sink.ts";
import { extractTar } from "./tar.ts";
import { extractZip } from "./zip.ts";

/** What to unpack, and where to. */
export interface Extraction extends ExtractionLimits {
  readonly archive: string;
  /** The folder that is made or replaced; the one above it exists. */
  readonly target: string;
  readonly signal: AbortSignal | undefined;
  /** Bytes of the archive that were read, and of how many. */
  readonly onBytes: (bytes: number, total: number) => void;
}

/**
 * Unpacks into a temporary folder beside the target, which takes the target's place when all is well. One folder at the top of the
 * archive becomes the target, whatever its name; several entries, or a file, go into it.
 *
 * @throws ArchiveError, DamagedArchiveError: see `extractTar` and `extractZip`; nothing stays then.
 */
export async function extractArchive(extraction: Extraction): Promise<void> {
  const { target, archive } = extraction;
  await removeLeftovers(target);
  const temporary = join(dirname(target), `.${basename(target)}.${newId()}.unpacking`);
  await mkdir(temporary);
  try {
    await unpack(extraction, temporary);
    const top = await readdir(temporary, { withFileTypes: true });
    if (top.length === 0) throw damaged(archive, "there is nothing in it");
    const only = top.length === 1 && top[0]?.isDirectory() ? top[0].name : "";
    await replaceFolder(join(temporary, only), target);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function unpack(extraction: Extraction, root: string): Promise<void> {
  const { archive, signal, onBytes } = extraction;
  const sink = new Sink(root, archive, extraction, signal);
  const total = (await stat(archive)).size;
  const report = (bytes: number) => {
    onBytes(bytes, total);
  };
  const format = await formatOf(archive);
  if (format === "zip") await extractZip(archive, sink, report);
  else await extractTar(archive, format === "gzip", sink, report);
}

/** By how the file begins: names lie, and some addresses have none. */
async function formatOf(archive: string): Promise<"gzip" | "zip" | "tar"> {
  const start = await readStart(archive);
  const text = Buffer.from(start).toString("latin1");
  if (text.startsWith("\x1f\x8b")) return "gzip";
  // An archive with nothing in it begins with its end.
  if (text.startsWith("PK\x03\x04") || text.startsWith("PK\x05\x06")) return "zip";
  // The mark that came with POSIX in 1988; archives without it are older than what is in them here.
  if (text.startsWith("ustar", 257)) return "tar";
  if (/^(BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|7z\xbc\xaf|Rar!)/.test(text)) {
    throw new ArgumentError(
      "untarData",
      `${archive} is compressed in a way that is not supported`,
      "Supported are .tgz, .tar.gz, .tar and .zip: unpack it by hand",
    );
  }
  throw damaged(archive, `it begins with ${JSON.stringify(text.slice(0, 16))}`);
}

async function readStart(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(512), 0, 512, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Moves the old folder aside first: a folder with something in it cannot be renamed over. */
async function replaceFolder(folder: string, target: string): Promise<void> {
  const aside = join(dirname(target), `.${basename(target)}.${newId()}.unpacking`);
  await rename(target, aside).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  });
  await rename(folder, target);
  await rm(aside, { recursive: true, force: true });
}

/**
 * What runs that were killed left behind. Renamed before it is removed: should its owner live after all, it loses the whole folder
 * and notices, instead of some of its files.
 */
async function removeLeftovers(target: string): Promise<void> {
  const prefix = `.${basename(target)}.`;
  for (const name of await readdir(dirname(target))) {
    const isOurs =
      name.startsWith(prefix) && /^[0-9a-f]{8}\.unpacking$/.test(name.slice(prefix.length));
    if (!isOurs) continue;
    const aside = join(dirname(target), `${prefix}${newId()}.unpacking`);
    await rename(join(dirname(target), name), aside).catch(() => undefined);
    await rm(aside, { recursive: true, force: true });
  }
}

function newId(): string {
  return randomUUID().slice(0, 8);
}
