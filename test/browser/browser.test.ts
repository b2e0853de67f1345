/**
 * @file The built package in headless Chromium: served on loopback, it runs a sample of the op table, predicts from pictures and trains twenty
 * steps; probabilities and losses must be those of Node. Skipped where no Chromium is installed.
 */
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { delimiter, extname, join, resolve, sep } from "node:path";
import { chromium, type Browser, type Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../device.ts";
import { worstError } from "../inputs.ts";
import { expectClose } from "../numeric.ts";
import { predictPictures, trainTwentySteps, type OpOutcome } from "./scenario.ts";

const names = ["chromium", "chromium-browser", "google-chrome"];
const executablePath = (process.env["PATH"] ?? "")
  .split(delimiter)
  .flatMap((folder) => names.map((name) => join(folder, name)))
  .find((path) => existsSync(path));

const outDir = resolve(".cache/browser-test");

/** What `page.ts` puts on the page. */
interface PageGlobals {
  readonly wgrad: {
    open(): Promise<{ readonly vendor: string; readonly architecture: string }>;
    runOps(): Promise<OpOutcome[]>;
    predictPictures(): Promise<number[]>;
    trainTwentySteps(): Promise<number[]>;
  };
}

describe.skipIf(executablePath === undefined)(
  "in Chromium (skipped where it is not installed)",
  () => {
    useDevice();
    let server: Server;
    let browser: Browser;
    let page: Page;
    const messages: string[] = [];

    beforeAll(async () => {
      // The library's own build, with the page as one more entry, so that both share the modules of the package.
      await build({
        logLevel: "error",
        build: {
          outDir,
          emptyOutDir: true,
          lib: {
            entry: [
              "engine/index.ts",
              "nn/index.ts",
              "data/index.ts",
              "vision/index.ts",
              "test/browser/page.ts",
            ],
            formats: ["es"],
          },
        },
      });
      server = await serve(outDir);
      browser = await chromium.launch({
        ...(executablePath === undefined ? {} : { executablePath }),
        headless: true,
        args: [
          "--headless=new",
          "--no-sandbox",
          "--enable-unsafe-webgpu",
          "--use-webgpu-adapter=swiftshader",
          "--disable-background-networking",
          "--disable-component-update",
          "--disable-sync",
          "--no-first-run",
        ],
      });
      page = await browser.newPage();
      page.on("console", (message) => messages.push(message.text()));
      page.on("pageerror", (error) => messages.push(String(error)));
      const { port } = server.address() as AddressInfo;
      await page.goto(`http://127.0.0.1:${port}/`);
      await page.waitForFunction(() => "wgrad" in globalThis);
    }, 120_000);

    afterAll(async () => {
      await browser.close();
      await new Promise((done) => server.close(done));
    });

    test("the device opens", async () => {
      const adapter = await page.evaluate(() =>
        (globalThis as unknown as PageGlobals).wgrad.open(),
      );
      expect(adapter.vendor, messages.join("\n")).not.toBe("");
    });

    test("ops agree with their references", { timeout: 600_000 }, async () => {
      const outcomes = await page.evaluate(() =>
        (globalThis as unknown as PageGlobals).wgrad.runOps(),
      );
      expect(outcomes.length).toBeGreaterThan(50);
      expect(outcomes.filter(({ error, tolerance }) => !(error <= tolerance))).toEqual([]);
      expect(messages).toEqual([]);
    });

    test("an exported model predicts as in Node", { timeout: 600_000 }, async () => {
      const inBrowser = await page.evaluate(() =>
        (globalThis as unknown as PageGlobals).wgrad.predictPictures(),
      );
      const inNode = await predictPictures();
      expect(inNode).toHaveLength(9);
      expect(new Set(inNode).size).toBeGreaterThan(6);
      expectClose(inBrowser, inNode, 1e-5, "probabilities");
    });

    test("twenty training steps have the losses of Node", { timeout: 600_000 }, async () => {
      const inBrowser = await page.evaluate(() =>
        (globalThis as unknown as PageGlobals).wgrad.trainTwentySteps(),
      );
      const inNode = await trainTwentySteps();
      const worst = worstError(inBrowser, inNode);
      process.stdout.write(
        `Chromium and Node, twenty losses: worst error ${worst.toExponential(1)}\n`,
      );
      expectClose(inBrowser, inNode, 1e-4, "losses");
      expect(inNode.at(-1)).toBeLessThan(0.7 * (inNode[0] ?? 0));
    });
  },
);

/** Serves the files below `root`, and at / a page that loads the entry. */
async function serve(root: string): Promise<Server> {
  const types: Record<string, string> = { ".js": "text/javascript", ".map": "application/json" };
  const home =
    '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/test/browser/page.js"></script>';
  const server = createServer(({ url = "/" }, response) => {
    const path = join(root, new URL(url, "http://localhost").pathname);
    if (url === "/") response.setHeader("content-type", "text/html").end(home);
    else if (path.startsWith(root + sep) && existsSync(path)) {
      response
        .setHeader("content-type", types[extname(path)] ?? "text/plain")
        .end(readFileSync(path));
    } else response.writeHead(404).end();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return server;
}
