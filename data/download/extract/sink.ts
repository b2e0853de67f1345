/** @file The folder that an archive is unpacked into, whatever its format: checks every name, and counts. */
import { mkdir, open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { ArchiveError } from "../../../engine/index.ts";
import { entryPath, refused } from "./entry-path.ts";

/** What is too much: a small archive can unpack to more than any disk. */
export interface ExtractionLimits {
  /** Bytes in all files together. */
  readonly maxBytes: number;
  /** Files and folders. */
  readonly maxEntries: number;
}

export class Sink {
  readonly archive: string;
  readonly #root: string;
  readonly #limits: ExtractionLimits;
  readonly #signal: AbortSignal | undefined;
  /** Folders that were made, as paths under the root. */
  readonly #folders = new Set<string>([""]);
  #entries = 0;
  #bytes = 0;

  /** `root` is an empty folder; `archive` is what errors call the archive. */
  constructor(
    root: string,
    archive: string,
    limits: ExtractionLimits,
    signal: AbortSignal | undefined,
  ) {
    this.#root = root;
    this.archive = archive;
    this.#limits = limits;
    this.#signal = signal;
  }

  async addFolder(name: string): Promise<void> {
    this.#count(name);
    await this.#makeFolders(name, entryPath(this.archive, name));
  }

  /** `announced`: its size in bytes according to the archive, which need not be true. */
  async addFile(name: string, announced: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    this.#count(name);
    this.#checkBytes(name, announced);
    const path = entryPath(this.archive, name);
    if (path.length === 0) throw refused(this.archive, name, "is the folder itself, as a file");
    await this.#makeFolders(name, path.slice(0, -1));
    const file = await this.#create(name, path);
    try {
      for await (const chunk of chunks) await this.#write(name, file, chunk);
    } finally {
      await file.close();
    }
  }

  async #create(name: string, path: readonly string[]): Promise<FileHandle> {
    return this.#explained(name, open(join(this.#root, ...path), "wx"));
  }

  async #write(name: string, file: FileHandle, chunk: Uint8Array): Promise<void> {
    this.#signal?.throwIfAborted();
    this.#checkBytes(name, chunk.length);
    this.#bytes += chunk.length;
    for (let done = 0; done < chunk.length;) {
      done += (await this.#explained(name, file.write(chunk, done))).bytesWritten;
    }
  }

  /** One by one and never one that is there: on some systems `A` and `a` are the same folder, and would be mixed. */
  async #makeFolders(name: string, path: readonly string[]): Promise<void> {
    for (let depth = 1; depth <= path.length; depth++) {
      const folder = join(...path.slice(0, depth));
      if (this.#folders.has(folder)) continue;
      await this.#explained(name, mkdir(join(this.#root, folder)));
      this.#folders.add(folder);
    }
  }

  #count(name: string): void {
    this.#signal?.throwIfAborted();
    this.#entries++;
    if (this.#entries > this.#limits.maxEntries) {
      throw this.#tooMuch(name, `more than ${this.#limits.maxEntries} entries`, "maxEntries");
    }
  }

  #checkBytes(name: string, more: number): void {
    if (this.#bytes + more > this.#limits.maxBytes) {
      throw this.#tooMuch(name, `more than ${this.#limits.maxBytes} bytes`, "maxBytes");
    }
  }

  #tooMuch(name: string, limit: string, option: keyof ExtractionLimits): ArchiveError {
    return new ArchiveError(
      "untarData",
      `${this.archive} unpacks to ${limit}, the limit: it was reached at the entry ${JSON.stringify(name)}`,
      `Nothing was unpacked. If you trust the archive, raise ${option}`,
    );
  }

  async #explained<T>(name: string, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const twice = code === "EEXIST" || code === "ENOTDIR" || code === "EISDIR";
      if (twice)
        throw refused(
          this.archive,
          name,
          "has a path that another entry has, for this file system",
        );
      throw new ArchiveError(
        "untarData",
        `the entry ${JSON.stringify(name)} of ${this.archive} cannot be written: ${message}`,
        "Check the folder and the free space; the environment variable WGRAD_HOME moves it",
      );
    }
  }
}
