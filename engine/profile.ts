/**
 * @file Where the time goes: GPU time of every dispatch by timestamp queries, and the host's time beside it, as a table or as a
 * trace for chrome://tracing and ui.perfetto.dev.
 */
import { defaultDevice, type Device } from "./device/device.ts";
import { Profiler, type DispatchSpan } from "./device/profiler.ts";
import { ArgumentError } from "./errors.ts";

/** All dispatches of one kernel together. Times in milliseconds. */
export interface KernelTime {
  readonly kernel: string;
  readonly dispatches: number;
  readonly milliseconds: number;
  /** Part of the GPU time of all kernels, 0 to 1. */
  readonly share: number;
}

export interface Profile {
  /** Longest first. */
  readonly kernels: readonly KernelTime[];
  /** Sum over all dispatches. */
  readonly gpuMilliseconds: number;
  /** Time until `body` returned, with all commands recorded; of an async one, until its first `await`. */
  readonly hostMilliseconds: number;
  /** From the start of `body` until the device had finished. */
  readonly wallMilliseconds: number;
  readonly spans: readonly DispatchSpan[];
  /** The table, for people. */
  toString(): string;
  /** Chrome's trace event format: save it as JSON and open it in ui.perfetto.dev. */
  toTrace(): string;
}

/**
 * Runs `body` with a timestamp around every dispatch. Profiled work is a little slower than usual, because each dispatch gets
 * a pass of its own. Call it once before, so that compiling is not measured.
 *
 * @throws DeviceError when the adapter has no timestamp queries.
 * @throws ArgumentError inside of another `profile` of the device.
 */
export async function profile(
  body: () => unknown,
  device: Device = defaultDevice("profile"),
): Promise<Profile> {
  const profiler = new Profiler(device.gpu);
  await device.synchronize();
  if (device.recorder.profiler !== undefined) {
    throw new ArgumentError(
      "profile",
      "the device is being profiled already",
      "Await one profile before the next, or put one around both",
    );
  }
  device.recorder.profiler = profiler;
  const start = performance.now();
  let recorded: number;
  try {
    const pending = body();
    recorded = performance.now();
    if (pending instanceof Promise) await pending;
    await device.synchronize();
  } finally {
    device.recorder.profiler = undefined;
  }
  const wall = performance.now() - start;
  const spans = await profiler.collect((promise) => device.wait(promise));
  return makeProfile(spans, recorded - start, wall);
}

function makeProfile(
  spans: readonly DispatchSpan[],
  hostMilliseconds: number,
  wallMilliseconds: number,
): Profile {
  const totals = new Map<string, { dispatches: number; milliseconds: number }>();
  let gpuMilliseconds = 0;
  for (const { label, begin, end } of spans) {
    const milliseconds = Number(end - begin) / 1e6;
    const total = totals.get(label) ?? { dispatches: 0, milliseconds: 0 };
    totals.set(label, {
      dispatches: total.dispatches + 1,
      milliseconds: total.milliseconds + milliseconds,
    });
    gpuMilliseconds += milliseconds;
  }
  const kernels = [...totals]
    .map(([kernel, total]) => ({
      kernel,
      ...total,
      share: total.milliseconds / (gpuMilliseconds || 1),
    }))
    .sort((a, b) => b.milliseconds - a.milliseconds);
  const result = { kernels, gpuMilliseconds, hostMilliseconds, wallMilliseconds, spans };
  return { ...result, toString: () => formatTable(result), toTrace: () => formatTrace(result) };
}

type Measured = Pick<
  Profile,
  "kernels" | "gpuMilliseconds" | "hostMilliseconds" | "wallMilliseconds" | "spans"
>;

function formatTable({
  kernels,
  gpuMilliseconds,
  hostMilliseconds,
  wallMilliseconds,
}: Measured): string {
  const width = Math.max(6, ...kernels.map(({ kernel }) => kernel.length));
  const row = (kernel: string, count: string, time: string, share: string): string =>
    `${kernel.padEnd(width)}  ${count.padStart(10)}  ${time.padStart(10)}  ${share.padStart(6)}`;
  return [
    row("kernel", "dispatches", "GPU ms", "share"),
    ...kernels.map(({ kernel, dispatches, milliseconds, share }) =>
      row(kernel, String(dispatches), milliseconds.toFixed(3), `${(100 * share).toFixed(1)} %`),
    ),
    "",
    `GPU ${gpuMilliseconds.toFixed(1)} ms, host recorded in ${hostMilliseconds.toFixed(1)} ms, wall ${wallMilliseconds.toFixed(1)} ms`,
  ].join("\n");
}

/** Source: Trace Event Format, complete events ("ph": "X"), microseconds. */
function formatTrace({ spans, hostMilliseconds, wallMilliseconds }: Measured): string {
  const origin = spans.reduce(
    (least, { begin }) => (begin < least ? begin : least),
    spans[0]?.begin ?? 0n,
  );
  const name = (tid: number, text: string) => ({
    ph: "M",
    pid: 1,
    tid,
    name: "thread_name",
    args: { name: text },
  });
  const gpu = spans.map(({ label, begin, end }) => ({
    ph: "X",
    pid: 1,
    tid: 1,
    name: label,
    ts: Number(begin - origin) / 1e3,
    dur: Number(end - begin) / 1e3,
  }));
  const host = [
    { ph: "X", pid: 1, tid: 2, name: "record", ts: 0, dur: hostMilliseconds * 1e3 },
    {
      ph: "X",
      pid: 1,
      tid: 2,
      name: "wait",
      ts: hostMilliseconds * 1e3,
      dur: (wallMilliseconds - hostMilliseconds) * 1e3,
    },
  ];
  return JSON.stringify({ traceEvents: [name(1, "GPU"), name(2, "host"), ...gpu, ...host] });
}
