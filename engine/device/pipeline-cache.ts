/**
 * @file Compute pipelines, compiled once each, in parallel and without blocking: a command may be recorded while its
 * pipeline still compiles. Compile errors name the file, line and column of the .wgsl that was written.
 */
import { ShaderError, type WgradError } from "../errors.ts";
import type { Binding, BindingKind } from "./wgsl-reflection.ts";

/** A shader text and the files it was joined from; what importing a `.wgsl` gives. */
export interface ShaderSource {
  readonly file: string;
  readonly code: string;
  /** Where each file begins in `code`: its first line, counted from 1. */
  readonly parts: readonly { readonly file: string; readonly firstLine: number }[];
}

/** Everything that makes one pipeline differ from another. */
export interface PipelineRequest {
  /** Name in errors, profiles and labels, for example `"matmul/tiled"`. */
  readonly label: string;
  readonly source: ShaderSource;
  readonly entryPoint: string;
  readonly constants: Readonly<Record<string, number>>;
  readonly bindings: readonly Binding[];
  /** Size of `struct Params`. */
  readonly paramBytes: number;
}

/** A pipeline that is compiling or ready. */
export interface Pipeline {
  readonly label: string;
  readonly layout: BindLayout;
  /** Size of `struct Params`. */
  readonly paramBytes: number;
  /** Set when compiled. */
  compiled: GPUComputePipeline | undefined;
  /** Set when compiling failed. */
  error: WgradError | undefined;
  /** Resolves, never rejects, when `compiled` or `error` is set. */
  readonly ready: Promise<void>;
}

/** A bind group layout shared by all kernels with the same bindings. */
export interface BindLayout {
  readonly id: number;
  /** Indices of the storage bindings. */
  readonly storage: readonly number[];
  /** Index and size of the binding of `struct Params`. */
  readonly uniform: { readonly binding: number; readonly byteLength: number } | undefined;
  readonly group: GPUBindGroupLayout;
  readonly pipeline: GPUPipelineLayout;
}

/** How far compiling is; both only grow. */
export interface CompileProgress {
  readonly requested: number;
  readonly finished: number;
}

export class PipelineCache {
  readonly #gpu: GPUDevice;
  readonly #wait: <T>(promise: Promise<T>) => Promise<T>;
  readonly #pipelines = new Map<PipelineRequest, Pipeline>();
  readonly #modules = new Map<string, GPUShaderModule>();
  readonly #layouts = new Map<string, BindLayout>();
  readonly #listeners = new Set<(progress: CompileProgress) => void>();
  #finished = 0;

  constructor(gpu: GPUDevice, wait: <T>(promise: Promise<T>) => Promise<T>) {
    this.#gpu = gpu;
    this.#wait = wait;
  }

  get progress(): CompileProgress {
    return { requested: this.#pipelines.size, finished: this.#finished };
  }

  /**
   * Calls `listener` whenever a pipeline was requested or finished; the result stops it. What a listener throws is an uncaught
   * error, as with the events of the platform.
   */
  onProgress(listener: (progress: CompileProgress) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The pipeline for a request; each object is a request of its own. */
  get(request: PipelineRequest): Pipeline {
    const known = this.#pipelines.get(request);
    if (known !== undefined) return known;
    const pipeline = this.#compile(request);
    this.#pipelines.set(request, pipeline);
    this.#announce();
    return pipeline;
  }

  #announce(): void {
    for (const listener of this.#listeners) {
      try {
        listener(this.progress);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  #compile(request: PipelineRequest): Pipeline {
    const layout = this.#layoutOf(request);
    const module = this.#moduleOf(request.source);
    const compiling = this.#gpu
      .createComputePipelineAsync({
        label: request.label,
        layout: layout.pipeline,
        compute: { module, entryPoint: request.entryPoint, constants: { ...request.constants } },
      })
      .then(
        (compiled) => {
          pipeline.compiled = compiled;
        },
        async (cause: unknown) => {
          pipeline.error = await compileError(request, module, cause);
        },
      )
      .finally(() => {
        this.#finished++;
        this.#announce();
      });
    const pipeline: Pipeline = {
      label: request.label,
      layout,
      paramBytes: request.paramBytes,
      compiled: undefined,
      error: undefined,
      ready: this.#wait(compiling),
    };
    return pipeline;
  }

  #moduleOf(source: ShaderSource): GPUShaderModule {
    const known = this.#modules.get(source.code);
    if (known !== undefined) return known;
    // The scope keeps a syntax error from being reported twice: the pipeline reports it, with line and column.
    this.#gpu.pushErrorScope("validation");
    const module = this.#gpu.createShaderModule({ label: source.file, code: source.code });
    void this.#gpu.popErrorScope().catch(() => null);
    this.#modules.set(source.code, module);
    return module;
  }

  #layoutOf({ bindings, paramBytes }: PipelineRequest): BindLayout {
    const signature = bindings
      .map(({ index, kind }) => `${index}:${kind}${kind === "uniform" ? ` ${paramBytes}` : ""}`)
      .join(" ");
    const known = this.#layouts.get(signature);
    if (known !== undefined) return known;
    const group = this.#gpu.createBindGroupLayout({
      label: signature,
      entries: bindings.map(({ index, kind }) => ({
        binding: index,
        visibility: 4 /* COMPUTE */,
        buffer: bufferLayout(kind, paramBytes),
      })),
    });
    const pipeline = this.#gpu.createPipelineLayout({
      label: signature,
      bindGroupLayouts: [group],
    });
    const params = bindings.find(({ kind }) => kind === "uniform");
    const layout = {
      id: this.#layouts.size,
      storage: bindings.filter(({ kind }) => kind !== "uniform").map(({ index }) => index),
      uniform: params && { binding: params.index, byteLength: paramBytes },
      group,
      pipeline,
    };
    this.#layouts.set(signature, layout);
    return layout;
  }
}

function bufferLayout(kind: BindingKind, paramBytes: number): GPUBufferBindingLayout {
  switch (kind) {
    case "read":
      return { type: "read-only-storage" };
    case "read_write":
      return { type: "storage" };
    case "uniform":
      // The size is checked once, when a bind group is made, and not again at every dispatch.
      return { type: "uniform", minBindingSize: paramBytes };
  }
}

/** The compiler's messages, each at the place in the file that a person edits. */
async function compileError(
  request: PipelineRequest,
  module: GPUShaderModule,
  cause: unknown,
): Promise<ShaderError> {
  const information = await module.getCompilationInfo().catch(() => null);
  const messages = (information?.messages ?? [])
    .filter(({ type }) => type === "error")
    .map(
      ({ lineNum, linePos, message }) => `${locate(request.source, lineNum, linePos)}: ${message}`,
    );
  const reason =
    messages.length > 0
      ? messages.join("\n  ")
      : cause instanceof Error
        ? cause.message
        : String(cause);
  return new ShaderError(
    request.label,
    `the shader did not compile: ${reason}`,
    `Correct ${request.source.file} (entry point ${request.entryPoint})`,
  );
}

/** `file:line:column` for a place in the joined text. */
function locate(source: ShaderSource, line: number, column: number): string {
  const part = [...source.parts].reverse().find(({ firstLine }) => firstLine <= line);
  return part === undefined
    ? `${source.file}:${line}:${column}`
    : `${part.file}:${line - part.firstLine + 1}:${column}`;
}
