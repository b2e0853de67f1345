/** @file `npm run bench`: measures the adapter's limits, every family of kernels, and whole nets. Options: `--help`. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setDefaultDevice, ShaderError, type Device } from "../engine/index.ts";
import { openNodeDevice } from "../engine/node.ts";
import type { BenchCase } from "./case.ts";
import { writePicture } from "./charts/chart.ts";
import { ladderCharts } from "./charts/ladder.ts";
import { rooflineChart } from "./charts/roofline.ts";
import { Control, type ControlReading } from "./control.ts";
import { describeEnvironment, formatEnvironment } from "./environment.ts";
import { measureColdStart, type ColdStart } from "./models/cold-start.ts";
import { measureNet, type NetRow } from "./models/measure-net.ts";
import { netCases } from "./models/nets.ts";
import { help, matches, parseOptions, UsageError, type BenchOptions } from "./options.ts";
import { openContender, rankOwnKernel, type Contender } from "./own-kernel/rank.ts";
import { KernelFileError } from "./own-kernel/workgroups.ts";
import { formatColdStart, formatNets, formatTargets } from "./report/nets.ts";
import { formatColumns, rowCells, rowHeader } from "./report/table.ts";
import type { Environment, Limits, Row } from "./row.ts";
import { runCase } from "./run-cases.ts";
import { convolutionCases } from "./suites/convolution.ts";
import { elementwiseCases } from "./suites/elementwise.ts";
import { limitCases } from "./suites/limits.ts";
import { lossCases } from "./suites/loss.ts";
import { matmulCases } from "./suites/matmul.ts";
import { normCases } from "./suites/norm.ts";
import { optimizerCases } from "./suites/optimizer.ts";
import { poolCases } from "./suites/pool.ts";
import { reductionCases } from "./suites/reduction.ts";
import { judge, type Results } from "./targets.ts";

async function main(options: BenchOptions): Promise<void> {
  const { kernel } = options;
  const contender = kernel === undefined ? undefined : openContender(kernel.file, kernel.as);
  // Rules choose the variants here; `--variants all` shows what tuning could gain.
  const device = await openNodeDevice({ tuning: false });
  setDefaultDevice(device);
  const environment = await describeEnvironment(device);
  console.log(`${formatEnvironment(environment)}\n`);
  const { limits, rows: limitRows } = await measureLimits(device, options);
  if (contender !== undefined) {
    await rank(device, limits, contender, options.budgetMs);
    await device.close();
    return;
  }
  const control = new Control(device);
  await control.read("limits", limits);
  const rows = [...limitRows];
  for (const suite of options.suites) {
    const found = suite === "limits" ? [] : await runSuite(device, suite, limits, options);
    rows.push(...found);
    if (found.length > 0) await warnOfDrift(control, suite, limits);
  }
  const nets = options.suites.includes("nets") ? await measureNets(device, options) : [];
  if (nets.length > 0) await warnOfDrift(control, "nets", limits);
  await device.close();
  const coldStart = options.suites.includes("cold-start") ? await coldStartTable() : undefined;
  const results = { rows, nets, coldStart };
  report(results);
  await writeResults(options, { environment, limits, control: control.readings, ...results });
}

const caseSuites: readonly ((device: Device) => readonly BenchCase[])[] = [
  matmulCases,
  convolutionCases,
  normCases,
  poolCases,
  lossCases,
  elementwiseCases,
  reductionCases,
  optimizerCases,
];

interface Measured {
  readonly limits: Limits;
  readonly rows: readonly Row[];
}

/** First, and always: the shares of all other rows refer to them. */
async function measureLimits(device: Device, { budgetMs }: BenchOptions): Promise<Measured> {
  let limits: Limits = { peakGflops: undefined, copies: [] };
  const rows: Row[] = [];
  for (const benchCase of limitCases(device)) {
    const found = await runCase(device, benchCase, limits, { variants: "all", budgetMs });
    rows.push(...found);
    const best = Math.max(...found.map(({ gbps }) => gbps));
    limits =
      benchCase.op === "fma"
        ? { ...limits, peakGflops: found[0]?.gflops }
        : { ...limits, copies: [...limits.copies, { bytes: benchCase.work.bytes, gbps: best }] };
  }
  console.log(`limits\n${formatRows(rows)}\n`);
  return { limits, rows };
}

