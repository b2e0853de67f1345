/** @file Finding images: the same list on every machine. */
import { symlink } from "node:fs/promises";
import { join, relative } from "node:path";
import { expect, it } from "vitest";
import { getImageFiles, type ImageFilesOptions } from "../../../data/node.ts";
import { put, temporaryFolder } from "./images.ts";

const folder = temporaryFolder();
const names = [
  "b.jpg", "B.JPEG", "a.png", "é.png", ".hidden.png", "notes.txt", "noextension",
  "a/1.webp", "a-b/1.gif", "a/10.tif", "a/9.bmp", ".dot/1.png", "z/deep/er/1.avif",
]; // prettier-ignore

async function found(options?: ImageFilesOptions): Promise<string[]> {
  for (const name of names) await put(folder, name, Buffer.of(1));
  const files = await getImageFiles(folder, options);
  return files.map((file) => relative(folder, file).replaceAll("\\", "/"));
}

it("sorts by code points, folder by folder, as Python sorts paths", async () => {
  expect(await found()).toEqual(
    ["B.JPEG", "a/10.tif", "a/1.webp", "a/9.bmp", "a-b/1.gif", "a.png", "b.jpg", "z/deep/er/1.avif", "é.png"].sort(
      comparePythonPaths,
    ), // prettier-ignore
  );
});

/** Python compares paths by the list of their parts. All names here have one UTF-16 unit a letter. */
function comparePythonPaths(a: string, b: string): number {
  const [left, right] = [a.split("/"), b.split("/")];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [x = "", y = ""] = [left[i], right[i]];
    if (x !== y) return x < y ? -1 : 1;
  }
  return left.length - right.length;
}

it("stays in the folder, or in some of its folders, when asked to", async () => {
  expect(await found({ recurse: false })).toEqual(["B.JPEG", "a.png", "b.jpg", "é.png"]);
  expect(await found({ folders: ["z", "a", "a"] })).toEqual([
    "a/1.webp", "a/10.tif", "a/9.bmp", "z/deep/er/1.avif",
  ]); // prettier-ignore
  expect(await found({ folders: ["z"], recurse: false })).toEqual([]);
});

it("says which folder is missing", async () => {
  await expect(getImageFiles(join(folder, "none"))).rejects.toThrow(
    `getImageFiles: the folder ${join(folder, "none")} cannot be read: ENOENT`,
  );
  await expect(getImageFiles(folder, { folders: ["valid"] })).rejects.toThrow(
    join(folder, "valid"),
  );
  await expect(getImageFiles(join(folder, "b.jpg"))).rejects.toThrow("ENOTDIR");
});

it("follows links, but not in circles", async () => {
  const links = temporaryFolder();
  await put(links, "real/1.png", Buffer.of(1));
  await symlink(join(links, "real"), join(links, "also"), "dir");
  expect((await getImageFiles(links)).length).toBe(2);
  await symlink(links, join(links, "real", "back"), "dir");
  await expect(getImageFiles(links)).rejects.toThrow("a link leads back into a folder");
});
