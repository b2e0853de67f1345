/**
 * @file The colours of the pictures: hues that colour-blind readers tell apart, each at least 4.5 : 1 against the paper.
 * Hues after M. Okabe, K. Ito, "Color universal design" (2008), darkened for text.
 */
export const palette = {
  paper: "#ffffff",
  ink: "#1b1f24",
  quiet: "#5f6872",
  rule: "#dfe3e8",
  /** Training; a right answer. */
  blue: "#0067a5",
  /** Validation; a wrong answer. */
  vermilion: "#b8450b",
  /** A third and a fourth series. */
  green: "#00735c",
  purple: "#8f3f71",
} as const;
