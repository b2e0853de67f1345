/** @file A file from the network, on disk: whole, verified, and fetched once. */
import { mkdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ArgumentError, DownloadError, WgradError } from "../../engine/index.ts";
import {
  expectedChecksums,
  findMismatch,
  type Checksum,
  type ChecksumOptions,
} from "./checksum.ts";
import { checkFileName, nameInUrl } from "./file-name.ts";
import { wgradHome } from "./home.ts";
import { isHttp } from "./http.ts";
import { withLock } from "./lock.ts";
import { besides, checkOrigin, identityOfUrl, readOrigin, writeOrigin } from "./origin.ts";
import { PartFile } from "./part-file.ts";
import { progressLines } from "./report.ts";
import { transferAll, type Transfer } from "./transfer.ts";

const op = "downloadFile";

/** How far a download or an extraction is. */
export interface DownloadProgress {
  readonly phase: "download" | "extract";
  /** The address or path that was asked for. */
  readonly url: string;
  /** Bytes of the file that are there, those of an earlier run included; when extracting, bytes of the archive that were read. */
  readonly bytes: number;
  /** Size of the file; undefined when the server does not tell. */
  readonly total: number | undefined;
}

/** How to download, whatever the file is. */
export interface NetworkOptions extends ChecksumOptions {
  /** Name of the file on disk. Default: the last part of the address's path. */
  readonly name?: string;
  /** Fetch it again and replace what is there. Default: false. */
  readonly forceDownload?: boolean;
  /**
   * Called for every piece that comes, some 16 times for a MB. Errors that it throws end the download. Default: for files of 1 MB and
   * more a line on the error output at the start and every five seconds; `() => undefined` shows nothing.
   */
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Seconds without a byte from the server after which the connection counts as dead. Default: 30. */
  readonly timeout?: number;
  /** Tries after the first one that bring nothing new, before it gives up. Default: 5. */
  readonly retries?: number;
  /** Seconds before the first of them, doubled for each one more, at most 60. Default: 0.5. */
  readonly retryDelay?: number;
  /** Ends the download with the signal's reason; what came stays for the next call. Default: none. */
  readonly signal?: AbortSignal;
}

/** For `downloadFile`. */
export interface DownloadOptions extends NetworkOptions {
  /** The folder for the file; it is made when missing. Default: `archive` in `wgradHome()`. */
  readonly directory?: string;
}

/**
 * Downloads a file, unless it is there already, and returns its path.
 *
 * An interrupted download goes on where it stopped, in this call or a later one, if the server can do that and the file did not
 * change in between. The file gets its name when it is complete and its checksum right; until then it is `NAME.*.part`. Processes
 * that want the same file at once wait for the one that fetches it. Connection errors, timeouts and the statuses 5xx, 408, 425 and
 * 429 are tried again; redirects are followed, but not from https to http.
 *
 * A file that is there counts when its size is as noted and a given checksum right; otherwise it is fetched again.
 *
 * @param url - `http:` or `https:`.
 * @throws DownloadError when the file cannot be fetched, or is not the one that the checksum says; nothing is left in its place.
 * @throws ArgumentError when an argument is wrong, or a file of this name from another address is in the folder.
 */
export async function downloadFile(url: string, options: DownloadOptions = {}): Promise<string> {
  return (await fetchFile(url, options)).path;
}

/** `downloadFile`, and whether the file was fetched just now. */
export async function fetchFile(
  url: string,
  options: DownloadOptions,
): Promise<{ readonly path: string; readonly fresh: boolean }> {
  const job = prepare(url, options);
  const there = async () => options.forceDownload !== true && (await isThere(job));
  const { target: path } = job;
  try {
    if (await there()) return { path, fresh: false };
    await mkdir(job.directory, { recursive: true });
    return await withLock(besides(path, "lock"), options.signal, async () => {
      if (await there()) return { path, fresh: false };
      await download(job);
      return { path, fresh: true };
    });
  } catch (error) {
    throw explain(job, error);
  }
}

