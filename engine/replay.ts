/**
 * @file What code says about itself while a step is captured (`capture.ts`), so that a replay, which runs none of it, does the same.
 * Nothing here does anything outside of a capture. No GPU.
 */

/** The part of a step that is host work. */
export interface HostPart {
  /** False when the step would now record something else, so that it must be captured anew. Default: always true. */
  readonly isValid?: () => boolean;
  /** What the host does at each step besides recording: counts, checks, random places. Runs in the order of registration. */
  readonly run?: () => void;
  /** At the end of the captured step: what it leaves behind on the host, which no replay would, or undefined. */
  readonly leaves?: () => string | undefined;
}

let parts: HostPart[] | undefined;
let version = 0;
const contexts: (() => unknown)[] = [];

/** To be called where a step does more on the host than to record the same commands again. `part` is called only in a capture. */
export function onReplay(part: () => HostPart): void {
  parts?.push(part());
}

/** To be called when something that decides what a step records was changed: training mode, an observer of tensors. */
export function invalidateCaptures(): void {
  version++;
}

/** `read` gives a part of the state around a step, on which it depends: that of `noGrad`, that of `autocast`. */
export function addCaptureContext(read: () => unknown): void {
  contexts.push(read);
}

/** Changes with `invalidateCaptures`. */
export function captureVersion(): number {
  return version;
}

/** The state around a step. */
export function captureContext(): string {
  return contexts.map((read) => String(read())).join(" ");
}

/** Runs `body` and collects what `onReplay` is told meanwhile. */
export function collectHostParts<T>(body: () => T): {
  readonly result: T;
  readonly parts: HostPart[];
} {
  const outer = parts;
  const own: HostPart[] = [];
  parts = own;
  try {
    return { result: body(), parts: own };
  } finally {
    parts = outer;
  }
}
