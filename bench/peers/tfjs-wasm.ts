/** @file tfjs on the CPU: WebAssembly with SIMD. In Node it has no threads (github.com/tensorflow/tfjs/issues/3830). */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-wasm";
import type { Peer } from "./peer.ts";
import { prepareTfjs } from "./tfjs.ts";
import { versionOf } from "./versions.ts";

export async function openPeer(): Promise<Peer> {
  if (!(await tf.setBackend("wasm"))) throw new Error("tfjs could not start its wasm backend");
  return {
    description: {
      version: await versionOf("@tensorflow/tfjs-backend-wasm"),
      device: "CPU, SIMD, 1 thread",
    },
    // Its ops return when they are computed.
    prepare: (work) => prepareTfjs(work, { finish: () => undefined, upload: () => undefined }),
  };
}
