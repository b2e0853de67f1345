/**
 * @file A lock between processes, so that of several that want the same file one fetches it and the others wait. It saves work and
 * is not what keeps files whole: a lock whose owner only seems dead can be taken over, and what is done under it must stand that.
 */
import { randomUUID } from "node:crypto";
import { readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds between two looks at a lock that somebody else has. */
const pollInterval = 100;
/** Milliseconds between two signs of life. */
const heartbeatInterval = 5_000;
/** Milliseconds without a sign of life after which the owner counts as dead, on whatever machine it runs. */
const longestSilence = 60_000;

/** Runs `work` while this process has the lock at `path`, whose folder exists. Waits for as long as another one has it. */
export async function withLock<T>(
  path: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const token = `${process.pid} ${hostname()} ${randomUUID()}`;
  while (!(await create(path, token))) {
    signal?.throwIfAborted();
    if (await isAbandoned(path)) await remove(path);
    else await sleep(pollInterval, undefined, signal === undefined ? {} : { signal });
  }
  const heartbeat = setInterval(() => void touch(path), heartbeatInterval).unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    if ((await readToken(path)) === token) await remove(path);
  }
}

async function create(path: string, token: string): Promise<boolean> {
  try {
    await writeFile(path, token, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  const [token, stats] = await Promise.all([readToken(path), stat(path).catch(() => undefined)]);
  if (token === undefined || stats === undefined) return false; // Given back just now.
  const [pid, host] = token.split(" ");
  if (host === hostname() && !isAlive(Number(pid))) return true;
  return Date.now() - stats.mtimeMs > longestSilence;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Renamed first, because of two that do this at once only one succeeds. */
async function remove(path: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  await rename(path, aside).catch(() => undefined);
  await rm(aside, { force: true });
}

async function readToken(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => undefined);
}
