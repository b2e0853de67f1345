/** @file From an address into a part file: one request and what its answer means, and the tries after one that failed. */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { DownloadError } from "../../engine/index.ts";
import { get, Interrupted, readBody, type Patience } from "./http.ts";
import { identityOfUrl } from "./origin.ts";
import type { Announcement, PartFile } from "./part-file.ts";

/** What to fetch, and how hard to try. */
export interface Transfer extends Patience {
  readonly url: URL;
  /** Tries after the first one that bring nothing new. */
  readonly retries: number;
  /** Seconds before the first of them; each one waits twice as long as the one before. */
  readonly retryDelay: number;
  /** Bytes that are there, and of how many, where the server says that. */
  readonly onBytes: (bytes: number, total: number | undefined) => void;
}

/** The longest pause between two tries, in seconds. */
const longestPause = 60;

/** Fetches what is missing. The part is complete afterwards, as far as sizes tell; on any error what came is kept. */
export async function transferAll(transfer: Transfer, part: PartFile): Promise<void> {
  let furthest = part.length;
  for (let failures = 0; ;) {
    try {
      await transferOnce(transfer, part);
      return;
    } catch (error) {
      transfer.signal?.throwIfAborted();
      if (!(error instanceof Interrupted)) throw error;
      // Only tries without progress are counted, or a large file could not come over a poor line.
      failures = part.length > furthest ? 1 : failures + 1;
      furthest = Math.max(furthest, part.length);
      if (failures > transfer.retries) throw givenUp(transfer, part, failures, error);
      await pause(transfer, failures, error.wait);
    }
  }
}

async function pause(transfer: Transfer, failures: number, asked: number): Promise<void> {
  const backoff = transfer.retryDelay * 2 ** (failures - 1);
  // Spread, so that many clients of one server do not come back in the same instant.
  const seconds = Math.min(longestPause, Math.max(asked, backoff * (0.75 + Math.random() / 2)));
  const { signal } = transfer;
  await sleep(seconds * 1000, undefined, signal === undefined ? {} : { signal });
}

function givenUp(transfer: Transfer, part: PartFile, tries: number, last: Error): DownloadError {
  const total = part.announced?.bytes;
  const state = `${part.length}${total === undefined ? "" : ` of ${total}`} bytes are here`;
  return new DownloadError(
    "downloadFile",
    `${transfer.url.href} does not come, after ${tries} tries in vain: ${last.message}; ${state}`,
    "Check the connection and call again: it goes on where it stopped",
  );
}

async function transferOnce(transfer: Transfer, part: PartFile): Promise<void> {
  const { validator, bytes } = part.announced ?? {};
  if (bytes !== undefined && part.length === bytes) return;
  if (validator === undefined) await part.discard();
  const range = `bytes=${part.length}-`;
  const resumes = part.length > 0 && validator !== undefined;
  const response = await get(
    transfer.url,
    resumes ? { range, "if-range": validator } : {},
    transfer,
  );
  try {
    await take(transfer, part, response, resumes);
  } finally {
    response.destroy();
  }
}

async function take(
  transfer: Transfer,
  part: PartFile,
  response: IncomingMessage,
  resumes: boolean,
): Promise<void> {
  const { statusCode: status = 0, headers } = response;
  const cannotGoOn = status === 416 || (status === 206 && !continues(part, headers));
  if (resumes && cannotGoOn) {
    // The server has another file now, or cannot give parts of it.
    await part.discard();
    return transferOnce(transfer, part);
  }
  if (status !== 200 && !(status === 206 && resumes)) throw refusal(transfer.url, response);
  checkEncoding(transfer.url, headers);
  // 200 instead of 206: the file changed, or the server does not give parts.
  if (status === 200) await part.begin(announcement(transfer.url, headers));
  await receive(transfer, part, response);
}

async function receive(
  transfer: Transfer,
  part: PartFile,
  response: IncomingMessage,
): Promise<void> {
  const total = part.announced?.bytes;
  transfer.onBytes(part.length, total);
  for await (const chunk of readBody(response, transfer.timeout)) {
    await part.append(chunk);
    transfer.onBytes(part.length, total);
  }
  if (total === undefined || part.length === total) return;
  const problem = `the connection ended after ${part.length} of ${total} bytes`;
  if (part.length > total) await part.discard();
  throw new Interrupted(problem);
}

function announcement(url: URL, headers: IncomingHttpHeaders): Announcement {
  const validator = validatorOf(headers);
  const length = Number(headers["content-length"] ?? Number.NaN);
  return {
    identity: identityOfUrl(url),
    ...(validator !== undefined && { validator }),
    ...(Number.isSafeInteger(length) && { bytes: length }),
  };
}

/** A weak ETag says that two files mean the same, not that they are the same byte for byte (RFC 9110, 8.8.1). */
function validatorOf({ etag, "last-modified": date }: IncomingHttpHeaders): string | undefined {
  return etag?.startsWith('"') === true ? etag : date;
}

/** Does this part of the file begin where ours ends, and is it the same file? Some servers do not look at `If-Range`. */
function continues(part: PartFile, headers: IncomingHttpHeaders): boolean {
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers["content-range"] ?? "");
  const { validator, bytes } = part.announced ?? {};
  const now = validatorOf(headers);
  return (
    Number(range?.[1]) === part.length &&
    (range?.[2] === "*" || bytes === undefined || Number(range?.[2]) === bytes) &&
    (now === undefined || now === validator)
  );
}

/** Compressed on its way means that no size can be checked and nothing resumed; only names that say so are as they are. */
function checkEncoding(url: URL, headers: IncomingHttpHeaders): void {
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding === "identity") return;
  if (/^(x-)?gzip$/.test(encoding) && /\.t?gz$/i.test(url.pathname)) return;
  throw new DownloadError(
    "downloadFile",
    `${url.href} is sent compressed (Content-Encoding: ${encoding}), though that was not asked for`,
    "Use another server",
  );
}

function refusal(url: URL, response: IncomingMessage): Error {
  const status = response.statusCode ?? 0;
  const text = `${status} ${response.statusMessage ?? ""}`.trim();
  if (status >= 500 || [408, 425, 429].includes(status)) {
    const wait = Number(response.headers["retry-after"] ?? 0);
    return new Interrupted(`the server answers ${text}`, Number.isFinite(wait) ? wait : 0);
  }
  if (status === 404 || status === 410) {
    return new DownloadError(
      "downloadFile",
      `the server has no such file: ${url.href} (${text})`,
      "Check the address",
    );
  }
  return new DownloadError(
    "downloadFile",
    `the server does not give ${url.href}: it answers ${text}`,
    status === 401 || status === 403
      ? "Check the address, and whether the file is for everybody"
      : "Check the address in a browser",
  );
}
