/** @file What to say of an archive that cannot be read. */
import { DamagedArchiveError } from "../../../engine/index.ts";

/** `archive`: what errors call it. */
export function damaged(archive: string, reason: string): DamagedArchiveError {
  return new DamagedArchiveError(
    "untarData",
    `${archive} is damaged or no archive: ${reason}`,
    "Nothing was unpacked. Copy or download it again",
  );
}
