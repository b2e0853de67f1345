/** @file fastai's `untar_data`: a data set by its address, as a folder on this machine. */
import { mkdir, rm, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ArgumentError, DamagedArchiveError } from "../../engine/index.ts";
import { checkFile } from "./checksum.ts";
import { fetchFile, type NetworkOptions } from "./download-file.ts";
import { extractArchive } from "./extract/extract.ts";
import type { ExtractionLimits } from "./extract/sink.ts";
import { checkFileName, nameInUrl, stemOf } from "./file-name.ts";
import { progressLines } from "./report.ts";
import { wgradHome } from "./home.ts";
import { isHttp } from "./http.ts";
import { withLock } from "./lock.ts";
import {
  besides,
  checkOrigin,
  identityOfFile,
  identityOfUrl,
  readOrigin,
  writeOrigin,
} from "./origin.ts";

const op = "untarData";

/** For `untarData`. */
export interface UntarOptions extends NetworkOptions, Partial<ExtractionLimits> {
  /**
   * Name of the archive, from which the folder has its own. Default: the last part of the address's path. Needed where that is no
   * name, as in `https://example.org/data?id=7`.
   */
  readonly name?: string;
  /** The folder for archives. Default: `archive` in `wgradHome()`. */
  readonly archive?: string;
  /** The folder for what is unpacked. Default: `data` in `wgradHome()`. */
  readonly data?: string;
  /** Download and unpack again, and replace what is there; from a file, only unpack. Default: false. */
  readonly forceDownload?: boolean;
  /** What all files together may unpack to, in bytes. Default: 64 GiB. */
  readonly maxBytes?: number;
  /** How many files and folders. Default: 4 million. */
  readonly maxEntries?: number;
}

/**
 * Downloads an archive and unpacks it, unless that was done before, and returns the path of the folder: `<data>/<stem>`, where the
 * stem of `oxford-iiit-pet.tgz` is `oxford-iiit-pet`. A folder that is there is returned at once, its files unchecked.
 *
 * One folder at the top of the archive becomes `<data>/<stem>`, whatever its name. Several entries at the top, or a single file, are
 * put into `<data>/<stem>`. Archives are .tgz, .tar.gz and .tar (with the npm package `tar`) and .zip (with `@zip.js/zip.js`), told
 * apart by their first bytes. Owners, permissions and times are not taken over.
 *
 * The folder appears complete or not at all. Links, devices, encrypted entries, paths that lead out of the folder, and two entries
 * with the same path are refused, and with them the archive.
 *
 * @param url - `http:`, `https:` or `file:`, or the path of an archive on this machine; see `URLs`.
 * @throws DownloadError when it cannot be fetched, or is not what the checksum says.
 * @throws ArchiveError when it holds what is refused or more than the limits; the archive stays, for you to look at.
 * @throws DamagedArchiveError when it cannot be read; an archive that was downloaded just now is removed.
 * @throws ArgumentError when an argument is wrong, a package is not installed, or the folder is known to come from another archive.
 *
 * Source: fastai, data/external.py; fastdownload, core.py.
 */
export async function untarData(url: string, options: UntarOptions = {}): Promise<string> {
  checkLimits(options);
  const source = parseSource(url);
  const name = checkFileName(op, options.name ?? source.name);
  const folder = resolve(options.data ?? join(wgradHome(), "data"));
  const target = join(folder, stemOf(name));
  const there = async () => options.forceDownload !== true && (await isThere(target, source));
  if (await there()) return target;
  await mkdir(folder, { recursive: true });
  return withLock(besides(target, "lock"), options.signal, async () => {
    if (!(await there())) await make(source, name, target, options);
    return target;
  });
}

/** An archive on the network, or on this machine. */
interface Source {
  /** As it was given. */
  readonly url: string;
  readonly name: string;
  /** Absolute, where it is on this machine. */
  readonly path?: string;
  /** Undefined when there is no such file. */
  readonly identity: () => Promise<string | undefined>;
}

function parseSource(url: string): Source {
  // One letter before the colon is a drive of Windows.
  const address = /^[a-z][a-z0-9+.-]+:/i.test(url) && URL.canParse(url) ? new URL(url) : undefined;
  if (address !== undefined && isHttp(address)) {
    const identity = identityOfUrl(address);
    return { url, name: nameInUrl(address), identity: () => Promise.resolve(identity) };
  }
  if (address !== undefined && address.protocol !== "file:") {
    throw new ArgumentError(
      op,
      `addresses of this kind are not supported: ${url}`,
      "Pass one that begins with https://, http:// or file://, or a path",
    );
  }
  const path = resolve(address === undefined ? url : fileURLToPath(address));
  return { url, name: basename(path), path, identity: () => identityOfFile(path) };
}

function checkLimits({ maxBytes = 1, maxEntries = 1 }: UntarOptions): void {
  if (maxBytes > 0 && maxEntries > 0) return;
  throw new ArgumentError(
    op,
    `maxBytes and maxEntries must be above 0: ${maxBytes} and ${maxEntries}`,
    "Leave them out for 64 GiB and 4 million, or pass Infinity",
  );
}

async function isThere(target: string, source: Source): Promise<boolean> {
  const stats = await stat(target).catch(() => undefined);
  if (stats === undefined) return false;
  if (!stats.isDirectory()) {
    throw new ArgumentError(op, `${target} is a file`, "Remove it, or pass another name");
  }
  const identity = await source.identity();
  // An archive may be deleted when it is unpacked.
  if (identity !== undefined) {
    checkOrigin(op, target, await readOrigin(target), { identity, from: source.url });
  }
  return true;
}

async function make(
  source: Source,
  name: string,
  target: string,
  options: UntarOptions,
): Promise<void> {
  const { path: archive, fresh } = await obtain(source, name, target, options);
  const { onProgress = progressLines(target) } = options;
  const { maxBytes = 64 * 2 ** 30, maxEntries = 4_000_000 } = options;
  try {
    await extractArchive({
      archive,
      target,
      maxBytes,
      maxEntries,
      signal: options.signal,
      onBytes: (bytes, total) => {
        onProgress({ phase: "extract", url: source.url, bytes, total });
      },
    });
  } catch (error) {
    // What came just now and cannot be read would be found in the archive folder the next time, and fail again.
    if (fresh && error instanceof DamagedArchiveError) await rm(archive, { force: true });
    throw error;
  }
  const identity = await source.identity();
  if (identity !== undefined) await writeOrigin(target, { identity, from: source.url });
}

async function obtain(
  source: Source,
  name: string,
  target: string,
  options: UntarOptions,
): Promise<{ readonly path: string; readonly fresh: boolean }> {
  if (source.path === undefined) {
    const { archive, ...rest } = options;
    const directory = resolve(archive ?? join(wgradHome(), "archive"));
    if (join(directory, name) === target) {
      throw new ArgumentError(
        op,
        `the archive and what is unpacked from it would both be ${target}`,
        "Pass two folders, or a name that ends in .tgz or .zip",
      );
    }
    return fetchFile(source.url, { ...rest, name, directory });
  }
  await checkFile(op, source.path, name, options);
  return { path: source.path, fresh: false };
}
