import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { BlobWriter, Uint8ArrayReader, ZipWriter } from "@zip.js/zip.js";
import fc from "fast-check";
import { create } from "tar";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { loadPeer } from "../../data/peer-package.ts";
import { entryPath } from "../../data/download/extract/entry-path.ts";
import { untarData, URLs, type UntarOptions } from "../../data/node.ts";
import { ArchiveError, ArgumentError, DamagedArchiveError } from "../../engine/index.ts";
import { tarEntry, tarOf, zipOf, type TarEntry, type ZipEntry } from "./download/archives.ts";
import { cutAfter, serveFile, status, type FileServer } from "./download/file-server.ts";

const pets = tarOf([
  { name: "images/", type: "5" },
  { name: "images/a.jpg", data: "cat" },
  { name: "images/b.jpg", data: "dog" },
]);

let home: string;
let server: FileServer;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "wgrad-untar-"));
  vi.stubEnv("WGRAD_HOME", home);
  server = await serveFile(gzipSync(pets));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await server.close();
  await rm(home, { recursive: true, force: true });
});

/** The files under a folder with their contents; folders have `null`. */
async function tree(folder: string): Promise<Record<string, string | null>> {
  const found: Record<string, string | null> = {};
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) found[entry.name] = await readFile(path, "latin1");
    else {
      found[`${entry.name}/`] = null;
      const inner = Object.entries(await tree(path));
      for (const [name, data] of inner) found[`${entry.name}/${name}`] = data;
    }
  }
  return found;
}

