/** @file `wgrad tune`: measures the kernels that a training step of a net runs, and writes the winners to the tuning file. */
import { rm } from "node:fs/promises";
import { parseArgs } from "node:util";
import {
  backward,
  crossEntropy,
  formatShape,
  randomInteger,
  randomNormal,
  setDefaultDevice,
  tune,
  tuningTable,
  TuningTable,
  type Device,
  type Tuned,
} from "../engine/index.ts";
import {
  addToTuningFile,
  defaultTuningFile,
  openNodeDevice,
  writeTuningFile,
} from "../engine/node.ts";
import {
  cifarResnet20,
  resnet18,
  resnet34,
  resnet50,
  SmallResNet,
  type Module,
} from "../nn/index.ts";
import { CommandError } from "./command-error.ts";

interface Net {
  readonly imageSize: number;
  readonly channels: number;
  make(): Module;
}

/** Nets to tune for, with the images that they were made for. */
const nets: Readonly<Record<string, Net>> = {
  resnet18: { imageSize: 224, channels: 3, make: () => resnet18({ numClasses: 10 }) },
  resnet34: { imageSize: 224, channels: 3, make: () => resnet34({ numClasses: 10 }) },
  resnet50: { imageSize: 224, channels: 3, make: () => resnet50({ numClasses: 10 }) },
  "cifar-resnet20": { imageSize: 32, channels: 3, make: () => cifarResnet20() },
  "small-resnet": { imageSize: 28, channels: 1, make: () => new SmallResNet() },
};

const help = `wgrad tune [options]

Runs one training step and measures, for every matrix product and convolution in it, which of the kernels is fastest on this
adapter. Programs that open a device afterwards use the winners.

  --net NAME         ${Object.keys(nets).join(", ")}; default: resnet34
  --image-size N     side of the images; default: that of the net
  --batch N          default: 8
  --file FILE        the tuning file; default: $WGRAD_TUNING, or wgrad/tuning.json in the user's cache folder
  --again            forget what was measured on this adapter before
  --delete           delete the file instead
  --help             this text`;

interface Options {
  readonly net: Net;
  readonly imageSize: number;
  readonly batch: number;
  readonly file: string;
  readonly again: boolean;
  readonly delete: boolean;
}

export async function tuneCommand(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  if (options === "help") {
    console.log(help);
  } else if (options.delete) {
    await rm(options.file, { force: true });
    console.log(`deleted ${options.file}`);
  } else {
    await checkFile(options.file);
    await using device = await openNodeDevice({ tuning: options.file });
    setDefaultDevice(device);
    await run(device, options);
  }
}

/** A file that cannot take the winners is refused before minutes of measuring. */
async function checkFile(file: string): Promise<void> {
  try {
    await addToTuningFile(file, new TuningTable());
  } catch (error) {
    throw new CommandError(error instanceof Error ? `${file}: ${error.message}` : String(error));
  }
}

async function run(device: Device, { net, imageSize, batch, file, again }: Options): Promise<void> {
  const table = tuningTable(device);
  // Whoever asked for the file has to hear when it cannot be written.
  table.save = (measured) => addToTuningFile(file, measured);
  if (again) {
    table.clear(device.adapter);
    await writeTuningFile(file, table);
  }
  const shape = [batch, imageSize, imageSize, net.channels];
  console.log(`${device.adapter.description}: images ${formatShape(shape)}`);
  const model = net.make();
  const images = randomNormal(shape);
  const labels = randomInteger([batch], 0, 10);
  const body = (): void => {
    backward(crossEntropy(model.forward(images), labels));
  };
  const tuned = await tune(body, {
    onProgress: ({ done, total, family, problem }) => {
      if (process.stderr.isTTY) {
        process.stderr.write(`\r\u001b[K${done + 1} of ${total}: ${family} ${problem}`);
      }
    },
  });
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  for (const each of tuned) console.log(formatTuned(each));
  console.log(
    `${tuned.length} problems measured, ${table.size(device.adapter)} known for this adapter: ${file}`,
  );
}

/** The winner first, then the others by their times. */
function formatTuned({ family, problem, variant, usual, milliseconds }: Tuned): string {
  const times = Object.entries(milliseconds)
    .sort(([, a], [, b]) => a - b)
    .map(([name, time]) => `${name} ${time.toPrecision(3)}`);
  const change = variant === usual ? "" : `, instead of ${usual}`;
  return `${family} ${problem}: ${variant}${change} (ms: ${times.join(", ")})`;
}

function parseOptions(args: readonly string[]): Options | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      net: { type: "string", default: "resnet34" },
      "image-size": { type: "string" },
      batch: { type: "string", default: "8" },
      file: { type: "string" },
      again: { type: "boolean", default: false },
      delete: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const net = nets[values.net];
  if (net === undefined) {
    throw new CommandError(
      `--net: there is no net ${values.net}. Known: ${Object.keys(nets).join(", ")}`,
    );
  }
  const file = values.file ?? defaultTuningFile();
  if (file === false) {
    throw new CommandError("there is no tuning file: WGRAD_TUNING is off. Name one with --file");
  }
  const imageSize = count("image-size", values["image-size"] ?? String(net.imageSize));
  const batch = count("batch", values.batch);
  return { net, imageSize, batch, file, again: values.again, delete: values.delete };
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new CommandError(`--${name}: not a whole number above 0: ${text}`);
}
