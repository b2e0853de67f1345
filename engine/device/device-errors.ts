/**
 * @file Errors of the device: they arrive while the program does something else, and must come out where somebody waits for
 * what they spoiled.
 */
import { DeviceError, OutOfMemoryError, ValidationError, type WgradError } from "../errors.ts";

/** Somebody waits for results. */
export interface PendingWait {
  /** Waits are counted in the order in which they begin. */
  readonly number: number;
  /** Serial of the last recording that is waited for. */
  readonly serial: number;
}

/** Holds the first error until the program knows it; what follows is its consequence. */
export class PendingErrors {
  #error: WgradError | undefined;
  #serial = 0;
  #waits = 0;
  /** Number of the last wait that was under way when the program learned of the error. */
  #lastWait = Infinity;

  /** @param serial of the recording that failed; 0 when it is not known, and any may be spoiled. */
  report(error: WgradError, serial: number): void {
    if (this.#error !== undefined && this.#lastWait === Infinity) return;
    this.#error = error;
    this.#serial = serial;
    this.#lastWait = Infinity;
  }

  /** A wait for the recording `serial` and those before it begins. */
  beginWait(serial: number): PendingWait {
    return { number: ++this.#waits, serial };
  }

  /**
   * Throws the error that a wait must not hide: what was submitted after a failed command, and before the program learned of it,
   * may be wrong; what came before is not, nor what comes after.
   */
  throwFor({ number, serial }: PendingWait): void {
    if (this.#error === undefined || serial < this.#serial) return;
    if (number > this.#lastWait) {
      this.#error = undefined;
      return;
    }
    this.#lastWait = Math.min(this.#lastWait, this.#waits);
    throw this.#error;
  }
}

/** An error that WebGPU reported, as an exception of its own type. */
export function convertError(error: GPUError): WgradError {
  const text = error.message.trim();
  if (error.constructor.name === "GPUOutOfMemoryError") {
    return new OutOfMemoryError(
      "device",
      `out of memory: ${text}`,
      "Use a smaller batch or image, or close other programs",
    );
  }
  if (error.constructor.name === "GPUValidationError") {
    return new ValidationError(
      "device",
      `WebGPU refused a command: ${text}`,
      "The label in the message names the kernel",
    );
  }
  return new DeviceError(
    "device",
    `internal error: ${text}`,
    "Update the driver, or report it with this message",
  );
}

/** Why a device is gone, in the words of its error; each op puts its own name before them. */
export interface Loss {
  readonly problem: string;
  readonly fix: string;
}

/** From what WebGPU says of it; `"destroyed"` means that the program closed the device. */
export function describeLoss(reason: string, message: string): Loss {
  return reason === "destroyed"
    ? { problem: "the device was closed", fix: "Open a new one and create the tensors there" }
    : {
        problem: `the device was lost: ${message.trim() || reason}`,
        fix: "Open a new one with openDevice and load the last checkpoint; a smaller batch helps if a driver timeout was the cause",
      };
}