/** Writes an archive into a folder of its own and unpacks it from there. */
async function untarBytes(bytes: Uint8Array, options: UntarOptions & { file?: string } = {}) {
  const { file = "thing.tgz", ...rest } = options;
  const path = join(home, "from", file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
  return untarData(path, rest);
}

const untarTar = (entries: readonly TarEntry[], options?: UntarOptions) =>
  untarBytes(tarOf(entries), { file: "thing.tar", ...options });
const untarZip = (entries: readonly ZipEntry[], options?: UntarOptions) =>
  untarBytes(zipOf(entries), { file: "thing.zip", ...options });

const expectNothing = async () => {
  expect(await readdir(join(home, "data"))).toEqual([]);
};

describe("untarData from the network", () => {
  const url = () => `${server.origin}/fast-ai/oxford-pets.tgz`;

  it("gives the folder, and the same at once the next time", async () => {
    const folder = await untarData(url());
    expect(folder).toBe(join(home, "data", "oxford-pets"));
    expect(await tree(folder)).toEqual({ "a.jpg": "cat", "b.jpg": "dog" });
    expect((await readdir(join(home, "archive"))).sort()).toEqual([
      ".oxford-pets.tgz.origin.json",
      "oxford-pets.tgz",
    ]);
    expect((await readdir(join(home, "data"))).sort()).toEqual([
      ".oxford-pets.origin.json",
      "oxford-pets",
    ]);
    await server.close();
    expect(await untarData(url())).toBe(folder);
    server = await serveFile(new Uint8Array(0));
  });

  it("replaces everything when told", async () => {
    const folder = await untarData(url());
    server.content = gzipSync(tarOf([{ name: "new/c.jpg", data: "fox" }]));
    expect(await untarData(url())).toBe(folder);
    expect(await tree(folder)).toEqual({ "a.jpg": "cat", "b.jpg": "dog" });
    await untarData(url(), { forceDownload: true });
    expect(await tree(folder)).toEqual({ "c.jpg": "fox" });
    expect((await readdir(join(home, "data"))).sort()).toEqual([
      ".oxford-pets.origin.json",
      "oxford-pets",
    ]);
  });

  it("keeps the old folder when the new archive is bad", async () => {
    const folder = await untarData(url());
    server.content = gzipSync(tarOf([{ name: "../c.jpg", data: "fox" }]));
    await expect(untarData(url(), { forceDownload: true })).rejects.toThrow("outside");
    expect(await tree(folder)).toEqual({ "a.jpg": "cat", "b.jpg": "dog" });
  });

  it("unpacks a kept archive without asking the server", async () => {
    const folder = await untarData(url());
    await rm(folder, { recursive: true });
    await untarData(url());
    expect(Object.keys(await tree(folder))).toHaveLength(2);
    expect(server.requests).toHaveLength(1);
  });

  it("takes folders and a name as options", async () => {
    const folder = await untarData(`${server.origin}/download?id=7`, {
      name: "flowers.tar.gz",
      archive: join(home, "a"),
      data: join(home, "d"),
    });
    expect(folder).toBe(join(home, "d", "flowers"));
    expect(await readdir(join(home, "a"))).toContain("flowers.tar.gz");
  });

  it("reports both phases", async () => {
    const last = new Map<string, readonly [number, number | undefined]>();
    await untarData(url(), {
      onProgress: ({ phase, bytes, total, url: of }) => {
        expect(of).toBe(url());
        last.set(phase, [bytes, total]);
      },
    });
    const size = server.content.length;
    expect([...last]).toEqual([
      ["download", [size, size]],
      ["extract", [size, size]],
    ]);
  });

  it("says 404 with the address", async () => {
    server.misbehave = status(404);
    await expect(untarData(url())).rejects.toThrow(`the server has no such file: ${url()} (404`);
    await expectNothing();
  });

  it("verifies a checksum before it unpacks", async () => {
    await expect(untarData(url(), { md5: "0".repeat(32) })).rejects.toThrow("its md5 is");
    await expectNothing();
    expect(await readdir(join(home, "archive"))).toEqual([]);
  });

  it("goes on with an interrupted download", async () => {
    server.misbehave = cutAfter(server, 100);
    await expect(untarData(url(), { retries: 0 })).rejects.toThrow("100 of");
    await expectNothing();
    server.misbehave = () => false;
    await untarData(url());
    expect(server.requests[1]?.headers.range).toBe("bytes=100-");
  });

  it("removes what came just now and is no archive", async () => {
    server.content = Buffer.from("<!doctype html><title>Please log in</title>");
    await expect(untarData(url())).rejects.toThrow(
      /oxford-pets\.tgz is damaged or no archive: it begins with "<!doctype html>/,
    );
    await expectNothing();
    expect(await readdir(join(home, "archive"))).not.toContain("oxford-pets.tgz");
    server.content = gzipSync(pets);
    await untarData(url());
  });

  it("does not take the data of another address for these", async () => {
    await untarData(url());
    const other = `${server.origin}/others/oxford-pets.tgz`;
    await expect(untarData(other)).rejects.toThrow(/is not from .*others.*it is from .*fast-ai/);
    await expect(untarData(other, { name: "others.tgz" })).resolves.toMatch(/others$/);
  });

  it("refuses an archive and a folder of the same name", async () => {
    await expect(untarData(`${server.origin}/x`, { archive: home, data: home })).rejects.toThrow(
      "would both be",
    );
  });

  it("downloads and unpacks once for calls and processes at the same time", async () => {
    const program = `
      import { untarData } from "./data/node.ts";
      console.log(await untarData(${JSON.stringify(url())}));`;
    const run = () =>
      new Promise<number | null>((resolve) => {
        const command = ["--import", "./tools/register.mjs", "--input-type=module", "-e", program];
        const child = spawn(process.execPath, command, { stdio: ["ignore", "ignore", "inherit"] });
        child.on("exit", resolve);
      });
    const codes = await Promise.all([run(), run()]);
    expect(codes).toEqual([0, 0]);
    await Promise.all([untarData(url()), untarData(url())]);
    expect(server.requests).toHaveLength(1);
    expect((await readdir(join(home, "data"))).sort()).toEqual([
      ".oxford-pets.origin.json",
      "oxford-pets",
    ]);
  });
});

describe("untarData from a file", () => {
  const top = [
    { name: "top/a.txt", data: "A" },
    { name: "top/sub/b.txt", data: "B" },
  ];
  const inner = { "a.txt": "A", "sub/": null, "sub/b.txt": "B" };

  it("takes a path and a file: address", async () => {
    expect(await tree(await untarTar(top))).toEqual(inner);
    const address = pathToFileURL(join(home, "from", "thing.tar")).href;
    const folder = await untarData(address, { name: "again.tar" });
    expect(folder).toBe(join(home, "data", "again"));
    expect(await tree(folder)).toEqual(inner);
    expect(await readdir(home)).not.toContain("archive");
  });

  it("unpacks .tar, .tgz and .zip, told apart by how they begin", async () => {
    for (const [file, bytes] of [
      ["a.tar", tarOf(top)],
      ["b.tgz", gzipSync(tarOf(top))],
      ["c.zip", zipOf(top)],
      ["d.zip", gzipSync(tarOf(top))],
      ["e", zipOf(top)],
    ] as const) {
      const folder = await untarBytes(bytes, { file });
      expect(folder).toBe(join(home, "data", file.slice(0, 1)));
      expect(await tree(folder), file).toEqual(inner);
    }
  });

  it("puts several top entries, or a single file, into the folder of the stem", async () => {
    const several = [...top, { name: "./readme.txt", data: "R" }];
    const expected = { "top/": null, "top/a.txt": "A", "top/sub/": null, "top/sub/b.txt": "B" };
    for (const folder of [await untarTar(several), await untarZip(several, { name: "b.zip" })]) {
      expect(await tree(folder)).toEqual({ ...expected, "readme.txt": "R" });
    }
    const single = await untarTar([{ name: "a.csv", data: "1,2" }], { name: "single.tar" });
    expect(await tree(single)).toEqual({ "a.csv": "1,2" });
  });

  it("has names of any length and alphabet, as tar and zip.js write them", async () => {
    const source = join(home, "source");
    const names = ["ünï cödé 日本.txt", `${"long".repeat(40)}.txt`, "sub/deep/er/x", "empty"];
    for (const name of names) {
      await mkdir(dirname(join(source, "top", name)), { recursive: true });
      await writeFile(join(source, "top", name), name === "empty" ? "" : name);
    }
    await create({ file: join(home, "made.tgz"), gzip: true, cwd: source }, ["top"]);
    const zip = new ZipWriter(new BlobWriter(), { useWebWorkers: false });
    await zip.add("top/", undefined, { directory: true });
    for (const name of names) {
      const data = await readFile(join(source, "top", name));
      await zip.add(`top/${name}`, new Uint8ArrayReader(data));
    }
    await writeFile(join(home, "zipped.zip"), await (await zip.close()).bytes());
    const expected = await tree(join(source, "top"));
    expect(await tree(await untarData(join(home, "made.tgz")))).toEqual(expected);
    expect(await tree(await untarData(join(home, "zipped.zip")))).toEqual(expected);
  });

  it("gives back files of every size, in .tgz and .zip", async () => {
    const sizes = [0, 1, 511, 512, 513, 65_535, 65_536, 65_537, 300_000, 1_500_000];
    const many = Array.from({ length: 300 }, (_, i) => (i * 97) % 2000);
    const entries = [...sizes, ...many].map((size, i) => ({
      name: `top/${i}.bin`,
      data: randomBytes(size),
    }));
    const expected = Object.fromEntries(
      entries.map(({ name, data }) => [name.slice(4), data.toString("latin1")]),
    );
    expect(await tree(await untarBytes(gzipSync(tarOf(entries))))).toEqual(expected);
    const halfStored = entries.map((entry, i) => ({ ...entry, method: i % 2 === 0 ? 0 : 8 }));
    expect(await tree(await untarZip(halfStored, { name: "zipped.zip" }))).toEqual(expected);
  });

  it("notices that the archive changed, but not that it is gone", async () => {
    await untarTar(top);
    const path = join(home, "from", "thing.tar");
    await utimes(path, new Date(0), new Date(0));
    await expect(untarData(path)).rejects.toThrow(/thing is not from .*thing\.tar: it is from/);
    await untarData(path, { forceDownload: true });
    await rm(path);
    await expect(untarData(path)).resolves.toMatch(/thing$/);
  });

  it("verifies a checksum, and names wrong arguments", async () => {
    await expect(untarTar(top, { md5: "0".repeat(32) })).rejects.toThrow("its md5 is");
    await expect(untarData(join(home, "none.tgz"))).rejects.toThrow("there is no such file");
    await expect(untarData("s3://bucket/a.tgz")).rejects.toThrow("not supported: s3://bucket");
    await expect(untarTar(top, { maxEntries: 0 })).rejects.toThrow("must be above 0: 1 and 0");
    await expect(untarTar(top, { name: "../x" })).rejects.toThrow('no name for a file: "../x"');
    await writeFile(join(home, "data", "thing"), "");
    await expect(untarTar(top)).rejects.toThrow("thing is a file. Remove it");
  });

  it("clears what a killed run left, and nothing else", async () => {
    const data = join(home, "data");
    await mkdir(join(data, ".thing.0123abcd.unpacking", "top"), { recursive: true });
    await mkdir(join(data, ".other.0123abcd.unpacking"));
    await untarTar(top);
    expect((await readdir(data)).sort()).toEqual([
      ".other.0123abcd.unpacking",
      ".thing.origin.json",
      "thing",
    ]);
  });

  it("stops when the signal says so", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(untarTar(top, { signal })).rejects.toThrow("enough");
    await expect(untarZip(top, { signal })).rejects.toThrow("enough");
    await expectNothing();
  });

  it("ends with what onProgress throws", async () => {
    const reason = new Error("mine");
    const onProgress = () => {
      throw reason;
    };
    await expect(untarTar(top, { onProgress })).rejects.toBe(reason);
    await expect(untarZip(top, { onProgress })).rejects.toBe(reason);
    await expectNothing();
  });
});

