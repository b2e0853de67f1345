import { spawn, type ChildProcess } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { downloadFile, wgradHome, type DownloadOptions } from "../../data/node.ts";
import { ArgumentError, DownloadError } from "../../engine/index.ts";
import { cutAfter, serveFile, status, type FileServer } from "./download/file-server.ts";

const content = randomBytes(300_000);
const half = content.length / 2;
const digest = (algorithm: string, bytes: Uint8Array = content) =>
  createHash(algorithm).update(bytes).digest("hex");

let server: FileServer;
let directory: string;
/** `server.origin` with the name of a file. */
let url: string;

beforeEach(async () => {
  server = await serveFile(content);
  directory = await mkdtemp(join(tmpdir(), "wgrad-download-"));
  url = `${server.origin}/some/data.bin`;
});

afterEach(async () => {
  await server.close();
  await rm(directory, { recursive: true, force: true });
});

const fetchIt = (options: DownloadOptions = {}) =>
  downloadFile(url, { directory, retryDelay: 0.01, timeout: 5, ...options });

/** What a user sees in the folder. */
const visible = async () => (await readdir(directory)).filter((name) => !name.startsWith("."));

const expectWhole = async (path: string, expected: Uint8Array = content) => {
  expect(digest("sha1", await readFile(path))).toBe(digest("sha1", expected));
  expect(await visible()).toEqual(["data.bin"]);
  expect((await readdir(directory)).sort()).toEqual([".data.bin.origin.json", "data.bin"]);
};

