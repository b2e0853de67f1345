/** @file What a download says of itself where nobody else shows its progress. Node only. */
import type { DownloadProgress } from "./download-file.ts";

/** Smaller files are there before anybody could wonder. */
const smallest = 1e6;
const secondsBetweenLines = 5;

/**
 * Lines on the error output: one at the start, what is fetched or unpacked, how large it is and where to, then how far it is, every five
 * seconds at most. Nothing for files below 1 MB.
 *
 * @param target where it goes to.
 * @param output default: `process.stderr`.
 */
export function progressLines(
  target: string,
  output: { write(text: string): unknown } = process.stderr,
): (progress: DownloadProgress) => void {
  let last: number | undefined;
  return ({ phase, url, bytes, total }) => {
    if (Math.max(bytes, total ?? 0) < smallest) return;
    const now = performance.now();
    if (last === undefined) {
      const size = total === undefined ? "size unknown" : megabytes(total);
      const verb = phase === "download" ? "downloading" : "unpacking";
      output.write(`wgrad: ${verb} ${url} (${size}) to ${target}\n`);
    } else if (now - last < 1000 * secondsBetweenLines) return;
    else {
      const part = total === undefined ? "" : `, ${Math.floor((100 * bytes) / total)} %`;
      output.write(`wgrad: ${megabytes(bytes)}${part}\n`);
    }
    last = now;
  };
}

/** `83.3 MB` */
function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
