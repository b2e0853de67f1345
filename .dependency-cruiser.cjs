/**
 * The layers of docs/architecture.md; imports point down only:
 * examples, bench, test, tools -> vision -> nn, data -> engine/index -> ops -> op -> tape, kernel -> tensor -> device -> pure files.
 */

/** Imports of types only are gone when the program runs, so they may point upwards. */
const runtime = { dependencyTypesNot: ["type-only"] };

/**
 * One rule: what a path must not import, and why.
 * @param {string} name
 * @param {string} from
 * @param {string} to
 * @param {string} comment
 * @param {{ fromNot?: string, toNot?: string, types?: boolean }} [options] exceptions; `types`: type imports count too
 */
const forbid = (name, from, to, comment, { fromNot, toNot, types = false } = {}) => ({
  name,
  comment,
  severity: "error",
  from: { path: from, ...(fromNot && { pathNot: fromNot }) },
  to: { path: to, ...(toNot && { pathNot: toNot }), ...(types ? {} : runtime) },
});

const all = { types: true };
const pure = "^engine/(dtype|shape|errors)[.]ts$";
/** Files for tests and benchmarks that stand beside what they describe. */
const cases = "[.]case[.]ts$|/(cases|op-case|host-tensor|conv2d-reference)[.]ts$";
const surface = "^engine/(index|node)[.]ts$";

/** Modules of Node, and packages that use them. */
const nodeModules =
  "^(node:)?(fs|path|zlib|module|os|url|util|buffer|crypto|stream|events|timers|http|https|process|worker_threads)(/|$)|node_modules/(webgpu|pngjs|sharp|@resvg|tar|@zip[.]js|cli-progress)/";

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  // prettier-ignore
  forbidden: [
    forbid("programs-on-top", "^(engine|nn|data|vision|shaders)/", "^(examples|bench|test|tools)/", "The library knows nothing of those who use it.", { ...all, fromNot: cases }),
    forbid("shaders-import-nothing", "^shaders/", "^(engine|nn|data|vision)/", "Shaders stand alone.", all),
    forbid("engine-below-nn-and-data", "^engine/", "^(nn|data)/", "The engine knows nothing of networks and data.", all),
    forbid("engine-nn-data-below-vision", "^(engine|nn|data)/", "^vision/", "What needs networks and data stands above both.", all),
    forbid("vision-uses-public-surfaces", "^vision/", "^(engine|nn|data)/", "vision uses what a user could.", { ...all, toNot: "^(engine|nn|data)/index[.]ts$|^(nn|data)/node[.]ts$" }),
    forbid("nn-uses-engine-index", "^nn/", "^engine/", "nn uses the public surface of the engine.", { ...all, toNot: "^engine/index[.]ts$" }),
    forbid("data-uses-engine-index", "^data/", "^engine/", "data uses the public surface of the engine.", { ...all, toNot: "^engine/index[.]ts$" }),
    forbid("nn-not-data", "^nn/", "^data/", "The learner takes loaders through an interface of its own.", all),
    forbid("data-not-nn", "^data/", "^nn/", "Data can be loaded without networks.", all),
    forbid("examples-use-public-surface", "^examples/", "^engine/", "An example is what a user could write.", { ...all, toNot: surface }),
    forbid("index-is-for-outside", "^engine/", "^engine/index[.]ts$", "Inside the engine, import the file that has it.", { ...all, fromNot: cases }),
    forbid("ops-below-backward", "^engine/ops/", "^engine/(backward|gradcheck|guard|profile|node)[.]ts$", "An op is a rule; others walk it.", { fromNot: cases }),
    forbid("op-below-ops", "^engine/(op|kernel|tape|tensor|scope)[.]ts$", "^engine/ops/", "The machinery names no op."),
    forbid("tape-kernel-below-op", "^engine/(tape|kernel|tensor|scope)[.]ts$", "^engine/op[.]ts$", "Shape rule, kernel and tape meet above them."),
    forbid("tensor-below-tape-kernel", "^engine/tensor[.]ts$", "^engine/(tape|kernel)[.]ts$", "A tensor has no mathematics."),
    forbid("device-below-tensor", "^engine/device/", "^engine/", "The device knows buffers and commands.", { toNot: `^engine/device/|${pure}` }),
    forbid("pure-files-at-the-bottom", pure, ".", "Data types, shapes and errors need no GPU.", { ...all, toNot: pure }),
    forbid("cases-only-in-tests", "^(engine|nn|data|vision)/", cases, "Case records are for tests and benchmarks.", { ...all, fromNot: cases }),
    forbid("dawn-only-for-node", "^(engine|nn|data|vision)/", "node_modules/webgpu/", "The engine is handed a GPU.", { ...all, fromNot: "^engine/node[.]ts$" }),
    forbid("no-runtime-dependencies", "^(engine|nn|data|vision)/", "node_modules/", "The library needs no packages but its optional peers.", { ...all, toNot: "node_modules/(webgpu|pngjs|protobufjs|sharp|@resvg|tar|@zip[.]js|cli-progress|echarts|@webgpu/types|@types/(node|cli-progress))/" }),
    forbid("protobuf-only-for-onnx", "^(engine|nn|data|vision)/", "node_modules/protobufjs/", "It is loaded by who writes ONNX.", { ...all, fromNot: "^vision/onnx/schema[.]ts$" }),
    { name: "runs-in-browsers", comment: "What needs Node is reached through node.ts only.", severity: "error", from: { path: "^(engine|nn|data|vision)/index[.]ts$" }, to: { path: nodeModules, reachable: true } },
    { name: "no-cycles", comment: "A cycle is one file in several pieces.", severity: "error", from: {}, to: { circular: true, viaOnly: runtime } },
    { name: "no-unresolvable", comment: "The file does not exist.", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(dist|runs|coverage)/" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: [".ts", ".mjs", ".js", ".wgsl"],
      conditionNames: ["import", "node", "types", "default"],
      exportsFields: ["exports"],
    },
  },
};
