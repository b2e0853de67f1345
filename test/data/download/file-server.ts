/** A server on loopback that gives one file, and misbehaves as a test wants it to. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Answers in the place of the server; true when it did. `count`: how many requests came, this one included. */
export type Misbehaviour = (
  request: IncomingMessage,
  response: ServerResponse,
  count: number,
) => boolean;

export interface FileServer {
  readonly origin: string;
  readonly requests: readonly IncomingMessage[];
  content: Uint8Array;
  etag: string | undefined;
  lastModified: string | undefined;
  misbehave: Misbehaviour;
  close: () => Promise<void>;
}

export async function serveFile(content: Uint8Array): Promise<FileServer> {
  const requests: IncomingMessage[] = [];
  const http = createServer((request, response) => {
    requests.push(request);
    if (!server.misbehave(request, response, requests.length)) answer(server, request, response);
  });
  const server: FileServer = {
    origin: "",
    requests,
    content,
    etag: '"v1"',
    lastModified: undefined,
    misbehave: () => false,
    close: async () => {
      http.close();
      http.closeAllConnections();
      await once(http, "close");
    },
  };
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const { port } = http.address() as AddressInfo;
  return Object.assign(server, { origin: `http://127.0.0.1:${port}` });
}

function answer(server: FileServer, request: IncomingMessage, response: ServerResponse): void {
  const { content, etag, lastModified } = server;
  if (etag !== undefined) response.setHeader("etag", etag);
  if (lastModified !== undefined) response.setHeader("last-modified", lastModified);
  const begin = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? Number.NaN);
  const condition = request.headers["if-range"];
  const unchanged = condition === etag || condition === lastModified;
  if (Number.isNaN(begin) || (condition !== undefined && !unchanged)) {
    response.writeHead(200, { "content-length": content.length }).end(content);
  } else if (begin >= content.length) {
    response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
  } else {
    response
      .writeHead(206, {
        "content-length": content.length - begin,
        "content-range": `bytes ${begin}-${content.length - 1}/${content.length}`,
      })
      .end(content.subarray(begin));
  }
}

/** Announces the whole file, sends its first `bytes`, and cuts the connection. */
export function cutAfter(server: FileServer, bytes: number): Misbehaviour {
  return (_request, response) => {
    const { content, etag, lastModified } = server;
    if (etag !== undefined) response.setHeader("etag", etag);
    if (lastModified !== undefined) response.setHeader("last-modified", lastModified);
    response.writeHead(200, { "content-length": content.length });
    response.write(content.subarray(0, bytes), () => {
      // On a busy machine the other end needs time to read it: what it has not read when the connection breaks is lost.
      setTimeout(() => response.destroy(), 100);
    });
    return true;
  };
}

/** A status and nothing else. */
export function status(code: number, headers: Record<string, string> = {}): Misbehaviour {
  return (_request, response) => {
    response.writeHead(code, headers).end();
    return true;
  };
}
