/** @file Tables of whole nets, of the cold start, and of the targets. */
import { formatBytes } from "../../engine/index.ts";
import type { ColdStart, FirstStep } from "../models/cold-start.ts";
import type { NetRow } from "../models/measure-net.ts";
import type { Target } from "../targets.ts";
import { formatColumns, milliseconds } from "./table.ts";

const netHeader = [
  ...["net", "mode", "images"],
  ...[
    "images/s",
    "wall ms",
    "±",
    "GPU ms",
    "host ms",
    "dispatches",
    "us each",
    "replayed",
    "conv",
    "peak",
    "needed",
  ],
];

export function formatNets(nets: readonly NetRow[]): string {
  return formatColumns([netHeader, ...nets.map(netCells)], 3);
}

function netCells(net: NetRow): readonly string[] {
  const { mode, batch, imageSize, imagesPerSecond, neededBytes } = net;
  return [
    net.net,
    mode,
    `${batch} x ${imageSize}`,
    imagesPerSecond.toFixed(1),
    milliseconds(net.wallMs),
    `${(100 * net.spread).toFixed(1)} %`,
    milliseconds(net.gpuMs),
    milliseconds(net.hostMs),
    String(net.dispatches),
    net.hostMicrosecondsPerDispatch.toFixed(1),
    net.replayMicrosecondsPerDispatch.toFixed(1),
    `${(100 * net.convolutionShare).toFixed(0)} %`,
    formatBytes(net.peakBytes),
    neededBytes === undefined ? "" : formatBytes(neededBytes),
  ];
}

export function formatColdStart({ cold, warm }: ColdStart): string {
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
  const cells = (name: string, step: FirstStep): readonly string[] => [
    name,
    ...[step.deviceMs, step.modelMs, step.firstStepMs, step.secondStepMs].map(seconds),
    String(step.pipelines),
  ];
  const header = [
    "driver's cache",
    "device open",
    "model made",
    "first step done",
    "second step takes",
    "pipelines",
  ];
  return formatColumns([header, cells("empty", cold), cells("filled", warm)], 1);
}

export function formatTargets(targets: readonly Target[]): string {
  const rows = targets.map(({ what, wanted, measured, met }) => [
    met ? "met" : "NOT MET",
    what,
    wanted,
    measured,
  ]);
  return formatColumns([["", "target", "wanted", "measured"], ...rows], 4);
}