describe("downloadFile", () => {
  it("fetches a file once", async () => {
    const path = await fetchIt();
    expect(path).toBe(join(directory, "data.bin"));
    await expectWhole(path);
    expect(await fetchIt()).toBe(path);
    expect(server.requests).toHaveLength(1);
    await fetchIt({ forceDownload: true });
    expect(server.requests).toHaveLength(2);
    await expectWhole(path);
  });

  it("puts it under WGRAD_HOME where no folder is given", async () => {
    vi.stubEnv("WGRAD_HOME", directory);
    try {
      expect(wgradHome()).toBe(directory);
      expect(await downloadFile(url)).toBe(join(directory, "archive", "data.bin"));
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it("says how far it is", async () => {
    const seen: (readonly [number, number | undefined])[] = [];
    await fetchIt({ onProgress: ({ bytes, total }) => seen.push([bytes, total]) });
    expect(seen[0]).toEqual([0, content.length]);
    expect(seen.at(-1)).toEqual([content.length, content.length]);
    expect(seen.map(([bytes]) => bytes)).toEqual(
      seen.map(([bytes]) => bytes).sort((a, b) => a - b),
    );
  });

  it("takes an empty file, and one whose size the server does not tell", async () => {
    server.content = new Uint8Array(0);
    await expectWhole(await fetchIt(), new Uint8Array(0));
    server.misbehave = (_request, response) => {
      response.write(content.subarray(0, half));
      response.end(content.subarray(half));
      return true;
    };
    await expectWhole(await fetchIt({ forceDownload: true }));
  });

  it("follows redirects, and names the file by the first address", async () => {
    server.misbehave = (request, response, count) =>
      count <= 2 && status(302, { location: `/hop${count}?signed` })(request, response, count);
    await expectWhole(await fetchIt());
    expect(server.requests.map((request) => request.url)).toEqual([
      "/some/data.bin",
      "/hop1?signed",
      "/hop2?signed",
    ]);
  });

  it.each([
    ["in a circle", "/some/data.bin", "leads through more than 10 redirects"],
    ["to a file of this machine", "file:///etc/passwd", "redirects to file:///etc/passwd"],
    ["nowhere", undefined, "redirects to nowhere"],
  ])("refuses redirects %s", async (_name, location, message) => {
    server.misbehave = status(301, location === undefined ? {} : { location });
    await expect(fetchIt()).rejects.toThrow(message);
    expect(await visible()).toEqual([]);
  });
});

describe("downloadFile, interrupted", () => {
  it("asks for the rest in the same call", async () => {
    const cut = cutAfter(server, half);
    server.misbehave = (request, response, count) => count === 1 && cut(request, response, count);
    await expectWhole(await fetchIt());
    expect(server.requests[1]?.headers).toMatchObject({
      range: `bytes=${half}-`,
      "if-range": '"v1"',
    });
  });

  /** A call that gives up half way. */
  const interrupt = async () => {
    server.misbehave = cutAfter(server, half);
    const error: unknown = await fetchIt({ retries: 0 }).catch((reason: unknown) => reason);
    server.misbehave = () => false;
    expect(error).toBeInstanceOf(DownloadError);
    return (error as Error).message;
  };

  it("keeps what came for a later call, and nothing in the place of the file", async () => {
    const message = await interrupt();
    expect(message).toContain(`downloadFile: ${url} does not come, after 1 tries in vain`);
    expect(message).toContain(`${half} of ${content.length} bytes are here`);
    expect(await visible()).toEqual([
      expect.stringMatching(/^data\.bin\.[0-9a-f]{8}\.part$/),
      expect.stringMatching(/^data\.bin\.[0-9a-f]{8}\.part\.json$/),
    ]);
    const progress: number[] = [];
    await expectWhole(await fetchIt({ onProgress: ({ bytes }) => progress.push(bytes) }));
    expect(progress[0]).toBe(half);
    expect(server.requests[1]?.headers.range).toBe(`bytes=${half}-`);
  });

  it("goes by the date where there is no strong ETag", async () => {
    server.etag = 'W/"weak"';
    server.lastModified = "Tue, 01 Oct 2024 10:00:00 GMT";
    await interrupt();
    await expectWhole(await fetchIt());
    expect(server.requests[1]?.headers["if-range"]).toBe(server.lastModified);
  });

  it("begins anew where the server gives neither", async () => {
    server.etag = undefined;
    await interrupt();
    await expectWhole(await fetchIt());
    expect(server.requests[1]?.headers.range).toBeUndefined();
  });

  it("begins anew when the file changed", async () => {
    await interrupt();
    server.content = randomBytes(200_000);
    server.etag = '"v2"';
    await expectWhole(await fetchIt(), server.content);
    expect(server.requests).toHaveLength(2);
  });

  it("begins anew when the file changed and the server does not look at If-Range", async () => {
    await interrupt();
    server.content = randomBytes(content.length);
    server.etag = '"v2"';
    server.misbehave = (request) => {
      delete request.headers["if-range"];
      return false;
    };
    await expectWhole(await fetchIt(), server.content);
    expect(server.requests).toHaveLength(3);
  });

  it("begins anew when the server ignores Range", async () => {
    await interrupt();
    server.misbehave = (request) => {
      delete request.headers.range;
      return false;
    };
    await expectWhole(await fetchIt());
    expect(server.requests).toHaveLength(2);
  });

  it("begins anew on 416", async () => {
    await interrupt();
    server.content = randomBytes(1000);
    server.misbehave = (request) => {
      delete request.headers["if-range"];
      return false;
    };
    await expectWhole(await fetchIt(), server.content);
    expect(server.requests[1]?.headers.range).toBe(`bytes=${half}-`);
    expect(server.requests[2]?.headers.range).toBeUndefined();
  });

  it("begins anew when the server sends another part than was asked for", async () => {
    await interrupt();
    server.misbehave = (request, response) => {
      if (request.headers.range === undefined) return false;
      response.writeHead(206, {
        "content-range": `bytes 0-99/${content.length}`,
        "content-length": 100,
      });
      response.end(content.subarray(0, 100));
      return true;
    };
    await expectWhole(await fetchIt());
  });

  it("begins anew when what an earlier run left has the wrong bytes", async () => {
    await interrupt();
    const part = (await visible()).find((name) => name.endsWith(".part")) ?? "";
    await writeFile(join(directory, part), randomBytes(half));
    await expectWhole(await fetchIt({ sha256: digest("sha256") }));
  });

  it("does not go on with what came from another address", async () => {
    await interrupt();
    url = `${server.origin}/other/data.bin`;
    await expectWhole(await fetchIt());
    expect(server.requests[1]?.headers.range).toBeUndefined();
  });

  it("needs no request when only the last step was missing", async () => {
    await interrupt();
    const part = (await visible()).find((name) => name.endsWith(".part")) ?? "";
    await writeFile(join(directory, part), content);
    await expectWhole(await fetchIt());
    expect(server.requests).toHaveLength(1);
  });
});

describe("downloadFile, when it fails", () => {
  it("tries again on 5xx and on lost connections, with growing pauses", async () => {
    const times: number[] = [];
    server.misbehave = (request, response, count) => {
      times.push(performance.now());
      if (count === 2) request.socket.destroy();
      else if (count < 5) response.writeHead(503).end();
      return count < 5;
    };
    await expectWhole(await fetchIt({ retryDelay: 0.05 }));
    const pauses = times.slice(1).map((time, i) => time - (times[i] ?? 0));
    // 50, 100, 200 and 400 ms, each up to a quarter shorter or longer.
    for (const [i, pause] of pauses.entries()) expect(pause).toBeGreaterThan(35 * 2 ** i);
  });

  it("gives up after the retries", async () => {
    server.misbehave = status(503);
    await expect(fetchIt({ retries: 2 })).rejects.toThrow(
      /does not come, after 3 tries in vain: the server answers 503 Service Unavailable; 0 bytes/,
    );
    expect(server.requests).toHaveLength(3);
    expect(await readdir(directory)).toEqual([]);
  });

  it("does not count tries that brought something", async () => {
    server.misbehave = (request, response, count) => {
      if (count > 20) return false;
      const begin = Number(/\d+/.exec(request.headers.range ?? "")?.[0] ?? 0);
      const headers = {
        etag: '"v1"',
        "content-range": `bytes ${begin}-${content.length - 1}/${content.length}`,
        "content-length": content.length - begin,
      };
      response.writeHead(begin === 0 ? 200 : 206, headers);
      response.write(content.subarray(begin, begin + 1000), () => {
        setTimeout(() => response.destroy(), 40);
      });
      return true;
    };
    await expectWhole(await fetchIt({ retries: 3 }));
    expect(server.requests).toHaveLength(21);
  });

  it("waits for a silent server no longer than the timeout, before and in the answer", async () => {
    server.misbehave = () => true;
    await expect(fetchIt({ timeout: 0.1, retries: 1 })).rejects.toThrow("no answer for 0.1 s");
    server.misbehave = (_request, response) => {
      response.writeHead(200, { "content-length": content.length, etag: '"v1"' });
      response.write(content.subarray(0, half));
      return true;
    };
    await expect(fetchIt({ timeout: 0.2, retries: 0 })).rejects.toThrow("no byte for 0.2 s");
  });

  it("says that nobody listens", async () => {
    await server.close();
    await expect(fetchIt({ retries: 1 })).rejects.toThrow(/after 2 tries in vain: .*ECONNREFUSED/);
    server = await serveFile(content);
  });

  it.each([
    [404, "the server has no such file: URL (404 Not Found). Check the address"],
    [403, "the server does not give URL: it answers 403 Forbidden"],
    [204, "the server does not give URL: it answers 204 No Content"],
  ])("does not try again on %i", async (code, message) => {
    server.misbehave = status(code);
    await expect(fetchIt()).rejects.toThrow(message.replace("URL", url));
    await expect(fetchIt()).rejects.toBeInstanceOf(DownloadError);
    expect(server.requests).toHaveLength(2);
    expect(await readdir(directory)).toEqual([]);
  });

  it("keeps a .tgz as it is when the server calls it compressed, and refuses others", async () => {
    const packed = gzipSync(content);
    server.misbehave = (_request, response) => {
      response.writeHead(200, { "content-encoding": "x-gzip" }).end(packed);
      return true;
    };
    await expect(fetchIt()).rejects.toThrow("is sent compressed (Content-Encoding: x-gzip)");
    const path = await downloadFile(`${server.origin}/data.tgz`, { directory });
    expect(digest("md5", await readFile(path))).toBe(digest("md5", packed));
  });

  it("ends with the reason of the signal, and keeps what came", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const onProgress = ({ bytes }: { bytes: number }) => {
      if (bytes > 0) stop.abort(reason);
    };
    await expect(fetchIt({ signal: stop.signal, onProgress })).rejects.toBe(reason);
    expect(await visible()).toHaveLength(2);
    await expectWhole(await fetchIt());
  });

  it("ends with what onProgress throws", async () => {
    const reason = new Error("mine");
    const onProgress = () => {
      throw reason;
    };
    await expect(fetchIt({ onProgress })).rejects.toBe(reason);
    expect(server.requests).toHaveLength(1);
  });

  it("says when it cannot write", async () => {
    await writeFile(join(directory, "file"), "");
    await expect(fetchIt({ directory: join(directory, "file", "x") })).rejects.toThrow(
      /cannot be written to .*ENOTDIR.*Check the folder and the free space/,
    );
  });

  it("names wrong arguments", async () => {
    const wrong: [string, DownloadOptions, string][] = [
      ["ftp://example.org/a", {}, 'no address of a file on the network: "ftp://example.org/a"'],
      ["data.tgz", {}, "no address"],
      [`${server.origin}/`, {}, 'no name for a file: ""'],
      [`${server.origin}/..%2fx`, {}, 'no name for a file: "../x"'],
      [url, { name: "a/b" }, 'no name for a file: "a/b"'],
      [url, { timeout: 0 }, "timeout is out of range: 0"],
      [url, { retries: -1 }, "retries is out of range: -1"],
      [url, { retryDelay: Number.NaN }, "retryDelay is out of range: NaN"],
      [url, { sha256: "xyz" }, 'sha256 is not one: "xyz"'],
      [url, { md5: "0123" }, 'md5 is not one: "0123"'],
    ];
    for (const [address, options, message] of wrong) {
      const call = downloadFile(address, { directory, ...options });
      await expect(call, message).rejects.toThrow(message);
      await expect(call, message).rejects.toBeInstanceOf(ArgumentError);
    }
    expect(server.requests).toHaveLength(0);
  });
});

describe("downloadFile, checksums", () => {
  it("takes what has them", async () => {
    await expectWhole(
      await fetchIt({ sha256: digest("sha256").toUpperCase(), md5: digest("md5") }),
    );
  });

  it("leaves nothing of what has not", async () => {
    for (const options of [{ sha256: "0".repeat(64) }, { md5: "0".repeat(32) }]) {
      await expect(fetchIt(options)).rejects.toThrow(
        /is not the file that was expected: its (sha256|md5) is [0-9a-f]+, expected 0+\. It was removed/,
      );
      expect(await readdir(directory)).toEqual([]);
    }
  });

  it("keeps the old file when the new one is wrong", async () => {
    const path = await fetchIt();
    server.content = randomBytes(10);
    await expect(fetchIt({ forceDownload: true, md5: digest("md5") })).rejects.toThrow(
      "its md5 is",
    );
    await expectWhole(path);
  });

  it("verifies the digits that torchvision puts in names", async () => {
    url = `${server.origin}/resnet34-${digest("sha256").slice(0, 8)}.pth`;
    await fetchIt();
    url = `${server.origin}/resnet34-b627a593.pth`;
    await expect(fetchIt()).rejects.toThrow(
      /its sha256 is [0-9a-f]{64}, expected b627a593\.\.\.\. /,
    );
    await fetchIt({ sha256: false });
  });

  it("fetches again what is there but wrong, cut, or of another address only when told", async () => {
    const path = await fetchIt();
    await writeFile(path, content.subarray(0, 100));
    await expectWhole(await fetchIt());
    await writeFile(path, randomBytes(content.length));
    await expectWhole(await fetchIt({ sha256: digest("sha256") }));
    url = `${server.origin}/elsewhere/data.bin`;
    await expect(fetchIt()).rejects.toThrow(
      /is not from http.*elsewhere\/data\.bin: it is from http.*some\/data\.bin.*Pass another name/,
    );
    await expectWhole(await fetchIt({ forceDownload: true }));
  });
});

/** Another process that downloads; it prints the path at the end. */
function downloadElsewhere(home: string): ChildProcess {
  const program = `
    import { downloadFile } from "./data/node.ts";
    console.log(await downloadFile(${JSON.stringify(url)}));`;
  return spawn(
    process.execPath,
    ["--import", "./tools/register.mjs", "--input-type=module", "--eval", program],
    { env: { ...process.env, WGRAD_HOME: home }, stdio: ["ignore", "pipe", "inherit"] },
  );
}

describe("downloadFile in several processes", () => {
  it("fetches once for calls at the same time", async () => {
    const paths = await Promise.all([fetchIt(), fetchIt(), fetchIt()]);
    expect(new Set(paths)).toEqual(new Set([join(directory, "data.bin")]));
    await expectWhole(paths[0]);
    expect(server.requests).toHaveLength(1);
  });

  it("fetches once for processes at the same time, and goes on where a killed one stopped", async () => {
    let waiting = true;
    server.misbehave = (_request, response) => {
      if (!waiting) return false;
      response.writeHead(200, { "content-length": content.length, etag: '"v1"' });
      response.write(content.subarray(0, half)); // And no more.
      return true;
    };
    const archive = join(directory, "archive");
    const first = downloadElsewhere(directory);
    await vi.waitFor(
      async () => {
        const names = await readdir(archive);
        const part = names.find((name) => name.endsWith(".part")) ?? "none";
        expect((await readFile(join(archive, part))).length).toBe(half);
      },
      { timeout: 60_000, interval: 50 },
    );
    const others = [downloadElsewhere(directory), downloadElsewhere(directory)];
    await new Promise((resolve) => setTimeout(resolve, 1000));
    waiting = false;
    first.kill("SIGKILL");
    const codes = await Promise.all(others.map((child) => once(child, "exit")));
    expect(codes).toEqual([
      [0, null],
      [0, null],
    ]);
    expect(digest("md5", await readFile(join(archive, "data.bin")))).toBe(digest("md5"));
    expect(server.requests.map((request) => request.headers.range)).toEqual([
      undefined,
      `bytes=${half}-`,
    ]);
    expect((await readdir(archive)).sort()).toEqual([".data.bin.origin.json", "data.bin"]);
  });

  it("takes over the lock of a machine that is gone", async () => {
    await mkdir(directory, { recursive: true });
    const lock = join(directory, ".data.bin.lock");
    await writeFile(lock, "1 elsewhere 0");
    const longAgo = new Date(Date.now() - 120_000);
    await utimes(lock, longAgo, longAgo);
    await expectWhole(await fetchIt());
  });

  it("waits for a lock whose owner lives, until the signal ends it", async () => {
    await writeFile(join(directory, ".data.bin.lock"), "1 elsewhere 0");
    await expect(fetchIt({ signal: AbortSignal.timeout(300) })).rejects.toThrow("timeout");
    expect(server.requests).toHaveLength(0);
  });
});
