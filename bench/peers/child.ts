/** @file Runs in the process of a peer: opens it, and answers one request after another. */
import { fingerprint } from "./fingerprint.ts";
import { peerNames, type Peer, type PeerName, type Prepared } from "./peer.ts";
import type { Answer, Message, Request, Sample } from "./protocol.ts";

// Imported when asked for: a process loads the packages of its own peer alone.
const openers: Readonly<Record<PeerName, () => Promise<Peer>>> = {
  wgrad: async () => (await import("./wgrad.ts")).openPeer(),
  "tfjs-webgpu": async () => (await import("./tfjs-webgpu.ts")).openPeer(),
  "jax-js": async () => (await import("./jax-js.ts")).openPeer(),
  "tfjs-wasm": async () => (await import("./tfjs-wasm.ts")).openPeer(),
  onnxruntime: async () => (await import("./onnxruntime.ts")).openPeer(),
};

let peer: Peer | undefined;
let prepared: Prepared | undefined;
let answeredAt = { cpu: process.cpuUsage(), time: performance.now() };

async function sample(work: Prepared): Promise<Sample> {
  const start = performance.now();
  const running = work.run();
  const hostMs = performance.now() - start;
  await running;
  return { wallMs: performance.now() - start, hostMs };
}

async function release(): Promise<void> {
  const work = prepared;
  prepared = undefined;
  await work?.release();
}

async function answer(name: PeerName, request: Request): Promise<Answer> {
  peer ??= await openers[name]();
  switch (request.kind) {
    case "describe":
      return { kind: "description", ...peer.description };
    case "prepare": {
      await release();
      prepared = await peer.prepare(request.work);
      const first = await sample(prepared);
      return { kind: "prepared", first, results: (await prepared.results()).map(fingerprint) };
    }
    case "run": {
      if (prepared === undefined) return { kind: "refusal", reason: "no work is prepared" };
      const samples: Sample[] = [];
      for (let i = 0; i < request.repeats; i++) samples.push(await sample(prepared));
      return { kind: "samples", samples };
    }
    case "release":
      await release();
      return { kind: "released" };
  }
}

async function reply(name: PeerName, request: Request): Promise<void> {
  const { user, system } = process.cpuUsage(answeredAt.cpu);
  const seconds = (performance.now() - answeredAt.time) / 1000;
  const message: Message = {
    answer: await answer(name, request).catch((error: unknown): Answer => {
      return { kind: "refusal", reason: error instanceof Error ? error.message : String(error) };
    }),
    idle: { cpuSeconds: (user + system) / 1e6, seconds },
  };
  process.send?.(message);
  answeredAt = { cpu: process.cpuUsage(), time: performance.now() };
}

const name = peerNames.find((known) => known === process.argv[2]);
if (name === undefined) throw new Error(`bench:peers: there is no peer ${String(process.argv[2])}`);
process.on("message", (request) => void reply(name, request as Request));
// The program that asks has gone.
process.on("disconnect", () => {
  process.exit();
});