describe("untarData refuses", () => {
  const before: TarEntry = { name: "top/fine.txt", data: "fine" };

  it.each([
    ["..", "../evil.txt", "would land outside of the folder"],
    ["..", "top/../../evil.txt", "would land outside of the folder"],
    ["..", "top/..", "would land outside of the folder"],
    [".. with a space", "top/.. /evil.txt", "would land outside of the folder"],
    ["an absolute path", "/tmp/evil.txt", "has an absolute path"],
    ["a drive letter", "C:/evil.txt", "has a drive letter"],
    ["a drive letter", "c:evil.txt", "has a drive letter"],
    ["a backslash", "..\\evil.txt", "has a backslash"],
    ["a backslash", "top\\evil.txt", "has a backslash"],
  ])("%s: %s", async (_kind, name, problem) => {
    const evil = { name, data: "evil" };
    const message = `the entry ${JSON.stringify(name)} of ${join(home, "from", "thing.")}`;
    for (const untar of [untarTar, untarZip]) {
      const error: unknown = await untar([before, evil]).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(ArchiveError);
      expect(error).not.toBeInstanceOf(DamagedArchiveError);
      expect((error as Error).message).toContain(message);
      expect((error as Error).message).toContain(problem);
      await expectNothing();
    }
    expect((await readdir(home)).sort()).toEqual(["data", "from"]);
  });

  it.each([
    ["1", "top/fine.txt", 'is a hard link to "top/fine.txt"'],
    ["2", "../../outside", 'is a symbolic link to "../../outside"'],
    ["3", "", "is a device"],
    ["4", "", "is a device"],
    ["6", "", "is a pipe"],
    ["S", "", "is of a kind that is not unpacked (SparseFile)"],
  ])("entries of type %s in a tar archive", async (type, link, problem) => {
    const evil = { name: "top/evil", type, link };
    const call = untarTar([before, evil, { name: "top/evil/x", data: "through it" }]);
    await expect(call).rejects.toThrow(`the entry "top/evil" of`);
    await expect(untarTar([before, evil])).rejects.toThrow(problem);
    await expect(untarTar([before, evil])).rejects.toBeInstanceOf(ArchiveError);
    await expectNothing();
  });

  it("links, devices and encrypted entries in a zip archive", async () => {
    for (const [mode, encrypted, problem] of [
      [0o120777, false, "is a symbolic link"],
      [0o060644, false, "is a device"],
      [0o010644, false, "is a device"],
      [0o100644, true, "is encrypted"],
    ] as const) {
      const evil: ZipEntry = { name: "top/evil", data: "../../outside", mode, encrypted };
      const call = untarZip([before, evil]);
      await expect(call, problem).rejects.toThrow(problem);
      await expectNothing();
    }
  });

  it("a zip entry that is compressed in another way", async () => {
    const call = untarZip([before, { name: "top/x", data: "x", method: 12 }]);
    await expect(call).rejects.toThrow('"top/x" of');
    await expect(untarZip([{ name: "x", method: 12 }])).rejects.toThrow(
      "by method 12, which is not",
    );
    await expectNothing();
  });

  it("a zero byte in a name", async () => {
    await expect(untarZip([{ name: "a\0b", data: "x" }])).rejects.toThrow("zero byte");
  });

  it("two entries with the same path, and a file in the place of a folder", async () => {
    for (const names of [
      ["top/a", "top/a"],
      ["top/a", "top/a/b"],
      ["top/a/b", "top/a"],
      ["top/a", "./top//a"],
    ]) {
      const entries = names.map((name) => ({ name, data: "x" }));
      const problem = "has a path that another entry has";
      await expect(untarTar(entries), names.join()).rejects.toThrow(problem);
      await expect(untarZip(entries), names.join()).rejects.toThrow(problem);
      await expectNothing();
    }
  });

  it("more than the limits, whatever the archive announces", async () => {
    const zeros = { name: "top/zeros", data: Buffer.alloc(5_000_000) };
    const problem = /unpacks to more than 1000000 bytes.*"top\/zeros".*raise maxBytes/;
    const maxBytes = 1_000_000;
    const bomb = gzipSync(tarOf([before, zeros]));
    expect(bomb.length).toBeLessThan(10_000);
    await expect(untarBytes(bomb, { maxBytes })).rejects.toThrow(problem);
    await expect(untarZip([before, zeros], { maxBytes })).rejects.toThrow(problem);
    const liar = [before, { ...zeros, size: 10 }];
    await expect(untarZip(liar, { maxBytes })).rejects.toBeInstanceOf(ArchiveError);
    await expectNothing();
    await expect(untarTar([before, zeros], { maxBytes: 5_000_004 })).resolves.toBeDefined();
  });

  it("more entries than the limit", async () => {
    const entries = Array.from({ length: 4 }, (_, i) => ({ name: `top/${i}`, data: "" }));
    const problem = /unpacks to more than 3 entries.*"top\/3".*raise maxEntries/;
    await expect(untarTar(entries, { maxEntries: 3 })).rejects.toThrow(problem);
    await expect(untarZip(entries, { maxEntries: 3 })).rejects.toThrow(problem);
    await expectNothing();
    await expect(untarTar(entries, { maxEntries: 4 })).resolves.toBeDefined();
  });
});

