import { expect, test } from "vitest";
import { backportsSource } from "../../tools/setup/backports.mjs";

const archive = { uri: "http://mirror.test/debian/", suite: "bookworm" };

test("takes the stanza of the main archive, with its keys, and changes the suite", () => {
  const text = `
# A comment
Types: deb
URIs: http://other.test/debian
Suites: bookworm
Components: main

Types: deb deb-src
# http://snapshot.test/20250520T000000Z
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----
`;
  expect(backportsSource(text, "sources", archive, "bookworm-backports")).toMatchInlineSnapshot(`
    "Types: deb
    URIs: http://mirror.test/debian
    Suites: bookworm-backports
    Components: main
    Signed-By: 
     -----BEGIN PGP PUBLIC KEY BLOCK-----
     .
     mQINBF
     -----END PGP PUBLIC KEY BLOCK-----
    "
  `);
});

test("takes the line of the main archive, with its options, and changes the suite", () => {
  const text = `
# deb http://mirror.test/debian bookworm main
deb http://mirror.test/debian-security bookworm-security main
deb-src http://mirror.test/debian bookworm main
deb [signed-by=/keys/debian.gpg check-valid-until=no] http://mirror.test/debian bookworm main contrib # ours
`;
  expect(backportsSource(text, "list", archive, "bookworm-backports")).toBe(
    "deb [signed-by=/keys/debian.gpg check-valid-until=no] http://mirror.test/debian bookworm-backports main\n",
  );
});

test("keeps a line without options as it is", () => {
  const text = "deb http://mirror.test/debian bookworm main";
  expect(backportsSource(text, "list", archive, "bookworm-backports")).toBe(
    "deb http://mirror.test/debian bookworm-backports main\n",
  );
});

test("passes over sources that are switched off", () => {
  const text =
    "Types: deb\nEnabled: no\nURIs: http://mirror.test/debian\nSuites: bookworm\nComponents: main\n";
  expect(backportsSource(text, "sources", archive, "bookworm-backports")).toBeUndefined();
});

test("says nothing when the archive is not there", () => {
  expect(backportsSource("", "list", archive, "bookworm-backports")).toBeUndefined();
  expect(backportsSource("", "sources", archive, "bookworm-backports")).toBeUndefined();
});
