/** @file What can be recorded, and a recording: commands with the uniforms that belong to them. */
import type { BoundBuffer } from "./bind-groups.ts";
import type { DeviceBuffer } from "./buffer-pool.ts";
import type { ParamPage } from "./param-pages.ts";
import type { Pipeline } from "./pipeline-cache.ts";

export type Grid = readonly [x: number, y: number, z: number];

/** Writes a `struct Params` to where it begins, at word `used` of a page. */
export type FillParams = (page: Pick<ParamPage, "words" | "floats" | "used">) => void;

export interface Dispatch {
  readonly kind: "dispatch";
  readonly label: string;
  readonly pipeline: Pipeline;
  readonly resources: readonly BoundBuffer[];
  readonly group: GPUBindGroup;
  /** Which page of the recording `struct Params` is in, */
  readonly page: number;
  /** and where it begins there, in bytes. */
  readonly offset: number;
  readonly grid: Grid;
  /** Set where the numbers differ from one replay to the next. */
  readonly refill: FillParams | undefined;
}

export interface Write {
  readonly kind: "write";
  readonly buffer: DeviceBuffer;
  readonly byteOffset: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

export interface Copy {
  readonly kind: "copy";
  readonly from: DeviceBuffer;
  readonly fromOffset: number;
  readonly to: DeviceBuffer | GPUBuffer;
  readonly toOffset: number;
  readonly byteLength: number;
}

export interface Clear {
  readonly kind: "clear";
  readonly buffer: DeviceBuffer;
  readonly byteOffset: number;
  readonly byteLength: number;
}

export type Command = Dispatch | Write | Copy | Clear;

/** What is submitted together. */
export interface Recording {
  /** Its place in the order of all recordings, from 1. */
  readonly serial: number;
  readonly commands: readonly Command[];
  readonly pages: readonly ParamPage[];
}

/** The buffers of the pool that a command reads or writes. */
export function buffersOf(command: Command): readonly DeviceBuffer[] {
  switch (command.kind) {
    case "dispatch":
      return command.resources.map(({ buffer }) => buffer);
    case "copy":
      return "gpu" in command.to ? [command.from, command.to] : [command.from];
    case "write":
    case "clear":
      return [command.buffer];
  }
}
