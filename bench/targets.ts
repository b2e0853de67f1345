/** @file What the kernels are meant to reach, each a ratio within one run, so that it means the same on every machine. */
import type { ColdStart } from "./models/cold-start.ts";
import type { NetRow } from "./models/measure-net.ts";
import type { Row } from "./row.ts";

export interface Target {
  readonly what: string;
  readonly wanted: string;
  readonly measured: string;
  readonly met: boolean;
}

/** Everything that one run measured. */
export interface Results {
  readonly rows: readonly Row[];
  readonly nets: readonly NetRow[];
  readonly coldStart: ColdStart | undefined;
}

/** The targets whose rows were measured. */
export function judge({ rows, nets, coldStart }: Results): readonly Target[] {
  const chosen = rows.filter((row) => row.chosen);
  return [
    ...matmulTargets(chosen),
    ...forwardTargets(chosen),
    ...gradientTargets(chosen),
    ...bandwidthTargets(chosen),
    ...nets.flatMap(netTargets),
    ...growthTargets(nets),
    ...(coldStart === undefined ? [] : coldStartTargets(coldStart)),
  ];
}

const percent = (part: number): string => `${(100 * part).toFixed(0)} %`;
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

interface Rated {
  readonly name: string;
  readonly value: number;
}

/** The worst of several values against a bound, with its name. */
function atLeast(what: string, bound: number, rated: readonly Rated[]): readonly Target[] {
  const [worst] = [...rated].sort((a, b) => a.value - b.value);
  if (worst === undefined) return [];
  const below = rated.filter(({ value }) => value < bound).length;
  return [
    {
      what,
      wanted: `at least ${percent(bound)}`,
      measured: `worst ${percent(worst.value)} (${worst.name}); ${rated.length - below} of ${rated.length} reach it`,
      met: below === 0,
    },
  ];
}

function sharesOf(rows: readonly Row[]): readonly Rated[] {
  return rows.flatMap(({ op, shape, share }) =>
    share === undefined ? [] : [{ name: `${op} ${shape}`, value: share }],
  );
}

function matmulTargets(rows: readonly Row[]): readonly Target[] {
  const squares = rows.filter(
    ({ op, shape }) => op === "matmul" && /^(512|1024|2048) x \1 x \1 /.test(shape),
  );
  return atLeast("matmul 512 to 2048, of the FMA peak", 0.5, sharesOf(squares));
}

const isResnet3x3 = ({ shape }: Row): boolean => /^resnet34 .* 3x3/.test(shape);

function forwardTargets(rows: readonly Row[]): readonly Target[] {
  const forward = rows.filter((row) => row.op === "conv2d" && isResnet3x3(row));
  const shares = sharesOf(forward);
  if (shares.length === 0) return [];
  const average = mean(shares.map(({ value }) => value));
  const winograd = forward.filter(({ variant }) => variant.startsWith("winograd"));
  return [
    {
      what: "3 x 3 convolutions of ResNet-34, of the FMA peak, on average",
      wanted: "at least 50 %",
      measured: percent(average),
      met: average >= 0.5,
    },
    ...atLeast("3 x 3 convolutions of ResNet-34, of the FMA peak, each", 0.35, shares),
    ...atLeast("... with Winograd, of the FMA peak, each", 0.7, sharesOf(winograd)),
  ];
}

function gradientTargets(rows: readonly Row[]): readonly Target[] {
  return (["conv2d dx", "conv2d dw"] as const).flatMap((op) => {
    const ratios = rows
      .filter((row) => row.op === op && row.shape.startsWith("resnet34"))
      // No training step asks for the gradient of the images.
      .filter((row) => !(op === "conv2d dx" && row.shape.includes("7x7")))
      .flatMap((row) => {
        const forward = rows.find(({ op: of, shape }) => of === "conv2d" && shape === row.shape);
        return forward === undefined ? [] : [{ name: row.shape, value: row.gpuMs / forward.gpuMs }];
      });
    const [worst] = [...ratios].sort((a, b) => b.value - a.value);
    if (worst === undefined) return [];
    const within = ratios.filter(({ value }) => value <= 1.5).length;
    return [
      {
        what: `${op}, time over that of the forward convolution`,
        wanted: "at most 1.5",
        measured: `worst ${worst.value.toFixed(2)} (${worst.name}); ${within} of ${ratios.length} reach it`,
        met: within === ratios.length,
      },
    ];
  });
}

