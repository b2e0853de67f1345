import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { missingPackages } from "../../tools/setup/packages.mjs";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "wgrad-packages-"));
  writeLock("package-lock.json", {
    "": { version: "0.1.0" },
    "node_modules/a": { version: "1.0.0", integrity: "sha512-a" },
    "node_modules/b-for-another-system": { version: "2.0.0", optional: true },
  });
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

function writeLock(name: string, packages: object): void {
  writeFileSync(join(root, name), JSON.stringify({ packages }));
}

function install(version: string, integrity: string): void {
  mkdirSync(join(root, "node_modules/a"), { recursive: true });
  writeLock("node_modules/.package-lock.json", { "node_modules/a": { version, integrity } });
}

test("everything is missing where nothing was installed", () => {
  expect(missingPackages(root)).toEqual(["node_modules/a"]);
});

test("nothing is missing after an installation, packages of other systems aside", () => {
  install("1.0.0", "sha512-a");
  expect(missingPackages(root)).toEqual([]);
});

test("another version or another content is missing", () => {
  install("1.0.1", "sha512-a");
  expect(missingPackages(root)).toEqual(["node_modules/a"]);
  install("1.0.0", "sha512-z");
  expect(missingPackages(root)).toEqual(["node_modules/a"]);
});

test("a folder that was deleted by hand is missing", () => {
  install("1.0.0", "sha512-a");
  rmSync(join(root, "node_modules/a"), { recursive: true });
  expect(missingPackages(root)).toEqual(["node_modules/a"]);
});
