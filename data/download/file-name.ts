/** @file Names of files and folders that come from addresses and options, and so cannot be trusted. */
import { ArgumentError } from "../../engine/index.ts";

/** The file that an address names: the last part of its path, decoded. Empty when the path ends in a slash. */
export function nameInUrl(url: URL): string {
  const last = url.pathname.slice(url.pathname.lastIndexOf("/") + 1);
  try {
    return decodeURIComponent(last);
  } catch {
    return last; // A stray percent sign is a name like any other.
  }
}

/**
 * `name`, when it is the plain name of a file.
 *
 * @throws ArgumentError when it is empty, hidden, or could name a place outside of its folder.
 */
export function checkFileName(op: string, name: string): string {
  // Starting with a dot would be hidden, and `..` is the folder above.
  if (!/^[^./\\:*?"<>|\s\p{Cc}][^/\\:*?"<>|\p{Cc}]*$/u.test(name)) {
    throw new ArgumentError(
      op,
      `this is no name for a file: ${JSON.stringify(name)}`,
      'Pass one as the option name, for example "flowers.tgz"',
    );
  }
  return name;
}

/** The name of an archive without what tells that it is one: `oxford-iiit-pet.tgz` is `oxford-iiit-pet`. */
export function stemOf(name: string): string {
  return name.replace(/(?<=.)\.(tgz|tar\.gz|tar|zip)$/i, "");
}
