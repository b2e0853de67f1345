/**
 * @file Writes the apt source of a backports suite by taking Debian's main archive as this machine already has it
 * (mirror, keys and options kept) and changing the suite. Pure text; apt.mjs does the rest.
 */

/**
 * @typedef {object} ArchiveEntry
 * @property {string} uri base of the archive, as apt names it
 * @property {string} suite the suite under which it is configured
 */

/**
 * @param {string} text content of the file in which the archive is configured
 * @param {"sources" | "list"} format of this file: deb822 stanzas, or one line per source
 * @param {ArchiveEntry} archive the entry to take
 * @param {string} backports name of the suite to ask for: "bookworm-backports"
 * @returns {string | undefined} a complete file of the same format; nothing if the archive is not in the text
 */
export function backportsSource(text, format, archive, backports) {
  return format === "sources"
    ? fromStanzas(text, archive, backports)
    : fromLines(text, archive, backports);
}

/**
 * @param {string} text
 * @param {ArchiveEntry} archive
 * @param {string} backports
 */
function fromStanzas(text, archive, backports) {
  const stanzas = withoutComments(text)
    .split(/\n[ \t]*\n/)
    .map(parseStanza);
  const main = stanzas.find(
    (fields) =>
      fields.get("Enabled") !== "no" &&
      words(fields, "Suites").includes(archive.suite) &&
      words(fields, "URIs").some(isAt(archive.uri)),
  );
  if (main === undefined) return undefined;
  const changed = new Map([
    ...main,
    ["Types", "deb"],
    ["Suites", backports],
    ["Components", "main"],
  ]);
  return [...changed].map(([name, value]) => `${name}: ${value}\n`).join("");
}

/**
 * Fields of one deb822 stanza; continuation lines stay part of the value.
 * @param {string} stanza
 * @returns {Map<string, string>}
 */
function parseStanza(stanza) {
  const fields = stanza.matchAll(/^([^\s:]+):[ \t]*(.*(?:\n[ \t]+\S.*)*)/gm);
  return new Map([...fields].map(([, name = "", value = ""]) => [name, value.trimEnd()]));
}

/**
 * @param {Map<string, string>} fields
 * @param {string} name
 */
function words(fields, name) {
  return (fields.get(name) ?? "").split(/\s+/).filter((word) => word !== "");
}

/**
 * @param {string} text
 * @param {ArchiveEntry} archive
 * @param {string} backports
 */
function fromLines(text, archive, backports) {
  const lines = withoutComments(text).matchAll(
    /^[ \t]*deb[ \t]+(\[[^\]]*\][ \t]*)?(\S+)[ \t]+(\S+)[ \t]+\S.*$/gm,
  );
  for (const [, options = "", uri = "", suite = ""] of lines) {
    if (suite === archive.suite && isAt(archive.uri)(uri)) {
      return `deb ${options.trimEnd()}${options === "" ? "" : " "}${uri} ${backports} main\n`;
    }
  }
  return undefined;
}

/** @param {string} text */
function withoutComments(text) {
  return text.replaceAll(/^[ \t]*#.*\n?/gm, "");
}

/**
 * apt ends the base of an archive with a slash, people often do not.
 * @param {string} uri
 * @returns {(other: string) => boolean}
 */
function isAt(uri) {
  const bare = (/** @type {string} */ text) => text.replace(/\/+$/, "");
  return (other) => bare(other) === bare(uri);
}
