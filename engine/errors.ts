/**
 * @file Every error that wgrad throws on purpose. The message has one form everywhere:
 * `op: what is wrong: the values. The likely fix.`
 */

/** Base of all errors of wgrad; `instanceof WgradError` tells them from bugs and from the runtime's own. */
export class WgradError extends Error {
  /** The operation that refused, for example `"matmul"`. */
  readonly op: string;
  /** What is wrong, with the values. */
  readonly problem: string;
  /** The likely fix. */
  readonly fix: string;

  constructor(op: string, problem: string, fix: string) {
    super(`${op}: ${problem}. ${fix}`);
    this.op = op;
    this.problem = problem;
    this.fix = fix;
    this.name = new.target.name;
  }
}

/** Shapes, axes or sizes do not fit together. */
export class ShapeError extends WgradError {}

/** An element type that the operation does not take, or two that differ. */
export class DTypeError extends WgradError {}

/** An argument outside its domain: a negative stride, a learning rate that is not finite. */
export class ArgumentError extends WgradError {}

/** A tensor whose memory was already given back. */
export class UseAfterFreeError extends WgradError {}

/** A NaN or an infinity, found by the guard. */
export class NonFiniteError extends WgradError {}

/** A file that could not be fetched, or is not the one that was asked for. */
export class DownloadError extends WgradError {}

/** An archive that is refused: too large, or with entries that would land elsewhere. */
export class ArchiveError extends WgradError {}

/** An archive that cannot be read to its end. */
export class DamagedArchiveError extends ArchiveError {}

/** Base of everything that goes wrong on the device rather than in the arguments. */
export class DeviceError extends WgradError {}

/** No WebGPU adapter could be opened on this machine. */
export class NoAdapterError extends DeviceError {}

/** The device is gone: the driver crashed, the GPU was reset, or `close()` was called. */
export class DeviceLostError extends DeviceError {}

/** The device could not give the memory that was asked for. */
export class OutOfMemoryError extends DeviceError {}

/** A request beyond the adapter's limits, refused before anything was allocated. */
export class LimitError extends DeviceError {}

/** WebGPU refused a command: a bug in wgrad or in a custom kernel. */
export class ValidationError extends DeviceError {}

/** A shader did not compile; the message gives file, line and column. */
export class ShaderError extends DeviceError {}
