import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  decodeSafetensors,
  decodeTorch,
  encodeSafetensors,
  isTorchTensor,
  torchStateDict,
  type TorchValue,
} from "../../data/index.ts";
import { WgradError } from "../../engine/index.ts";
import { seededRandom } from "../inputs.ts";
import { sharedData } from "../shared-data.ts";
import {
  checkpoint,
  dict,
  float,
  int,
  legacy,
  list,
  stateDict,
  storage,
  str,
  tensor,
} from "./torch-encoder.ts";

const values = Float32Array.from({ length: 24 }, (_, i) => i / 8);
const stored = storage("Float", "0", 24);
const body = dict({
  epoch: int(3),
  loss: list(float(0.5), str("mean")),
  state_dict: stateDict({
    "module.weight": tensor(stored, [2, 3, 4]),
    "module.flipped": tensor(stored, [4, 3], { offset: 12, strides: [1, 4] }),
    "module.last": tensor(stored, [], { offset: 23 }),
  }),
});
const zipped = checkpoint(body, { 0: values }, { byteOrder: "little" });

/** Files to damage: of each format, and those of PyTorch where they are. */
const seeds = new Map<string, Uint8Array>([
  ["zip", zipped],
  ["zip64", checkpoint(body, { 0: values }, { zip64: true })],
  ["legacy", legacy(body, [{ key: "0", length: 24, data: values }])],
]);
const folder = sharedData("torch-files");
const files =
  folder === undefined ? [] : readdirSync(folder).filter((name) => name.endsWith(".pt"));
for (const name of files) seeds.set(name, readFileSync(join(folder ?? "", name)));

const weights = torchStateDict(decodeTorch(zipped), { widen: false });
const safetensors = encodeSafetensors(weights);

/** Slow machines are given time; an endless loop is not. */
const longestMs = 5000;

/** Sets the checksums to 0, which means that there are none: so that damage gets further than them. */
function withoutChecksums(file: Uint8Array): Uint8Array {
  const copy = Buffer.from(file);
  for (
    let at = copy.indexOf("PK\u0001\u0002");
    at >= 0;
    at = copy.indexOf("PK\u0001\u0002", at + 1)
  ) {
    copy.fill(0, at + 16, at + 20);
  }
  return copy;
}

/** Flips bits, sets bytes, cuts, removes, or repeats a part. */
function damage(file: Uint8Array, random: () => number): Uint8Array {
  const below = (limit: number) => Math.floor(random() * limit);
  const copy = Uint8Array.from(file);
  const [a, b] = [below(file.length), below(64)];
  switch (below(5)) {
    case 0:
      return copy.subarray(0, a);
    case 1:
      return Buffer.concat([copy.subarray(0, a), copy.subarray(a + b)]);
    case 2:
      return Buffer.concat([copy.subarray(0, a + b), copy.subarray(a)]);
    case 3:
      for (let i = 0; i <= below(6); i++) copy[below(copy.length)] = below(256);
      return copy;
    default:
      for (let i = 0; i <= below(8); i++) {
        const at = below(copy.length);
        copy[at] = (copy[at] ?? 0) ^ (1 << below(8));
      }
      return copy;
  }
}

/** Bytes of all tensors. */
function bytesIn(value: TorchValue): number {
  if (isTorchTensor(value)) return value.data.byteLength;
  const inner = value instanceof Map ? [...value.values()] : Array.isArray(value) ? value : [];
  return (inner as TorchValue[]).reduce<number>((sum, part) => sum + bytesIn(part), 0);
}

/** Whether a damaged file was read; anything but an error of wgrad fails the test, and so does a long time. */
function isRead(name: string, read: () => number, maxBytes: number): boolean {
  const start = performance.now();
  try {
    expect(read(), name).toBeLessThanOrEqual(maxBytes);
    return true;
  } catch (error) {
    if (!(error instanceof WgradError)) throw error;
    return false;
  } finally {
    expect(performance.now() - start, name).toBeLessThan(longestMs);
  }
}

describe("damaged files", () => {
  it("of PyTorch are read or refused, nothing else, in time and in memory", () => {
    const random = seededRandom(2024);
    const rounds = Math.ceil(4000 / seeds.size);
    let read = 0;
    for (const [name, file] of seeds) {
      for (let round = 0; round < rounds; round++) {
        const base = random() < 0.7 ? withoutChecksums(file) : file;
        const damaged = damage(base, random);
        const decode = () => bytesIn(decodeTorch(damaged).value);
        if (isRead(`${name}, round ${round}`, decode, 8 * damaged.length + 2 ** 24)) read += 1;
      }
    }
    // Damage in what does not count is read, damage in what does is refused: both have to occur.
    expect(read).toBeGreaterThan(100);
    expect(read).toBeLessThan(3900);
  });

  it("of safetensors are read or refused, nothing else, in time and in memory", () => {
    const random = seededRandom(7);
    for (let round = 0; round < 1500; round++) {
      const damaged = damage(safetensors, random);
      const decode = () =>
        [...decodeSafetensors(damaged).tensors.values()].reduce(
          (sum, { data }) => sum + data.byteLength,
          0,
        );
      isRead(`round ${round}`, decode, damaged.length);
    }
  });

  it("with one flipped bit are refused or read as if it were not there, thanks to the checksums", () => {
    const good = decodeTorch(zipped).value;
    let refused = 0;
    for (let bit = 0; bit < 8 * zipped.length; bit++) {
      const damaged = Uint8Array.from(zipped);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        const { value } = decodeTorch(damaged);
        if (!sameValue(value, good)) throw new Error(`bit ${bit} changed the values`);
      } catch (error) {
        if (!(error instanceof WgradError)) throw error;
        refused += 1;
      }
    }
    // All bits of the pickle and the numbers, among others.
    expect(refused).toBeGreaterThan(8 * (body.length + values.byteLength));
  });
});

function sameValue(a: TorchValue, b: TorchValue): boolean {
  return JSON.stringify(a, plainly) === JSON.stringify(b, plainly);
}

function plainly(_key: string, value: unknown): unknown {
  return value instanceof Map ? [...value] : value;
}