describe("untarData and damaged archives", () => {
  const entries = Array.from({ length: 50 }, (_, i) => ({
    name: `top/${i}.bin`,
    data: randomBytes(10_000),
  }));

  const expectDamaged = async (bytes: Uint8Array, file: string) => {
    const error: unknown = await untarBytes(bytes, { file }).catch((reason: unknown) => reason);
    expect(error, file).toBeInstanceOf(DamagedArchiveError);
    expect((error as Error).message).toContain(`${file} is damaged or no archive`);
    await expectNothing();
  };

  it("says so of those that end early", async () => {
    const whole = { tar: tarOf(entries), tgz: gzipSync(tarOf(entries)), zip: zipOf(entries) };
    const entry = tarEntry({ name: "top/0.bin", data: randomBytes(10_000) }).length;
    for (const [extension, bytes] of Object.entries(whole)) {
      for (const length of [
        30,
        600,
        3 * entry,
        100_000,
        bytes.length - 1100,
        bytes.length - 1024,
      ]) {
        if (extension !== "tar" && length > bytes.length - 1100) continue;
        await expectDamaged(bytes.subarray(0, length), `cut.${extension}`);
      }
    }
  });

  it("says so of those with wrong bytes", async () => {
    const tar = tarOf(entries);
    const flip = (bytes: Uint8Array, at: number) => {
      const copy = Uint8Array.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ 0xff;
      return copy;
    };
    await expectDamaged(flip(tar, 10_752 + 3), "header.tar");
    await expectDamaged(flip(gzipSync(tar), 200_000), "middle.tgz");
    await expectDamaged(flip(zipOf(entries), 200_000), "middle.zip");
    await expectDamaged(zipOf([{ name: "a", data: "x", crc: 1 }]), "crc.zip");
    await expectDamaged(zipOf([{ name: "a", data: "x", size: 2 }]), "size.zip");
    await expectDamaged(flip(zipOf([{ name: "a", data: "x" }]), 0), "place.zip");
    await expectDamaged(gzipSync("no tar at all".repeat(1000)), "text.tgz");
    await expectDamaged(Buffer.from("<html>"), "page.zip");
    await expectDamaged(tarOf([]), "empty.tar");
    await expectDamaged(zipOf([]), "empty.zip");
    await expectDamaged(new Uint8Array(0), "nothing.tgz");
  });

  it("names compressions that it does not know", async () => {
    await expect(untarBytes(Buffer.from("BZh91AY"), { file: "a.tar.bz2" })).rejects.toThrow(
      "compressed in a way that is not supported. Supported are .tgz",
    );
  });
});

