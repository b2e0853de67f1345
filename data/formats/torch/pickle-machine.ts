/** @file Stack, marks and memo of a running pickle, and the operations on them; each method is one, named as pickletools does. */
import type { ByteCursor } from "./byte-cursor.ts";
import { fail } from "./fail.ts";
import { PickleGlobal, setItem, type PickleWorld } from "./pickle-world.ts";

/** A byte of a pickle can ask for a hundred bytes of memory. A tensor takes about 6 containers, so nobody's file has as many. */
const largestContainerCount = 500_000;

export class PickleMachine {
  readonly #cursor: ByteCursor;
  readonly #world: PickleWorld;
  readonly #stack: unknown[] = [];
  /** Heights of the stack at which a MARK stands. */
  readonly #marks: number[] = [];
  readonly #values = new Map<number, unknown>();
  #containers = 0;

  constructor(cursor: ByteCursor, world: PickleWorld) {
    this.#cursor = cursor;
    this.#world = world;
  }

  push(value: unknown): void {
    this.#stack.push(value);
  }

  /** What the pickle was for. */
  result(): unknown {
    const value = this.#pop();
    if (this.#stack.length > 0 || this.#marks.length > 0) this.#damaged("leaves values behind");
    return value;
  }

  proto(): void {
    const protocol = this.#cursor.uint8();
    if (protocol < 2 || protocol > 5) fail(`the pickle has an unknown protocol: ${protocol}`);
  }

  /** Says only how much to read ahead. */
  frame(): void {
    this.#cursor.skip(8);
  }

  mark(): void {
    this.#marks.push(this.#stack.length);
  }

  popMark(): void {
    this.#popToMark();
  }

  pop(): void {
    this.#pop();
  }

  dup(): void {
    this.push(this.#top());
  }

  emptyList(): void {
    this.#pushContainer([]);
  }

  append(): void {
    this.#append([this.#pop()]);
  }

  appends(): void {
    this.#append(this.#popToMark());
  }

  emptyTuple(): void {
    this.#pushContainer([]);
  }

  tuple(): void {
    this.#pushContainer(this.#popToMark());
  }

  tuple1(): void {
    this.#pushContainer(this.#popSeveral(1));
  }

  tuple2(): void {
    this.#pushContainer(this.#popSeveral(2));
  }

  tuple3(): void {
    this.#pushContainer(this.#popSeveral(3));
  }

  emptyDict(): void {
    this.#pushContainer(new Map());
  }

  setItem(): void {
    this.#setItems(this.#popSeveral(2));
  }

  setItems(): void {
    this.#setItems(this.#popToMark());
  }

  binPut(): void {
    this.#values.set(this.#cursor.uint8(), this.#top());
  }

  longBinPut(): void {
    this.#values.set(this.#cursor.uint32(), this.#top());
  }

  memoize(): void {
    this.#values.set(this.#values.size, this.#top());
  }

  binGet(): void {
    this.#recall(this.#cursor.uint8());
  }

  longBinGet(): void {
    this.#recall(this.#cursor.uint32());
  }

  global(): void {
    const module = this.#cursor.line();
    this.push(this.#world.global(`${module}.${this.#cursor.line()}`));
  }

  stackGlobal(): void {
    const [module, name] = this.#popSeveral(2);
    if (typeof module !== "string" || typeof name !== "string") this.#damaged("names no name");
    this.push(this.#world.global(`${module}.${name}`));
  }

  /** Calls a function; also for NEWOBJ, as here no class is ever made. */
  reduce(): void {
    const [callee, args] = this.#popSeveral(2);
    if (!(callee instanceof PickleGlobal) || !Array.isArray(args))
      this.#damaged("calls no function");
    this.#pushContainer(callee.call(args));
  }

  build(): void {
    const state = this.#pop();
    this.#world.build(this.#top(), state);
  }

  binPersId(): void {
    this.push(this.#world.persistent(this.#pop()));
  }

  #pop(): unknown {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) this.#damaged("takes from an empty stack");
    return this.#stack.pop();
  }

  #top(): unknown {
    const value = this.#pop();
    this.push(value);
    return value;
  }

  /** In the order in which they were pushed. */
  #popSeveral(count: number): unknown[] {
    return Array.from({ length: count }, () => this.#pop()).reverse();
  }

  /** Everything above the last MARK. */
  #popToMark(): unknown[] {
    const height = this.#marks.pop();
    if (height === undefined) this.#damaged("lacks a MARK");
    return this.#stack.splice(height);
  }

  #pushContainer(value: unknown): void {
    this.#containers += 1;
    if (this.#containers > largestContainerCount) {
      fail(
        `the pickle has over ${largestContainerCount} lists and dicts`,
        "Save the state dict alone",
      );
    }
    this.push(value);
  }

  #append(items: readonly unknown[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) this.#damaged("appends to what is no list");
    for (const item of items) list.push(item);
  }

  /** Keys and values, one after another, into the dict on top. */
  #setItems(items: readonly unknown[]): void {
    const dict = this.#top();
    if (!(dict instanceof Map) || items.length % 2 !== 0) this.#damaged("sets items of no dict");
    for (let i = 0; i < items.length; i += 2) setItem(dict, items[i], items[i + 1]);
  }

  #recall(index: number): void {
    if (!this.#values.has(index)) this.#damaged(`recalls what it never stored, ${index},`);
    this.push(this.#values.get(index));
  }

  #damaged(what: string): never {
    return fail(`the pickle ${what} before byte ${this.#cursor.position}`);
  }
}
