/** @file Versions of packages and of this repository, for the head of the output. */
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";

const root = new URL("../../", import.meta.url);

/** The version in a package's package.json; a name without folder in node_modules is this repository's. */
export async function versionOf(name: string): Promise<string> {
  const folder = name === "wgrad" ? root : new URL(`node_modules/${name}/`, root);
  const text = await readFile(new URL("package.json", folder), "utf8");
  const { version } = JSON.parse(text) as { version?: string };
  return `${name} ${version ?? "of unknown version"}`;
}

/** The commit checked out, "+ changes" where files differ from it; "unknown" outside a repository. */
export function commit(): string {
  try {
    const git = (...words: string[]): string =>
      execFileSync("git", words, { cwd: root, encoding: "utf8", stdio: "pipe" }).trim();
    const hash = git("rev-parse", "--short", "HEAD");
    return git("status", "--porcelain", "--untracked-files=no") === "" ? hash : `${hash} + changes`;
  } catch {
    return "unknown";
  }
}
