/** @file The public surface of nn for Node: what shows something in a terminal; re-exports only. */
export { terminalProgress } from "./terminal-progress.ts";
