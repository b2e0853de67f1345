/** @file tfjs on the WebGPU adapter. */
import { adapterName, queueDone } from "./webgpu-globals.ts";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-webgpu";
import type { Peer } from "./peer.ts";
import { prepareTfjs } from "./tfjs.ts";
import { versionOf } from "./versions.ts";

/** What of its backend is needed here. */
interface WebgpuBackend extends tf.KernelBackend {
  readonly device: { readonly queue: GPUQueue };
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  uploadToGPU(dataId: object): void;
}

export async function openPeer(): Promise<Peer> {
  if (!(await tf.setBackend("webgpu"))) throw new Error("tfjs found no WebGPU adapter");
  const backend = tf.backend() as WebgpuBackend;
  const finish = async (): Promise<void> => {
    // It collects fifteen ops before it submits.
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    backend.submitQueue();
    await queueDone(backend.device);
  };
  return {
    description: {
      version: await versionOf("@tensorflow/tfjs-backend-webgpu"),
      device: await adapterName(),
    },
    prepare(work) {
      return prepareTfjs(work, {
        finish,
        // Small tensors that only the host has are computed on the host.
        upload: ({ dataId }) => {
          backend.uploadToGPU(dataId);
        },
      });
    },
  };
}
