/**
 * @file The entries of a zip archive that lies in memory. Own code, because the library takes no packages at run time, because
 * what `torch.save` writes is never compressed, so that an entry is a view of the file, and because it stays synchronous.
 *
 * Sizes and offsets come from the central directory: `torch.save` writes them after the data, so the local headers hold zeros.
 * Entries that overlap and compressed entries are refused: an archive never gives more bytes than it has.
 *
 * Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 to 4.3.16 (directory), 4.5.3 (ZIP64).
 */
import { ByteCursor } from "./byte-cursor.ts";
import { crc32 } from "./crc32.ts";
import { fail, quote } from "./fail.ts";

const signatures = {
  local: 0x04034b50,
  central: 0x02014b50,
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
};
const endLength = 22;
const locatorLength = 20;
const zip64ExtraId = 1;
/** A field of this value is found, wider, in the ZIP64 extra field. */
const in64 = 0xffffffff;

interface ZipEntry {
  readonly name: string;
  /** CRC-32 of the data, or 0. */
  readonly checksum: number;
  readonly size: number;
  /** Where the local header begins. */
  readonly offset: number;
}

/** Stored entries by name. */
export class ZipArchive {
  readonly #bytes: Uint8Array;
  readonly #entries = new Map<string, ZipEntry>();

  /** Reads the directory. Throws `ArgumentError` for every archive that is damaged or that `torch.save` would not write. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    const { offset, count } = findDirectory(bytes);
    const cursor = new ByteCursor(bytes, offset);
    let total = 0;
    for (let i = 0; i < count; i++) {
      const entry = readDirectoryEntry(cursor);
      if (this.#entries.has(entry.name))
        fail(`the archive has an entry twice: ${quote(entry.name)}`);
      this.#entries.set(entry.name, entry);
      total += entry.size;
    }
    if (total > bytes.length) {
      fail(
        `the entries of the archive overlap: they have ${total} bytes, the file ${bytes.length}`,
      );
    }
  }

  names(): Iterable<string> {
    return this.#entries.keys();
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /**
   * The data of an entry: a view of the file. The checksum is compared, unless it is 0: so files say that none was computed, after
   * `torch.serialization.set_crc32_options(False)`.
   */
  read(name: string): Uint8Array {
    const entry = this.#entries.get(name);
    if (entry === undefined) fail(`the archive lacks an entry: ${quote(name)}`);
    const cursor = new ByteCursor(this.#bytes, entry.offset);
    if (cursor.uint32() !== signatures.local) {
      fail(`no entry begins where the directory says: ${quote(name)} at byte ${entry.offset}`);
    }
    cursor.skip(22);
    const nameLength = cursor.uint16();
    const extraLength = cursor.uint16();
    cursor.skip(nameLength + extraLength);
    const data = cursor.bytes(entry.size);
    if (entry.checksum !== 0 && crc32(data) !== entry.checksum) {
      fail(`the data of ${quote(name)} are damaged: their CRC-32 does not match`);
    }
    return data;
  }
}

/** The end record lies before a comment of unknown length, at most 65,535 bytes: searched from the back. */
function findDirectory(bytes: Uint8Array): { offset: number; count: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const last = bytes.length - endLength;
  for (let at = last; at >= Math.max(0, last - 0xffff); at--) {
    if (view.getUint32(at, true) !== signatures.end) continue;
    if (at + endLength + view.getUint16(at + 20, true) === bytes.length) return readEnd(bytes, at);
  }
  return fail("the zip archive has no directory at its end: it is cut short");
}

function readEnd(bytes: Uint8Array, at: number): { offset: number; count: number } {
  const cursor = new ByteCursor(bytes, at + 8);
  const thisDisk = cursor.uint16();
  const count = cursor.uint16();
  const size = cursor.uint32();
  const offset = cursor.uint32();
  if (count === 0xffff || size === in64 || offset === in64) return readEnd64(bytes, at);
  return checkedDirectory({ thisDisk, count, size, offset, end: at });
}

function readEnd64(bytes: Uint8Array, at: number): { offset: number; count: number } {
  if (at < locatorLength) fail("the zip archive lacks its ZIP64 record");
  const locator = new ByteCursor(bytes, at - locatorLength);
  if (locator.uint32() !== signatures.locator64) fail("the zip archive lacks its ZIP64 record");
  locator.skip(4);
  const end = locator.size64();
  if (end > at) fail(`the ZIP64 record is not where the archive says: byte ${end}`);
  const cursor = new ByteCursor(bytes, end);
  if (cursor.uint32() !== signatures.end64) {
    fail(`the ZIP64 record is not where the archive says: byte ${end}`);
  }
  cursor.skip(20);
  const thisDisk = cursor.size64();
  const count = cursor.size64();
  const size = cursor.size64();
  return checkedDirectory({ thisDisk, count, size, offset: cursor.size64(), end });
}

interface Directory {
  readonly thisDisk: number;
  readonly count: number;
  readonly size: number;
  readonly offset: number;
  /** The directory must end before this byte. */
  readonly end: number;
}

function checkedDirectory({ thisDisk, count, size, offset, end }: Directory) {
  if (thisDisk !== count) fail("the zip archive is one of several parts");
  if (offset + size > end) {
    fail(`the directory of the zip archive does not fit: ${size} bytes at byte ${offset}`);
  }
  return { offset, count };
}

function readDirectoryEntry(cursor: ByteCursor): ZipEntry {
  if (cursor.uint32() !== signatures.central) fail("the directory of the zip archive is damaged");
  cursor.skip(4);
  const flags = cursor.uint16();
  const method = cursor.uint16();
  cursor.skip(4);
  const checksum = cursor.uint32();
  const packed = cursor.uint32();
  const size = cursor.uint32();
  const nameLength = cursor.uint16();
  const extraLength = cursor.uint16();
  const commentLength = cursor.uint16();
  cursor.skip(8);
  const offset = cursor.uint32();
  const name = cursor.text(nameLength);
  const extra = cursor.bytes(extraLength);
  cursor.skip(commentLength);
  checkStored(name, flags, method);
  const wide = widen(extra, { size, packed, offset });
  if (wide.packed !== wide.size)
    fail(`the sizes of ${quote(name)} differ: ${wide.packed} and ${wide.size}`);
  return { name, checksum, size: wide.size, offset: wide.offset };
}

function checkStored(name: string, flags: number, method: number): void {
  if ((flags & 1) !== 0) fail(`the entry ${quote(name)} is encrypted`, "Decrypt the archive first");
  if (method !== 0) {
    fail(
      `the entry ${quote(name)} is compressed: method ${method}`,
      "PyTorch does not compress: unpack the archive and pack it again with `zip -0`",
    );
  }
}

interface Fields64 {
  readonly size: number;
  readonly packed: number;
  readonly offset: number;
}

/** Fields that are all ones are in the ZIP64 extra field, in this order. */
function widen(extra: Uint8Array, { size, packed, offset }: Fields64): Fields64 {
  if (size !== in64 && packed !== in64 && offset !== in64) return { size, packed, offset };
  const cursor = new ByteCursor(extra);
  while (cursor.remaining > 0) {
    const id = cursor.uint16();
    const field = new ByteCursor(cursor.bytes(cursor.uint16()));
    if (id !== zip64ExtraId) continue;
    const orWide = (value: number) => (value === in64 ? field.size64() : value);
    return { size: orWide(size), packed: orWide(packed), offset: orWide(offset) };
  }
  return fail("a large entry of the zip archive lacks its ZIP64 field");
}
