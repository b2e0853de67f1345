/**
 * @file A file that is not complete yet: `NAME.ID.part`, and beside it `NAME.ID.part.json` with what the server said of the file,
 * so that a later run can ask for the rest.
 *
 * Every writer has an ID of its own, and takes over what a dead one left by renaming it. So even if two processes both believe to be
 * the only one, none gives its name to what the other wrote: they write the same bytes to the same places, or to different files.
 */
import { randomUUID } from "node:crypto";
import {
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
  type FileHandle,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** What the server said of the whole file. */
export interface Announcement {
  /** What the file is known by: see `identityOfUrl`. */
  readonly identity: string;
  /** A strong ETag or a date, for `If-Range`. Without one the download cannot be resumed. */
  readonly validator?: string;
  /** Size of the whole file in bytes. */
  readonly bytes?: number;
}

export class PartFile {
  readonly #target: string;
  #id = newId();
  #handle: FileHandle | undefined;
  #length = 0;
  #announced: Announcement | undefined;

  /** `target`: what the file is called when it is complete. */
  constructor(target: string) {
    this.#target = target;
  }

  /** Takes over the longest part of this file that another run left behind, and removes the others. */
  static async claim(target: string, identity: string): Promise<PartFile> {
    const part = new PartFile(target);
    for (const left of await leftovers(target)) {
      const announced = await readAnnouncement(`${left.path}.json`);
      const usable = announced?.validator !== undefined && announced.identity === identity;
      if (usable && left.length > part.#length) await part.#take(left, announced);
      else await discard(left.path);
    }
    return part;
  }

  async #take(left: Leftover, announced: Announcement): Promise<void> {
    // The note first: a part without one is of no use, a note without a part does no harm.
    await writeFile(`${this.path}.json`, JSON.stringify(announced));
    await rename(left.path, this.path);
    await discard(left.path);
    this.#announced = announced;
    this.#length = left.length;
  }

  get path(): string {
    return `${this.#target}.${this.#id}.part`;
  }

  /** Bytes that are there. */
  get length(): number {
    return this.#length;
  }

  get announced(): Announcement | undefined {
    return this.#announced;
  }

  /** Begins anew, under a new ID, so that a note never stands beside bytes of another version. */
  async begin(announced: Announcement): Promise<void> {
    await this.discard();
    this.#id = newId();
    await writeFile(`${this.path}.json`, JSON.stringify(announced));
    this.#announced = announced;
  }

  async append(chunk: Uint8Array): Promise<void> {
    this.#handle ??= await open(this.path, this.#length > 0 ? "r+" : "w");
    for (let done = 0; done < chunk.length;) {
      const rest = chunk.length - done;
      const { bytesWritten } = await this.#handle.write(chunk, done, rest, this.#length);
      done += bytesWritten;
      this.#length += bytesWritten;
    }
  }

  /** On disk, and closed. An empty file is one too. */
  async finish(): Promise<void> {
    this.#handle ??= await open(this.path, this.#length > 0 ? "r+" : "w");
    await this.#handle.sync();
    await this.close();
  }

  /** After `finish`: it takes its place, and replaces what is there. */
  async moveIntoPlace(): Promise<void> {
    await rename(this.path, this.#target);
    await discard(this.path);
  }

  /** What is there stays, for another run. */
  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async discard(): Promise<void> {
    await this.close();
    await discard(this.path);
    this.#length = 0;
    this.#announced = undefined;
  }
}

interface Leftover {
  readonly path: string;
  /** In bytes. */
  readonly length: number;
}

/** The longest first. */
async function leftovers(target: string): Promise<Leftover[]> {
  const prefix = `${basename(target)}.`;
  const names = (await readdir(dirname(target))).filter(
    (name) => name.startsWith(prefix) && /^[0-9a-f]{8}\.part$/.test(name.slice(prefix.length)),
  );
  const found = names.map(async (name) => {
    const path = join(dirname(target), name);
    return { path, length: (await stat(path)).size };
  });
  return (await Promise.all(found)).sort((a, b) => b.length - a.length);
}

async function readAnnouncement(path: string): Promise<Announcement | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Announcement;
  } catch {
    return undefined;
  }
}

async function discard(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(`${path}.json`, { force: true });
}

function newId(): string {
  return randomUUID().slice(0, 8);
}
