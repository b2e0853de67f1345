/** @file A peer in a process of its own, so that neither its memory nor its crashes touch the others. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { PeerName } from "./peer.ts";
import type { Answer, Message, Request } from "./protocol.ts";

const program = fileURLToPath(new URL("child.ts", import.meta.url));
/** What makes Node read TypeScript and WGSL. */
const loader = new URL("../../tools/register.mjs", import.meta.url).href;

/** An answer, and what else the process said; without that, the process is of no more use. */
interface Exchange {
  readonly answer: Answer;
  readonly idle?: Message["idle"];
}

export class PeerProcess implements AsyncDisposable {
  readonly name: PeerName;
  /** Processor time used between requests, and how long that was, in seconds. It should be near zero. */
  readonly idle = { cpuSeconds: 0, seconds: 0 };
  #child: ChildProcess | undefined;

  constructor(name: PeerName) {
    this.name = name;
  }

  /**
   * Asks, and waits for the answer. That the process ended is an answer, too, and so is that it took longer than `limitMs`; it is
   * ended then. The next request starts a new one.
   */
  async ask(request: Request, limitMs: number): Promise<Answer> {
    if (this.#child === undefined) {
      // Advanced, because NaN must survive.
      const execArgv = ["--import", loader];
      this.#child = fork(program, [this.name], { execArgv, serialization: "advanced" });
      const opened = await this.#exchange(this.#child, { kind: "describe" }, limitMs);
      if (opened.kind !== "description") await this.#end();
      if (opened.kind !== "description" || request.kind === "describe") return opened;
    }
    return await this.#exchange(this.#child, request, limitMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }

  async #exchange(child: ChildProcess, request: Request, limitMs: number): Promise<Answer> {
    const { answer, idle } = await exchange(child, request, limitMs);
    if (idle === undefined) await this.#end();
    else {
      this.idle.cpuSeconds += idle.cpuSeconds;
      this.idle.seconds += idle.seconds;
    }
    return answer;
  }

  async #end(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}

function exchange(child: ChildProcess, request: Request, limitMs: number): Promise<Exchange> {
  return new Promise((resolve) => {
    const finish = (result: Exchange): void => {
      clearTimeout(timer);
      child.off("message", onMessage).off("exit", onExit);
      resolve(result);
    };
    const refuse = (reason: string): void => {
      finish({ answer: { kind: "refusal", reason } });
    };
    const onMessage = (message: unknown): void => {
      finish(message as Message);
    };
    const onExit = (code: number | null, signal: string | null): void => {
      refuse(`its process ended: ${signal ?? `exit code ${code ?? "unknown"}`}`);
    };
    const timer = setTimeout(() => {
      refuse(`not done in ${limitMs / 1000} s`);
    }, limitMs);
    child.on("message", onMessage).on("exit", onExit);
    child.send(request, (error) => {
      if (error !== null) refuse(error.message);
    });
  });
}