describe("names of entries", () => {
  it("never lead out of the folder", () => {
    const part = fc.oneof(fc.constantFrom("..", ".", "", "a", " ", "C:", "\\", "..."), fc.string());
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
        let path: string[];
        try {
          path = entryPath("x.tar", parts.join("/"));
        } catch (error) {
          expect(error).toBeInstanceOf(ArchiveError);
          return;
        }
        for (const segment of path) expect(segment).not.toMatch(/^\.*$|[/\\]/);
        expect(join("/root", ...path)).toMatch(/^\/root(\/|$)/);
      }),
      { numRuns: 2000 },
    );
  });

  it("are those that Windows can have, on Windows", () => {
    for (const name of ["a/con", "NUL.txt", "ab:c", "a?", "a./b", "a "]) {
      expect(() => entryPath("x.tar", name, "win32")).toThrow(ArchiveError);
      expect(entryPath("x.tar", name, "linux").join("/")).toBe(name);
    }
    expect(entryPath("x.tar", "./a/.hidden/console.txt", "win32")).toEqual([
      "a",
      ".hidden",
      "console.txt",
    ]);
  });

  it("are safe even where a link was planted before", async () => {
    await mkdir(join(home, "data"));
    await symlink(tmpdir(), join(home, "data", ".thing.0123abcd.unpacking"));
    await untarTar([{ name: "a", data: "x" }]);
    expect(await readdir(tmpdir())).not.toContain("a");
  });
});

describe("what untarData needs", () => {
  it("is named when it is not installed", async () => {
    const missing = new Error("Cannot find package 'tar'\nand where it was looked for");
    const call = loadPeer("untarData", "tar", () => Promise.reject(missing));
    await expect(call).rejects.toThrow(
      "untarData: it needs tar of npm, which cannot be loaded: Cannot find package 'tar'. Run `npm install tar`",
    );
    await expect(call).rejects.toBeInstanceOf(ArgumentError);
    const broken = loadPeer("untarData", "tar", () => Promise.reject(new Error("broken")));
    await expect(broken).rejects.toThrow("needs tar of npm, which cannot be loaded: broken");
  });

  it("has addresses that name archives", () => {
    for (const url of Object.values(URLs)) expect(url).toMatch(/^https:\/\/[^ ]+\/[\w-]+\.tgz$/);
    expect(URLs.PETS).toBe("https://s3.amazonaws.com/fast-ai-imageclas/oxford-iiit-pet.tgz");
  });
});