interface Job {
  readonly directory: string;
  readonly target: string;
  readonly checksums: readonly Checksum[];
  readonly transfer: Transfer;
}

function prepare(url: string, options: DownloadOptions): Job {
  const address = parseUrl(url);
  const directory = resolve(options.directory ?? join(wgradHome(), "archive"));
  const name = checkFileName(op, options.name ?? nameInUrl(address));
  const target = join(directory, name);
  const {
    onProgress = progressLines(target),
    timeout = 30,
    retries = 5,
    retryDelay = 0.5,
  } = options;
  checkNumber("timeout", timeout, timeout > 0 && timeout < 2 ** 31 / 1000);
  checkNumber("retries", retries, Number.isInteger(retries) && retries >= 0);
  checkNumber("retryDelay", retryDelay, Number.isFinite(retryDelay) && retryDelay >= 0);
  const onBytes: Transfer["onBytes"] = (bytes, total) => {
    onProgress({ phase: "download", url, bytes, total });
  };
  return {
    directory,
    target,
    checksums: expectedChecksums(op, name, options),
    transfer: { url: address, signal: options.signal, timeout, retries, retryDelay, onBytes },
  };
}

function parseUrl(url: string): URL {
  const address = URL.canParse(url) ? new URL(url) : undefined;
  if (address !== undefined && isHttp(address)) return address;
  throw new ArgumentError(
    op,
    `this is no address of a file on the network: ${JSON.stringify(url)}`,
    "Pass one that begins with https:// or http://",
  );
}

function checkNumber(option: string, value: number, valid: boolean): void {
  if (valid) return;
  throw new ArgumentError(
    op,
    `${option} is out of range: ${value}`,
    "timeout is a number of seconds above 0, retries a whole number from 0, retryDelay a number of seconds from 0",
  );
}

async function isThere({ target, checksums, transfer: { url } }: Job): Promise<boolean> {
  const stats = await stat(target).catch(() => undefined);
  if (stats === undefined) return false;
  const known = await readOrigin(target);
  checkOrigin(op, target, known, { identity: identityOfUrl(url), from: url.href });
  if (known?.bytes !== undefined && known.bytes !== stats.size) return false;
  return (await findMismatch(target, checksums)) === undefined;
}

async function download(job: Job): Promise<void> {
  const { url } = job.transfer;
  const part = await PartFile.claim(job.target, identityOfUrl(url));
  try {
    await transferVerified(job, part);
  } finally {
    await part.close();
  }
  // Noted before the file is in place: a wrong note makes the file be fetched again, a missing one would be believed.
  await writeOrigin(job.target, {
    identity: identityOfUrl(url),
    from: url.href,
    bytes: part.length,
  });
  await part.moveIntoPlace();
}

/** With what an earlier run left, and if that turns out wrong, without. */
async function transferVerified(job: Job, part: PartFile): Promise<void> {
  const resumed = part.length > 0;
  await transferAll(job.transfer, part);
  await part.finish();
  const mismatch = await findMismatch(part.path, job.checksums);
  if (mismatch === undefined) return;
  await part.discard();
  if (resumed) return transferVerified(job, part);
  throw new DownloadError(
    op,
    `${job.transfer.url.href} is not the file that was expected: ${mismatch}`,
    "It was removed. Check the address and the checksum; sha256: false takes what a name says for no checksum",
  );
}

/** What the system says about files means little without what was to be done. */
function explain({ target, transfer }: Job, error: unknown): unknown {
  transfer.signal?.throwIfAborted();
  if (error instanceof WgradError || !(error instanceof Error) || !("syscall" in error))
    return error;
  return new DownloadError(
    op,
    `${transfer.url.href} cannot be written to ${target}: ${error.message}`,
    "Check the folder and the free space; the environment variable WGRAD_HOME moves it",
  );
}