async function runSuite(
  device: Device,
  suite: string,
  limits: Limits,
  { filter, variants, budgetMs }: BenchOptions,
): Promise<readonly Row[]> {
  const cases = caseSuites
    .flatMap((make) => make(device))
    .filter((c) => c.suite === suite && matches(filter, c.op, c.shape));
  const rows: Row[] = [];
  for (const [i, benchCase] of cases.entries()) {
    progress(`${suite} ${i + 1} of ${cases.length}: ${benchCase.op} ${benchCase.shape}`);
    rows.push(...(await runCase(device, benchCase, limits, { variants, budgetMs })));
  }
  progress("");
  if (rows.length > 0) console.log(`${suite}\n${formatRows(rows)}\n`);
  return rows;
}

async function rank(
  device: Device,
  limits: Limits,
  contender: Contender,
  budgetMs: number,
): Promise<void> {
  const { rows, wrong } = await rankOwnKernel(device, limits, contender, budgetMs);
  console.log(`${contender.task.name}, fastest first\n${formatRows(rows)}\n`);
  for (const message of wrong) console.log(message);
  if (wrong.length > 0) process.exitCode = 1;
}

function formatRows(rows: readonly Row[]): string {
  return formatColumns([rowHeader, ...rows.map(rowCells)], 3);
}

async function measureNets(device: Device, { filter }: BenchOptions): Promise<readonly NetRow[]> {
  const chosen = netCases.filter(({ net, mode, batch, imageSize }) =>
    matches(filter, net, `${mode} ${batch} x ${imageSize}`),
  );
  const rows: NetRow[] = [];
  for (const net of chosen) {
    progress(`nets: ${net.net}, ${net.mode}, ${net.batch} x ${net.imageSize}`);
    rows.push(await measureNet(device, net));
  }
  progress("");
  if (rows.length > 0) console.log(`nets\n${formatNets(rows)}\n`);
  return rows;
}

async function coldStartTable(): Promise<ColdStart> {
  progress("cold start of ResNet-34");
  const coldStart = await measureColdStart();
  progress("");
  console.log(`cold start, seconds since the process began\n${formatColdStart(coldStart)}\n`);
  return coldStart;
}

async function warnOfDrift(control: Control, suite: string, limits: Limits): Promise<void> {
  const warning = await control.read(suite, limits);
  if (warning !== undefined) console.log(`${warning}\n`);
}

function report(results: Results): void {
  const targets = judge(results);
  if (targets.length > 0) console.log(`targets\n${formatTargets(targets)}\n`);
}

interface Report extends Results {
  readonly environment: Environment;
  readonly limits: Limits;
  readonly control: readonly ControlReading[];
}

async function writeResults({ json, charts }: BenchOptions, all: Report): Promise<void> {
  if (json !== undefined) {
    await mkdir(dirname(json), { recursive: true });
    await writeFile(json, `${JSON.stringify({ ...all, targets: judge(all) }, null, 1)}\n`);
    console.log(`wrote ${json}`);
  }
  if (charts === undefined) return;
  const roofline = rooflineChart(all.rows, all.limits, all.environment);
  const pictures = ladderCharts(all.rows, all.limits, all.environment);
  for (const picture of [...(roofline === undefined ? [] : [roofline]), ...pictures]) {
    for (const file of await writePicture(charts, picture)) console.log(`wrote ${file}`);
  }
}

/** One line on a terminal that the next one overwrites. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") console.log(help);
  else await main(options);
} catch (error) {
  // parseArgs throws TypeErrors with a code for what it does not know.
  const isUsage = error instanceof UsageError || (error instanceof TypeError && "code" in error);
  const isKernel = error instanceof KernelFileError || error instanceof ShaderError;
  if (!isUsage && !isKernel) throw error;
  console.error(`bench: ${error.message}${isUsage ? "\n\nnpm run bench -- --help" : ""}`);
  process.exitCode = 2;
}
