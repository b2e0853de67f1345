/**
 * @file How many workgroups a kernel of one's own wants, as it says itself in a comment:
 *
 *     // workgroups: ceil(n / 64), ceil(m / 64), batch
 *
 * One to three expressions for x, y and z, of numbers, names, + - * / and ceil(...). Names are the members that `struct Params`
 * may have for the task.
 */

/** A mistake in the kernel's file; the message begins with file, line and column. */
export class KernelFileError extends Error {
  override readonly name = "KernelFileError";

  constructor(file: string, line: number, column: number, problem: string) {
    super(`${file}:${line}:${column}: ${problem}`);
  }
}

export type Names = Readonly<Record<string, number>>;

/** Workgroups in x, y and z for a problem. */
export type Workgroups = (names: Names) => readonly [number, number, number];

const directive = /^[ \t]*\/\/[ \t]*workgroups:(.*)$/m;

/**
 * @param known names that an expression may use.
 * @throws KernelFileError when there is no such line, or it cannot be understood.
 */
export function parseWorkgroups(file: string, text: string, known: readonly string[]): Workgroups {
  const match = directive.exec(text);
  if (match === null) {
    const example = "// workgroups: ceil(n / 64), ceil(m / 64), 1";
    throw new KernelFileError(
      file,
      1,
      1,
      `no line says how many workgroups to run: \`${example}\``,
    );
  }
  const expression = match[1] ?? "";
  const before = text.slice(0, match.index + match[0].length - expression.length);
  const line = before.split("\n").length;
  const column = before.length - before.lastIndexOf("\n");
  const parser = new Parser(expression, known, (at, problem) => {
    return new KernelFileError(file, line, column + at, problem);
  });
  const axes = parser.list();
  return (names) => {
    const [x = 1, y = 1, z = 1] = axes.map((axis) => Math.ceil(axis(names)));
    return [x, y, z];
  };
}

type Evaluate = (names: Names) => number;

/** Recursive descent: list = sum {"," sum}; sum = product {("+" | "-") product}; product = atom {("*" | "/") atom}. */
class Parser {
  readonly #tokens: readonly { readonly text: string; readonly at: number }[];
  readonly #end: number;
  readonly #known: readonly string[];
  readonly #error: (at: number, problem: string) => KernelFileError;
  #next = 0;

  constructor(
    text: string,
    known: readonly string[],
    error: (at: number, problem: string) => KernelFileError,
  ) {
    this.#tokens = [...text.matchAll(/\d+|\w+|\S/g)].map((m) => ({ text: m[0], at: m.index }));
    this.#end = text.length;
    this.#known = known;
    this.#error = error;
  }

  list(): readonly Evaluate[] {
    const axes = [this.#sum()];
    while (this.#take(",")) axes.push(this.#sum());
    if (this.#next < this.#tokens.length || axes.length > 3) {
      throw this.#error(this.#at(), "expected at most three expressions, and nothing behind them");
    }
    return axes;
  }

  #sum(): Evaluate {
    let left = this.#product();
    for (;;) {
      const [a, operator] = [left, this.#take("+") ?? this.#take("-")];
      if (operator === undefined) return left;
      const b = this.#product();
      left = operator === "+" ? (names) => a(names) + b(names) : (names) => a(names) - b(names);
    }
  }

  #product(): Evaluate {
    let left = this.#atom();
    for (;;) {
      const [a, operator] = [left, this.#take("*") ?? this.#take("/")];
      if (operator === undefined) return left;
      const b = this.#atom();
      left = operator === "*" ? (names) => a(names) * b(names) : (names) => a(names) / b(names);
    }
  }

  #atom(): Evaluate {
    const at = this.#at();
    const text = this.#tokens[this.#next]?.text;
    this.#next++;
    if (text === undefined) throw this.#error(at, "expected a number or a name");
    if (/^\d+$/.test(text)) return () => Number(text);
    if (text === "(") return this.#closed(this.#sum());
    if (text === "ceil" && this.#take("(") !== undefined) {
      const inner = this.#closed(this.#sum());
      return (names) => Math.ceil(inner(names));
    }
    if (this.#known.includes(text)) return (names) => names[text] ?? NaN;
    throw this.#error(at, `${text} is unknown here. Known: ceil, ${this.#known.join(", ")}`);
  }

  #closed(inner: Evaluate): Evaluate {
    if (this.#take(")") === undefined) throw this.#error(this.#at(), "expected )");
    return inner;
  }

  #take(text: string): string | undefined {
    if (this.#tokens[this.#next]?.text !== text) return undefined;
    this.#next++;
    return text;
  }

  #at(): number {
    return this.#tokens[this.#next]?.at ?? this.#end;
  }
}
