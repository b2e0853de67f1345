/**
 * @file One GET over HTTP, through redirects. The body comes as it is sent: a .tgz that a server labels as compressed must not be
 * unpacked on its way, which `fetch` would do.
 */
import { request as requestPlain, type IncomingMessage } from "node:http";
import { request as requestSecure } from "node:https";
import { DownloadError } from "../../engine/index.ts";

/** How long to wait, and whether still to. */
export interface Patience {
  /** Seconds without a byte after which the connection counts as dead. */
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
}

/** The connection failed in a way that may be gone the next time. */
export class Interrupted extends Error {
  /** Seconds that the server asks to wait. */
  readonly wait: number;

  constructor(message: string, wait = 0) {
    super(message);
    this.wait = wait;
  }
}

const mostRedirects = 10;
const redirects: readonly (number | undefined)[] = [301, 302, 303, 307, 308];

/**
 * The server's answer, whatever its status, its body not read yet: read it with `readBody`, or `destroy()` it.
 *
 * @throws Interrupted when the connection fails or nothing comes for too long.
 * @throws DownloadError when it cannot succeed: an unknown host, a wrong certificate, redirects that lead nowhere.
 */
export async function get(
  url: URL,
  headers: Readonly<Record<string, string>>,
  patience: Patience,
): Promise<IncomingMessage> {
  let address = url;
  for (let hop = 0; hop <= mostRedirects; hop++) {
    const response = await send(address, headers, patience);
    if (!redirects.includes(response.statusCode)) return response;
    response.destroy();
    address = follow(url, address, response.headers.location);
  }
  throw new DownloadError(
    "downloadFile",
    `${url.href} leads through more than ${mostRedirects} redirects, the last one to ${address.href}`,
    "Pass the address of the file itself",
  );
}

function follow(start: URL, from: URL, location: string | undefined): URL {
  const target =
    location !== undefined && URL.canParse(location, from.href)
      ? new URL(location, from)
      : undefined;
  const downgrade = from.protocol === "https:" && target?.protocol === "http:";
  if (target !== undefined && isHttp(target) && !downgrade) return target;
  throw new DownloadError(
    "downloadFile",
    `${start.href} redirects to ${location ?? "nowhere"}${downgrade ? ", which is not encrypted" : ""}`,
    "Pass the address of the file itself",
  );
}

export function isHttp(url: URL): boolean {
  return url.protocol === "http:" || url.protocol === "https:";
}

function send(
  url: URL,
  headers: Readonly<Record<string, string>>,
  { timeout, signal }: Patience,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === "https:" ? requestSecure : requestPlain)(url, {
      headers: { "user-agent": "wgrad", accept: "*/*", "accept-encoding": "identity", ...headers },
      agent: false, // No connection stays open behind the caller's back.
      ...(signal && { signal }),
    });
    const timer = setTimeout(() => {
      request.destroy(new Interrupted(`no answer for ${timeout} s`));
    }, timeout * 1000);
    request.on("response", (response) => {
      clearTimeout(timer);
      resolve(response);
    });
    request.on("error", (error) => {
      clearTimeout(timer);
      reject(explain(url, error));
    });
    request.end();
  });
}

/** Errors of the system after which another try can succeed. */
const transient =
  /^(ECONN|EPIPE|ETIMEDOUT|EAI_AGAIN|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|HPE_)/;

function explain(url: URL, error: NodeJS.ErrnoException): Error {
  // Where a host has several addresses, the error is a list of errors without a message of its own.
  const message = error.message === "" ? (error.code ?? error.name) : error.message;
  if (error instanceof Interrupted || error.name === "AbortError") return error;
  if (transient.test(error.code ?? "")) return new Interrupted(message);
  return new DownloadError(
    "downloadFile",
    `${url.href} cannot be reached: ${message}`,
    "Check the address and the connection to the network",
  );
}

/**
 * The bytes of the answer as they come.
 *
 * @throws Interrupted when the connection ends early or nothing comes for too long.
 */
export async function* readBody(
  response: IncomingMessage,
  timeout: number,
): AsyncGenerator<Uint8Array, void> {
  const iterator = response[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  try {
    for (;;) {
      // Only while we wait for the server: a slow disk is no dead connection.
      const timer = setTimeout(() => {
        response.destroy(new Interrupted(`no byte for ${timeout} s`));
      }, timeout * 1000);
      const next = await nextChunk(iterator).finally(() => {
        clearTimeout(timer);
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    response.destroy();
  }
}

async function nextChunk(iterator: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  try {
    return await iterator.next();
  } catch (error) {
    throw error instanceof Interrupted ? error : new Interrupted((error as Error).message);
  }
}
