/** Archives as nobody should make them, written field by field, because no library would. */
import { crc32, deflateRawSync } from "node:zlib";

export interface TarEntry {
  readonly name: string;
  readonly data?: string | Uint8Array;
  /** The type flag. Default: a file. */
  readonly type?: string;
  readonly link?: string;
  /** The size in the header, when it is not that of the data. */
  readonly size?: number;
}

const block = 512;

/** A tar archive in the format of POSIX, with its end mark. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.map(tarEntry), Buffer.alloc(2 * block)]);
}

export function tarEntry({ name, data = "", type = "0", link = "", size }: TarEntry): Buffer {
  const body = Buffer.from(data);
  const header = Buffer.alloc(block);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
  header.write(name, 0, 100);
  header.write(octal(0o644, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(size ?? body.length, 11), 124);
  header.write(octal(0, 11), 136);
  header.write("        ", 148);
  header.write(type, 156);
  header.write(link, 157, 100);
  header.write("ustar\x0000", 257);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  return Buffer.concat([header, body, Buffer.alloc((block - (body.length % block)) % block)]);
}

export interface ZipEntry {
  readonly name: string;
  readonly data?: string | Uint8Array;
  /** The Unix mode with the type of the file; 0 for an archive made on Windows. */
  readonly mode?: number;
  /** What both headers say of the unpacked size, when it is not true. */
  readonly size?: number;
  /** What both headers say of the CRC, when it is not true. */
  readonly crc?: number;
  readonly encrypted?: boolean;
  /** How the headers say that it is compressed; 0 for not at all, and then it is not. Default: 8, deflate. */
  readonly method?: number;
}

/** A zip archive whose entries are compressed. */
export function zipOf(entries: readonly ZipEntry[]): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const { file, record } = zipEntry(entry, offset);
    files.push(file);
    directory.push(record);
    offset += file.length;
  }
  const records = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(records.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...files, records, end]);
}

function zipEntry(
  { name, data = "", mode = 0, size, crc, encrypted = false, method = 8 }: ZipEntry,
  offset: number,
): { file: Buffer; record: Buffer } {
  const body = Buffer.from(data);
  const packed = method === 0 ? body : deflateRawSync(body);
  const text = Buffer.from(name);
  // What the header of the entry and its record in the directory have in common.
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(0x800 | (encrypted ? 1 : 0), 2);
  common.writeUInt16LE(method, 4);
  common.writeUInt16LE(0x21, 8);
  common.writeUInt32LE(crc ?? crc32(body), 10);
  common.writeUInt32LE(packed.length, 14);
  common.writeUInt32LE(size ?? body.length, 18);
  common.writeUInt16LE(text.length, 22);
  const rest = Buffer.alloc(14);
  rest.writeUInt32LE((mode * 0x10000) >>> 0, 6);
  rest.writeUInt32LE(offset, 10);
  const unix = Buffer.from([20, 3]);
  return {
    file: Buffer.concat([Buffer.from("PK\x03\x04"), common, text, packed]),
    record: Buffer.concat([Buffer.from("PK\x01\x02"), unix, common, rest, text]),
  };
}
