/**
 * @file Reads a `.wgsl` file and appends the shared parts that it names. The one implementation behind
 * `import source from "x.wgsl"`, used by Node (register.mjs) and by Vite and Vitest (vite-plugin.mjs).
 *
 * A file asks for parts by comment lines, paths relative to `shaders/`:
 *
 *     // requires: lib/nan.wgsl, lib/grid.wgsl
 *
 * Each part is appended once, its own requirements included. Order does not matter: declarations of a WGSL module may
 * be used before they are written.
 */
import { readFileSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * @typedef {object} WgslSource
 * @property {string} file The file that was imported, from the root of the repository.
 * @property {string} code The complete WGSL text: the file, then its parts.
 * @property {{ file: string, firstLine: number }[]} parts Where each file begins in `code`; lines count from 1.
 */

const shadersFolder = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const repositoryRoot = dirname(shadersFolder);

const requiresLine = /^[ \t]*\/\/[ \t]*requires:(.*)$/gm;
// `enable`, `requires` and `diagnostic` must stand before every declaration of a module, so a part cannot carry them.
const directiveLine = /^[ \t]*(?:enable|requires|diagnostic)\b[^:\n]*;/m;

/**
 * Loads one shader with all the parts that it requires.
 * @param {string} path path of the `.wgsl` file
 * @returns {{ source: WgslSource, paths: string[] }} the source, and the paths of all files that were read
 * @throws {Error} naming file and line when a part does not exist or cannot be appended
 */
export function loadWgsl(path) {
  const texts = new Map([[resolve(path), readText(path)]]);
  // A Map visits entries that are added while it is walked, so parts of parts are reached too.
  for (const [file, text] of texts) {
    for (const { part, line } of requiredParts(text)) {
      const partPath = join(shadersFolder, part);
      if (!texts.has(partPath))
        texts.set(partPath, readPart(partPath, `${displayName(file)}:${line}`));
    }
  }
  return { source: joinTexts(texts), paths: [...texts.keys()] };
}

/**
 * The text of a JavaScript module whose default export is the source.
 * @param {WgslSource} source
 * @returns {string}
 */
export function moduleText(source) {
  return `export default ${JSON.stringify(source, null, 2)};\n`;
}

/**
 * @param {Map<string, string>} texts path to text, the imported file first
 * @returns {WgslSource}
 */
function joinTexts(texts) {
  let code = "";
  let firstLine = 1;
  const parts = [];
  for (const [path, text] of texts) {
    const ended = text.endsWith("\n") ? text : `${text}\n`;
    parts.push({ file: displayName(path), firstLine });
    code += ended;
    firstLine += ended.split("\n").length - 1;
  }
  return { file: parts[0]?.file ?? "", code, parts };
}

/**
 * @param {string} text
 * @returns {{ part: string, line: number }[]}
 */
function requiredParts(text) {
  return [...text.matchAll(requiresLine)].flatMap((match) => {
    const line = text.slice(0, match.index).split("\n").length;
    return (match[1] ?? "")
      .split(",")
      .map((name) => ({ part: name.trim(), line }))
      .filter(({ part }) => part !== "");
  });
}

/**
 * @param {string} path
 * @param {string} requiredBy place of the `requires` line
 * @returns {string}
 */
function readPart(path, requiredBy) {
  let text;
  try {
    text = readText(path);
  } catch (cause) {
    throw new Error(`${requiredBy}: the required part ${displayName(path)} cannot be read`, {
      cause,
    });
  }
  const directive = directiveLine.exec(text);
  if (directive !== null) {
    throw new Error(
      `${displayName(path)}: a part cannot contain "${directive[0].trim()}". Write it in the file that requires the part`,
    );
  }
  return text;
}

/**
 * Line ends as LF, so that line numbers are the same for every checkout.
 * @param {string} path
 * @returns {string}
 */
function readText(path) {
  return readFileSync(path, "utf8").replaceAll("\r\n", "\n");
}

/**
 * Path as a person would name it: from the root of the repository where the file is inside it.
 * @param {string} path
 * @returns {string}
 */
function displayName(path) {
  const fromRoot = relative(repositoryRoot, path);
  const outside = fromRoot.startsWith("..") || isAbsolute(fromRoot);
  return (outside ? path : fromRoot).split(sep).join("/");
}
