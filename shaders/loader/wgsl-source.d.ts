/** What importing a `.wgsl` file gives: its text, complete with the parts that it requires. */
declare module "*.wgsl" {
  export interface WgslSource {
    /** The file that was imported, from the root of the repository: `"shaders/matmul/tiled.wgsl"`. */
    readonly file: string;
    /** Complete WGSL: the file, then the `lib/` parts named in its `// requires:` lines. */
    readonly code: string;
    /** Where each file begins in `code` (first line, counted from 1): maps a compile error to the file that was written. */
    readonly parts: readonly { readonly file: string; readonly firstLine: number }[];
  }
  const source: WgslSource;
  export default source;
}
