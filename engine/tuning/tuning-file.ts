/** @file Tuning tables in files, for Node: where they are by default, how they are read and written. */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
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
    return await readStrictly(path);
  } catch (error) {
    warn(`the tuning file ${path} is ignored`, error);
    return new TuningTable();
  }
}

/** As `readTuningFile`, and what is measured later is added to the file; where that fails there is a warning. */
export async function openTuningFile(path: string): Promise<TuningTable> {
  const table = await readTuningFile(path);
  table.save = async (measured) => {
    try {
      await addToTuningFile(path, measured);
    } catch (error) {
      warn(
        `the winners are not kept for later programs: the tuning file ${path} stays as it is`,
        error,
      );
    }
  };
  return table;
}

/** Writes a table, whole or not at all: a reader never sees half a file. Makes the folder. */
export async function writeTuningFile(path: string, table: TuningTable): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.${randomUUID()}`;
  try {
    await writeFile(unfinished, `${JSON.stringify(table, null, 2)}\n`);
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

/**
 * Adds the winners of a table to those in a file, which other programs may do at the same time. Makes the file and its folder.
 * @throws ArgumentError when there is a file that is no tuning file; it stays as it is. Errors of the file system as they come.
 */
export async function addToTuningFile(path: string, measured: TuningTable): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await inTurn(`${path}.lock`, async () => {
    const table = await readStrictly(path);
    table.add(measured);
    await writeTuningFile(path, table);
  });
}

/** The table in a file; an empty one where there is none. */
async function readStrictly(path: string): Promise<TuningTable> {
  try {
    return TuningTable.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    return new TuningTable();
  }
}

/** Between two looks at a lock. */
const pollMilliseconds = 10;

/** A lock is held for a moment. One that is there for so many looks was left behind by a program that died. */
const mostLooks = 300;

/** Runs `body` while the lock, a file, is ours alone. */
async function inTurn(lock: string, body: () => Promise<void>): Promise<void> {
  for (let looks = 1; !(await take(lock)); looks++) {
    if (looks % mostLooks === 0) await rm(lock, { force: true });
    else await setTimeout(pollMilliseconds);
  }
  try {
    await body();
  } finally {
    await rm(lock, { force: true });
  }
}

/** False when somebody else has the lock. */
async function take(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
    return false;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

function warn(what: string, error: unknown): void {
  console.warn(`wgrad: ${what}: ${error instanceof Error ? error.message : String(error)}`);
}
