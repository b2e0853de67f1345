/**
 * @file Where a file or folder came from, noted beside it: two addresses can end in the same name, and data of the wrong one must
 * not be taken for the right one.
 */
import { readFile, rename, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { randomUUID } from "node:crypto";
import { ArgumentError } from "../../engine/index.ts";

/** What is noted. */
export interface Origin {
  /** Equal for the same file: `identityOfUrl` or `identityOfFile`. */
  readonly identity: string;
  /** The address or path as it was given, for messages. */
  readonly from: string;
  /** Size of the file, where it is a file. */
  readonly bytes?: number;
}

/** Host and path. Not the query, which in signed addresses changes every time, nor the protocol and port. */
export function identityOfUrl(url: URL): string {
  return `${url.hostname}${url.pathname}`;
}

/** Size and time of change, which a file keeps when it is moved; undefined when there is no such file. */
export async function identityOfFile(path: string): Promise<string | undefined> {
  const stats = await stat(path).catch(() => undefined);
  return stats?.isFile() ? `${stats.size} bytes of ${stats.mtime.toISOString()}` : undefined;
}

/** A hidden file beside `path`, for what is to be known of it: `.name.kind`. */
export function besides(path: string, kind: string): string {
  return join(dirname(path), `.${basename(path)}.${kind}`);
}

export async function writeOrigin(path: string, origin: Origin): Promise<void> {
  const file = besides(path, "origin.json");
  const part = `${file}.${randomUUID()}`;
  await writeFile(part, `${JSON.stringify(origin)}\n`);
  await rename(part, file);
}

/** Undefined where nothing is noted, because the file was put there by hand, or the note cannot be read. */
export async function readOrigin(path: string): Promise<Origin | undefined> {
  const text = await readFile(besides(path, "origin.json"), "utf8").catch(() => "{}");
  try {
    const origin = JSON.parse(text) as Partial<Origin>;
    return origin.identity === undefined ? undefined : (origin as Origin);
  } catch {
    return undefined;
  }
}

/** @throws ArgumentError when `path` is known to come from elsewhere. */
export function checkOrigin(
  op: string,
  path: string,
  known: Origin | undefined,
  wanted: Origin,
): void {
  if (known === undefined || known.identity === wanted.identity) return;
  throw new ArgumentError(
    op,
    `${path} is not from ${wanted.from}: it is from ${known.from} (${known.identity} and not ${wanted.identity})`,
    "Pass another name, or forceDownload: true to replace it",
  );
}
