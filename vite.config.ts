import { defineConfig } from "vite";
import { wgsl } from "./shaders/loader/vite-plugin.mjs";

/** The library build: one readable module for each source file, so that dist/ mirrors the repository. */
export default defineConfig({
  plugins: [wgsl()],
  build: {
    target: "es2022",
    outDir: "dist",
    minify: false,
    sourcemap: true,
    lib: {
      entry: [
        "engine/index.ts",
        "engine/node.ts",
        "nn/index.ts",
        "nn/node.ts",
        "data/index.ts",
        "data/node.ts",
        "vision/index.ts",
        "vision/node.ts",
        "cli/main.ts",
      ],
      formats: ["es"],
    },
    rolldownOptions: {
      external: [
        "webgpu",
        "cli-progress",
        "echarts",
        /^echarts\//,
        "pngjs",
        "protobufjs",
        "sharp",
        "@resvg/resvg-js",
        "tar",
        "@zip.js/zip.js",
        /^node:/,
      ],
      output: {
        preserveModules: true,
        preserveModulesRoot: ".",
        // The compiler's own helpers (for `using`) come with a version number in their path.
        entryFileNames: ({ name }) => `${name.replace(/^_virtual\/.*\//, "helpers/")}.js`,
      },
    },
  },
});
