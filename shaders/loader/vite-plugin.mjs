/** @file The Vite plugin for `.wgsl` files: library build, browser pages and Vitest use it. */
import { loadWgsl, moduleText } from "./load-wgsl.mjs";

/**
 * Makes `import source from "x.wgsl"` give a `WgslSource`, its text inlined.
 * @returns {import("vite").Plugin}
 */
export function wgsl() {
  return {
    name: "wgrad:wgsl",
    enforce: "pre",
    load(id) {
      const path = id.replace(/[?#].*$/, "");
      if (!path.endsWith(".wgsl")) return null;
      const { source, paths } = loadWgsl(path);
      for (const file of paths) this.addWatchFile(file);
      return {
        code: moduleText(source),
        map: { mappings: "" },
        moduleType: "js",
        moduleSideEffects: false,
      };
    },
  };
}
