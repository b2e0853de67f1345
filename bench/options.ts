/** @file The command line of the benchmark. */
import { parseArgs } from "node:util";
import type { WantedVariants } from "./run-cases.ts";

export const suites = [
  "limits",
  "matmul",
  "convolution",
  "norm",
  "pool",
  "loss",
  "elementwise",
  "reduction",
  "optimizer",
  "nets",
  "cold-start",
] as const;

export type Suite = (typeof suites)[number];

export const help = `npm run bench -- [options]

Measures kernels and whole nets on the adapter that WebGPU finds.

  --suite A,B        only these: ${suites.join(", ")}
  --filter TEXT      only cases whose op and shape contain all words of TEXT
  --variants WHICH   chosen (default), all, or names: naive,tiled
  --json FILE        write all rows
  --charts DIR       draw roofline and ladders as SVG and PNG
  --budget MS        time for each variant, default 1500
  --kernel FILE      a .wgsl of your own, ranked among ours; needs --as
  --as FAMILY        matmul, conv2d, conv2d-input-gradient, conv2d-weight-gradient, softmax or reduce
  --help             this text

WGRAD_ADAPTER=swiftshader or llvmpipe chooses a software adapter. The limits are always measured, since shares refer to them.`;

export interface BenchOptions {
  readonly suites: readonly Suite[];
  readonly filter: string;
  readonly variants: WantedVariants;
  readonly json: string | undefined;
  readonly charts: string | undefined;
  readonly budgetMs: number;
  readonly kernel: { readonly file: string; readonly as: string } | undefined;
}

/** Thrown for a command line that makes no sense; the message is for the user. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** @throws UsageError, and what `parseArgs` throws for options that do not exist. */
export function parseOptions(args: readonly string[]): BenchOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      suite: { type: "string" },
      filter: { type: "string", default: "" },
      variants: { type: "string", default: "chosen" },
      json: { type: "string" },
      charts: { type: "string" },
      budget: { type: "string", default: "1500" },
      kernel: { type: "string" },
      as: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  return {
    suites: suitesOf(values.suite),
    filter: values.filter,
    variants: variantsOf(values.variants),
    json: values.json,
    charts: values.charts,
    budgetMs: positive("budget", values.budget),
    kernel: kernelOf(values.kernel, values.as),
  };
}

function suitesOf(list: string | undefined): readonly Suite[] {
  if (list === undefined) return suites;
  return list.split(",").map((name) => {
    const suite = suites.find((known) => known === name);
    if (suite !== undefined) return suite;
    throw new UsageError(`--suite: there is no suite ${name}. Known: ${suites.join(", ")}`);
  });
}

function variantsOf(text: string): WantedVariants {
  return text === "chosen" || text === "all" ? text : text.split(",");
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new UsageError(`--${name}: not a positive number: ${text}`);
}

function kernelOf(file: string | undefined, as: string | undefined): BenchOptions["kernel"] {
  if (file === undefined && as === undefined) return undefined;
  if (file === undefined) throw new UsageError("--as says what a --kernel computes: name its file");
  if (as === undefined) throw new UsageError("--kernel needs --as: what does the kernel compute?");
  return { file, as };
}

/** True when op and shape contain all words of the filter. */
export function matches(filter: string, op: string, shape: string): boolean {
  const text = `${op} ${shape}`;
  return filter.split(/\s+/).every((word) => text.includes(word));
}
