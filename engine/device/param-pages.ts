/**
 * @file The uniforms of a recording. Kernels write `struct Params` straight into a page on the host; when its commands are
 * encoded, a page goes to the device as a whole.
 */

/** Bytes of uniforms that one submit may carry; more commands go into the next submit. */
export const pageBytes = 256 * 1024;

/** One memory seen as words and as floats, of which `used` words are taken. */
export class ParamPage {
  readonly words = new Uint32Array(pageBytes / 4);
  readonly floats = new Float32Array(this.words.buffer);
  used = 0;
}

/** Hands out pages, and takes them back when the queue has a copy. */
export class ParamPages {
  readonly #alignment: number;
  readonly #free: ParamPage[] = [];
  #filling: ParamPage[] = [];

  /** @param alignment of `struct Params`, in bytes. */
  constructor(alignment: number) {
    this.#alignment = alignment / 4;
  }

  /** The page of the current recording where the next `words` words begin at `used`; at most a whole page. */
  withRoom(words: number): ParamPage {
    const last = this.#filling.at(-1);
    if (last !== undefined && last.used + words <= last.words.length) return last;
    const page = this.#free.pop() ?? new ParamPage();
    this.#filling.push(page);
    return page;
  }

  /** Which page of the current recording `withRoom` gave last. */
  get index(): number {
    return this.#filling.length - 1;
  }

  /** Pages with these words, for a recording without commands. */
  fill(contents: readonly Uint32Array[]): readonly ParamPage[] {
    this.giveBack(this.endRecording());
    for (const words of contents) {
      const page = this.#free.pop() ?? new ParamPage();
      page.words.set(words);
      page.used = words.length;
      this.#filling.push(page);
    }
    return this.#filling;
  }

  /** Takes the words at `used` for a command, and returns their offset in bytes. */
  take(page: ParamPage, words: number): number {
    const offset = page.used;
    page.used = Math.ceil((offset + words) / this.#alignment) * this.#alignment;
    return 4 * offset;
  }

  /** The pages of the recording that ends here. */
  endRecording(): readonly ParamPage[] {
    const pages = this.#filling;
    this.#filling = [];
    return pages;
  }

  giveBack(pages: readonly ParamPage[]): void {
    for (const page of pages) {
      page.used = 0;
      this.#free.push(page);
    }
  }
}
