/** @file Tuning tables in files, for Node: where they are by default, how they are read and written. */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { TuningTable } from "./tuning-table.ts";

/**
 * `$WGRAD_TUNING` if it is set, where `off` or nothing means no file; otherwise `wgrad/tuning.json` in the user's cache folder,
 * `$XDG_CACHE_HOME` or `~/.cache`.
 */
export function defaultTuningFile(): string | false {
  const named = process.env["WGRAD_TUNING"];
  if (named !== undefined) return named === "off" || named === "" ? false : named;
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return join(cache, "wgrad", "tuning.json");
}

/** The table in a file; an empty one, with a warning, when it cannot be read, and without when it does not exist. */
export async function readTuningFile(path: string): Promise<TuningTable> {
  try {
    return TuningTable.parse(await readFile(path, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
      const why = error instanceof Error ? error.message : String(error);
      console.warn(`wgrad: the tuning file ${path} is ignored: ${why}`);
    }
    return new TuningTable();
  }
}

/** Writes a table, whole or not at all: a reader never sees half a file. Makes the folder. */
export async function writeTuningFile(path: string, table: TuningTable): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.${randomUUID()}`;
  await writeFile(unfinished, `${JSON.stringify(table, null, 2)}\n`);
  await rename(unfinished, path);
}
