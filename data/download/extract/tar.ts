/** @file Tar archives, compressed by gzip or not. */
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { Parser, ReadEntry } from "tar";
import type { ArchiveError } from "../../../engine/index.ts";
import { loadPeer } from "../../peer-package.ts";
import { refused } from "./entry-path.ts";
import { damaged } from "./damaged.ts";
import type { Sink } from "./sink.ts";

/**
 * Unpacks a tar archive. Owners, permissions and times are not taken over.
 *
 * @param onBytes - is told how many bytes of the archive were read.
 * @throws ArchiveError for an entry that is neither file nor folder, and whatever the sink refuses.
 * @throws DamagedArchiveError when it cannot be read to its end mark.
 */
export async function extractTar(
  path: string,
  compressed: boolean,
  sink: Sink,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const { Parser } = await loadPeer("untarData", "tar", () => import("tar"));
  const parser = new Parser({ strict: true });
  const unpacking = unpackEntries(parser, sink);
  let feedError: unknown;
  const feed = async (source: AsyncIterable<Uint8Array>) => {
    await unpacking.feed(source).catch((error: unknown) => {
      feedError = error;
      throw error;
    });
  };
  try {
    const file = createReadStream(path);
    const counter = countBytes(onBytes);
    if (compressed) await pipeline(file, counter, createGunzip(), feed);
    else await pipeline(file, counter, feed);
  } catch (pipelineError) {
    // When one end of a pipeline fails, the other hears only that it was aborted; either can be the first.
    const aborted = (pipelineError as Error).name === "AbortError";
    const error = aborted ? (feedError ?? pipelineError) : pipelineError;
    await unpacking.stop(error as Error);
    throw explain(sink.archive, error);
  }
}

function countBytes(onBytes: (bytes: number) => void): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      bytes += chunk.length;
      try {
        onBytes(bytes);
        done(null, chunk);
      } catch (error) {
        done(error as Error);
      }
    },
  });
}

/** The parser hands out entries while it is fed, and wants no more until they are read: both ends, and what fails on either. */
function unpackEntries(parser: Parser, sink: Sink) {
  let fail: (error: Error) => void = () => undefined;
  const failure = new Promise<never>((_resolve, reject) => (fail = reject));
  failure.catch(() => undefined); // It is reported by those who race with it.
  let work = Promise.resolve();
  let current: ReadEntry | undefined;
  let sawEndMark = false;
  let stopped: Error | undefined;

  const take = async (entry: ReadEntry) => {
    if (stopped !== undefined) throw stopped;
    current = entry;
    await addEntry(entry, sink);
  };
  parser.on("entry", (entry: ReadEntry) => {
    work = work.then(() => take(entry));
    work.catch(fail);
  });
  // What the parser does not know: entries of other kinds, and descriptions of entries that are too long to be sound.
  parser.on("ignoredEntry", (entry: ReadEntry) => {
    fail(wrongKind(entry, sink));
  });
  parser.on("error", fail);
  parser.on("eof", () => (sawEndMark = true));

  return {
    async feed(source: AsyncIterable<Uint8Array>): Promise<void> {
      for await (const chunk of source) {
        if (!parser.write(chunk)) await Promise.race([once(parser, "drain"), failure]);
      }
      const end = once(parser, "end");
      parser.end();
      await Promise.race([end, failure]);
      await work;
      if (!sawEndMark) throw damaged(sink.archive, "it has no end mark: the rest is missing");
    },
    /** Wakes who waits for the rest of an entry, and waits until no file is open. */
    async stop(error: Error): Promise<void> {
      stopped = error;
      current?.on("error", () => undefined);
      current?.destroy(error);
      await work.catch(() => undefined);
    },
  };
}

async function addEntry(entry: ReadEntry, sink: Sink): Promise<void> {
  const { type, path, size } = entry;
  const isFolder = type === "Directory" || type === "GNUDumpDir";
  const isFile = type === "File" || type === "OldFile" || type === "ContiguousFile";
  if (!isFile && !isFolder) throw wrongKind(entry, sink);
  // A file with holes, which looks like a file of that name whose contents are a list of the holes.
  if (/(^|\/)GNUSparseFile\.\d+\//.test(path))
    throw refused(sink.archive, path, "is a sparse file");
  if (isFile) return sink.addFile(path, size, entry);
  await sink.addFolder(path);
  entry.resume();
}

function wrongKind({ path, type, linkpath }: ReadEntry, { archive }: Sink): ArchiveError {
  const kinds: Readonly<Record<string, string>> = {
    Link: "is a hard link",
    SymbolicLink: "is a symbolic link",
    CharacterDevice: "is a device",
    BlockDevice: "is a device",
    FIFO: "is a pipe",
  };
  const to = linkpath === undefined || linkpath === "" ? "" : ` to ${JSON.stringify(linkpath)}`;
  return refused(
    archive,
    path,
    `${kinds[type] ?? `is of a kind that is not unpacked (${type})`}${to}`,
  );
}

/** Errors of the parser and of gunzip have codes of their own; others are not the archive's fault. */
function explain(archive: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  return /^(Z_|TAR_)/.test(code ?? "") ? damaged(archive, message) : error;
}
