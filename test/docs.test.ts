/** @file The programs in README and guides: they are checked by the compiler against the library as it is. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");

/**
 * The blocks of TypeScript in a page. Those of one section (`##`) are one program; with `<!-- check: one program -->` those of the whole page
 * are. What a program takes as given stands in `<!-- given: declare ... -->`.
 */
function programsOf(page: string): string[] {
  const text = readFileSync(join(root, page), "utf8");
  const sections = text.includes("<!-- check: one program -->") ? [text] : text.split(/^## /m);
  return sections
    .map((section) => [...section.matchAll(/<!-- given: (.*?) -->|^```ts\n(.*?)^```/gms)])
    .filter((blocks) => blocks.length > 0)
    .map((blocks) => blocks.map(([, given, block]) => given ?? block).join("\n"));
}

/** `wgrad/nn` and its like are the sources. */
const paths = {
  wgrad: ["./engine/index.ts"],
  "wgrad/node": ["./engine/node.ts"],
  ...Object.fromEntries(
    ["nn", "data", "vision"].flatMap((name) => [
      [`wgrad/${name}`, [`./${name}/index.ts`]],
      [`wgrad/${name}/node`, [`./${name}/node.ts`]],
    ]),
  ),
};

/** The compiler's options of the repository; not all that a page declares is used there. */
function settings(): ts.CompilerOptions {
  const file = ts.readConfigFile(join(root, "tsconfig.json"), (path) => ts.sys.readFile(path));
  const config = { ...(file.config as object), include: [] };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  return { ...options, paths, noUnusedLocals: false };
}

/** What the compiler says of programs, as if they were files beside the library. */
function check(programs: ReadonlyMap<string, string>): readonly string[] {
  const host = ts.createCompilerHost(settings());
  const onDisk = { ...host };
  host.readFile = (file) => programs.get(file) ?? onDisk.readFile(file);
  host.fileExists = (file) => programs.has(file) || onDisk.fileExists(file);
  const program = ts.createProgram([...programs.keys()], settings(), host);
  return [...programs.keys()].flatMap((file) => {
    const source = program.getSourceFile(file);
    return [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ].map(({ messageText, start = 0 }) => {
      const line = source?.text.slice(0, start).split("\n").length ?? 0;
      const shown = source?.text.split("\n")[line - 1] ?? "";
      return `${file.slice(root.length + 1)}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}\n  ${shown}`;
    });
  });
}

test("README's programs and those of the guides compile", () => {
  const programs = new Map<string, string>();
  for (const page of ["README.md", "docs/data.md", "docs/training.md"]) {
    programsOf(page).forEach((text, i) => {
      programs.set(join(root, `${page.replaceAll("/", "-")}-${i + 1}.ts`), `export {};\n${text}`);
    });
  }
  expect(programs.size).toBeGreaterThanOrEqual(4);
  expect(check(programs)).toEqual([]);
  const wrong = new Map([[join(root, "wrong.ts"), 'import { nothing } from "wgrad/nn";\n']]);
  expect(check(wrong)).toHaveLength(1);
}, 120_000);
