/**
 * @file What the tuner remembers: for each adapter and driver, which variant won each problem. Plain JSON, to be read, shared and
 * deleted by people.
 */
import { ArgumentError } from "../errors.ts";
import type { AdapterDescription, Device } from "../device/device.ts";
import { setWinners } from "../ops/variants.ts";

/** The fastest variant for a problem, with the times of those that were compared, in milliseconds. */
export interface Winner {
  readonly variant: string;
  readonly milliseconds: Readonly<Record<string, number>>;
}

/** Winners by family, then by problem. */
type AdapterWinners = Record<string, Record<string, Winner>>;

/** The content of a tuning file. */
export interface TuningFile {
  readonly format: typeof format;
  readonly version: typeof version;
  readonly adapters: Readonly<Record<string, Readonly<AdapterWinners>>>;
}

const format = "wgrad-tuning";
const version = 1;

/** The adapter and its driver in words: with another driver the winners may be others. */
function adapterKey({ vendor, architecture, device, description }: AdapterDescription): string {
  return [vendor, architecture, device, description].filter((part) => part !== "").join(" / ");
}

export class TuningTable {
  /**
   * Keeps what was just measured for later programs; `tune` awaits it after measuring. `openNodeDevice` makes it add to the tuning
   * file. Default: undefined, the winners last as long as the table.
   */
  save: ((measured: TuningTable) => Promise<void>) | undefined;
  readonly #adapters = new Map<string, AdapterWinners>();

  /** The winner of a problem, if it was measured on this adapter. */
  get(adapter: AdapterDescription, family: string, problem: string): Winner | undefined {
    return this.#adapters.get(adapterKey(adapter))?.[family]?.[problem];
  }

  set(adapter: AdapterDescription, family: string, problem: string, winner: Winner): void {
    (this.#winnersOn(adapterKey(adapter))[family] ??= {})[problem] = winner;
  }

  /** Takes over the winners of another table, of all its adapters; where both know a problem, the other's. */
  add(other: TuningTable): void {
    for (const [key, families] of other.#adapters) {
      const winners = this.#winnersOn(key);
      for (const [family, problems] of Object.entries(families)) {
        winners[family] = { ...winners[family], ...problems };
      }
    }
  }

  /** How many problems were measured on this adapter. */
  size(adapter: AdapterDescription): number {
    const winners = this.#adapters.get(adapterKey(adapter)) ?? {};
    return Object.values(winners).reduce((sum, problems) => sum + Object.keys(problems).length, 0);
  }

  #winnersOn(key: string): AdapterWinners {
    const winners = this.#adapters.get(key) ?? {};
    this.#adapters.set(key, winners);
    return winners;
  }

  /** Lets the winners choose on a device from now on. Those measured later count too. */
  apply(device: Device): void {
    setWinners(device, (family, problem) => this.get(device.adapter, family, problem)?.variant);
  }

  /** Forgets what was measured on an adapter. */
  clear(adapter: AdapterDescription): void {
    this.#adapters.delete(adapterKey(adapter));
  }

  toJSON(): TuningFile {
    return { format, version, adapters: Object.fromEntries(this.#adapters) };
  }

  /**
   * Reads the text of a tuning file.
   * @throws ArgumentError when it is none: no JSON, another format or version, or entries of another form.
   */
  static parse(text: string): TuningTable {
    const table = new TuningTable();
    const file = parseJson(text);
    if (!isRecord(file) || file["format"] !== format) throw notATuningFile("it has another format");
    if (file["version"] !== version) {
      throw notATuningFile(`it has version ${String(file["version"])}, not ${version}`);
    }
    for (const [key, families] of entriesOf(file["adapters"])) {
      const winners: AdapterWinners = {};
      for (const [family, problems] of entriesOf(families)) {
        winners[family] = Object.fromEntries(
          entriesOf(problems).map(([problem, winner]) => [problem, winnerOf(winner)]),
        );
      }
      table.#adapters.set(key, winners);
    }
    return table;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw notATuningFile(cause instanceof Error ? cause.message : String(cause));
  }
}

function notATuningFile(why: string): ArgumentError {
  return new ArgumentError(
    "TuningTable.parse",
    `the text is no tuning file: ${why}`,
    "Delete the file and tune again",
  );
}

type Json = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  if (!isRecord(value)) throw notATuningFile("a part of it is no object");
  return Object.entries(value);
}

function winnerOf(value: unknown): Winner {
  if (!isRecord(value) || typeof value["variant"] !== "string") {
    throw notATuningFile("an entry has no variant");
  }
  const milliseconds = entriesOf(value["milliseconds"]).map(([variant, time]) => {
    if (typeof time !== "number") throw notATuningFile(`the time of ${variant} is no number`);
    return [variant, time] as const;
  });
  return { variant: value["variant"], milliseconds: Object.fromEntries(milliseconds) };
}