const bandwidthSuites = ["elementwise", "norm", "pool", "reduction"];

function bandwidthTargets(rows: readonly Row[]): readonly Target[] {
  return bandwidthSuites.flatMap((suite) =>
    atLeast(
      `${suite}, of the copy bandwidth`,
      0.7,
      sharesOf(rows.filter((row) => row.suite === suite)),
    ),
  );
}

function netTargets(net: NetRow): readonly Target[] {
  const name = `${net.net} ${net.mode} ${net.batch} x ${net.imageSize}`;
  if (net.mode !== "training") return [];
  const wall = net.wallMs / net.gpuMs;
  const memory = net.neededBytes === undefined ? undefined : net.peakBytes / net.neededBytes;
  const isMain = net.net === "ResNet-34" && net.batch === 8 && net.imageSize === 64;
  return [
    {
      what: `${name}: host time of a repeated step`,
      wanted: "at most 5 us a dispatch",
      measured: `${net.replayMicrosecondsPerDispatch.toFixed(1)} us replayed, ${net.hostMicrosecondsPerDispatch.toFixed(1)} us recorded`,
      met: net.replayMicrosecondsPerDispatch <= 5,
    },
    {
      what: `${name}: wall time over GPU time`,
      wanted: "at most 1.1",
      measured: wall.toFixed(2),
      met: wall <= 1.1,
    },
    ...(isMain
      ? [
          {
            what: `${name}: convolutions' part of the GPU time`,
            wanted: "at least 75 %",
            measured: percent(net.convolutionShare),
            met: net.convolutionShare >= 0.75,
          },
        ]
      : []),
    ...(memory === undefined
      ? []
      : [
          {
            what: `${name}: peak memory over what the step needs`,
            wanted: "at most 1.3",
            measured: memory.toFixed(2),
            met: memory <= 1.3,
          },
        ]),
  ];
}

function growthTargets(nets: readonly NetRow[]): readonly Target[] {
  const training = nets.filter(({ net, mode }) => net === "ResNet-34" && mode === "training");
  const find = (batch: number, imageSize: number): NetRow | undefined =>
    training.find((net) => net.batch === batch && net.imageSize === imageSize);
  const perPixel = (net: NetRow): number => net.wallMs / (net.batch * net.imageSize ** 2);
  const [base, wide, large] = [find(8, 64), find(64, 64), find(8, 224)];
  const grow = (what: string, other: NetRow | undefined): readonly Target[] => {
    if (base === undefined || other === undefined) return [];
    const ratio = perPixel(other) / perPixel(base);
    return [
      {
        what,
        wanted: "1 within 15 %",
        measured: ratio.toFixed(2),
        met: Math.abs(ratio - 1) <= 0.15,
      },
    ];
  };
  return [
    ...grow("time for each image, batch 64 over batch 8", wide),
    ...grow("time for each pixel, 224 over 64", large),
  ];
}

function coldStartTargets({ cold, warm }: ColdStart): readonly Target[] {
  const one = (what: string, milliseconds: number, most: number): Target => ({
    what,
    wanted: `under ${most} s`,
    measured: `${(milliseconds / 1000).toFixed(1)} s`,
    met: milliseconds < 1000 * most,
  });
  return [
    one("first step of ResNet-34, empty driver cache", cold.firstStepMs, 15),
    one("first step of ResNet-34, with the driver's cache", warm.firstStepMs, 4),
  ];
}
