/** @file Where an entry of an archive lands. Its name was written by a stranger. */
import { ArchiveError } from "../../../engine/index.ts";

/** What must not be in a name, on any system: what one of them takes for a way out, all refuse. */
const forbidden: readonly (readonly [RegExp, string])[] = [
  [/\0/, "has a zero byte in its name"],
  [/\\/, "has a backslash in its name"],
  [/^\//, "has an absolute path"],
  [/^[a-z]:/i, "has a drive letter in its path"],
  // Windows drops dots and spaces at the end of a name.
  [/(^|\/)(?!\.(\/|$))[. ]+(\/|$)/, "would land outside of the folder"],
];

/** What Windows cannot have in a name, or takes for a device or a stream. */
const forbiddenOnWindows =
  /[<>:"|?*\p{Cc}]|[^/][. ](\/|$)|(^|\/)(con|prn|aux|nul|com\d|lpt\d)(\.[^/]*)?(\/|$)/iu;

/**
 * The folders and the file that the name of an entry stands for, outermost first; none for the folder itself (`./`).
 *
 * @throws ArchiveError when the entry would not land inside the folder, or not under its name.
 */
export function entryPath(archive: string, name: string, platform = process.platform): string[] {
  const problem = forbidden.find(([pattern]) => pattern.test(name))?.[1];
  const onWindows = platform === "win32" && forbiddenOnWindows.test(name);
  if (problem !== undefined || name === "" || onWindows) {
    throw refused(archive, name, problem ?? "has a name that no file can have here");
  }
  return name.split("/").filter((segment) => segment !== "" && segment !== ".");
}

/** The error for an entry that is not unpacked. */
export function refused(archive: string, name: string, problem: string): ArchiveError {
  return new ArchiveError(
    "untarData",
    `the entry ${JSON.stringify(name)} of ${archive} ${problem}`,
    "Nothing was unpacked. If you trust the archive, unpack it by hand",
  );
}
