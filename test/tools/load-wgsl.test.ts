import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadWgsl } from "../../shaders/loader/load-wgsl.mjs";

const shaders = readdirSync("shaders", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".wgsl"))
  .map((name) => join("shaders", name));

test.each(shaders)(
  "%s: every line of the joined text is found in the file it came from",
  (path) => {
    const { source } = loadWgsl(path);
    expect(source.file).toBe(path);
    const lines = source.code.split("\n");
    const ends = [...source.parts.slice(1).map(({ firstLine }) => firstLine), lines.length];
    for (const [i, { file, firstLine }] of source.parts.entries()) {
      const part = lines.slice(firstLine - 1, (ends[i] ?? 0) - 1);
      expect(part.join("\n").trimEnd()).toBe(readFileSync(file, "utf8").trimEnd());
    }
  },
);

const folder = mkdtempSync(join(tmpdir(), "wgrad-wgsl-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function shaderFile(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test("a part that two lines require is appended once", () => {
  const path = shaderFile(
    "twice.wgsl",
    "// requires: lib/nan.wgsl\n// requires: lib/grid.wgsl, lib/nan.wgsl\n",
  );
  const files = loadWgsl(path).source.parts.map(({ file }) => file);
  expect(files.slice(1)).toEqual(["shaders/lib/nan.wgsl", "shaders/lib/grid.wgsl"]);
});

test("a file without a last line end is joined at a new line", () => {
  const path = shaderFile("open.wgsl", "// requires: lib/nan.wgsl\nconst last = 1;");
  const { code, parts } = loadWgsl(path).source;
  expect(code.split("\n")[1]).toBe("const last = 1;");
  expect(parts[1]?.firstLine).toBe(3);
});

test("lines are counted alike whatever the line ends", () => {
  const path = shaderFile("crlf.wgsl", "// one\r\n// requires: lib/nan.wgsl\r\n// three\r\n");
  expect(loadWgsl(path).source.parts[1]).toEqual({ file: "shaders/lib/nan.wgsl", firstLine: 4 });
});

test("a part that does not exist is named, with the line that requires it", () => {
  const path = shaderFile("missing.wgsl", "// first line\n// requires: lib/none.wgsl\n");
  expect(() => loadWgsl(path)).toThrow(
    "missing.wgsl:2: the required part shaders/lib/none.wgsl cannot be read",
  );
});
