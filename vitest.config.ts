import { defineConfig } from "vitest/config";
import { wgsl } from "./shaders/loader/vite-plugin.mjs";
import { adapterEnvironment } from "./tools/adapters.mjs";

export default defineConfig({
  plugins: [wgsl()],
  // Node 20 does not know `using`.
  oxc: { target: "node20" },
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    // WGRAD_ADAPTER=swiftshader runs the tests on another adapter: tools/adapters.mjs.
    // What somebody tuned on this machine must not decide which kernels are tested.
    env: { ...adapterEnvironment(process.env["WGRAD_ADAPTER"]), WGRAD_TUNING: "off" },
    // Processes, not threads: Dawn lives once in a process, and a crash of the driver fails one file, not all.
    pool: "forks",
    // A software adapter takes every core for one kernel already.
    maxWorkers: 2,
    // llvmpipe takes up to seconds to compile a kernel.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
