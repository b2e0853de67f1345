/** @file The parameters that an optimizer is made for, in groups, and what is checked of them. */
import { ArgumentError, DeviceError, DTypeError, type Tensor } from "../../engine/index.ts";
import type {
  Hypers,
  ParameterGroup,
  ParameterGroupOptions,
  ParametersOrGroups,
} from "./hypers.ts";

/** One group of all parameters, or the groups as given, with every hyper that they leave out taken from `defaults`. */
export function groupsOf<H extends Hypers>(
  parameters: ParametersOrGroups<H>,
  defaults: H,
): ParameterGroup<H>[] {
  const items = [...(parameters as Iterable<Tensor | ParameterGroupOptions<H>>)];
  const isGroup = (item: Tensor | ParameterGroupOptions<H>): item is ParameterGroupOptions<H> =>
    "parameters" in item;
  const groups = items.filter(isGroup);
  if (groups.length === 0) return [{ ...defaults, parameters: items as Tensor[] }];
  return groups.map((group) => ({ ...defaults, ...group, parameters: [...group.parameters] }));
}

/**
 * The device of the parameters.
 * @throws ArgumentError when there is none, one occurs twice, or one was computed.
 * @throws DTypeError when one is not f32.
 * @throws DeviceError when they live on different devices.
 */
export function checkParameters(
  name: string,
  groups: readonly ParameterGroup<Hypers>[],
): Tensor["device"] {
  const all = groups.flatMap((group) => group.parameters);
  const [first] = all;
  if (first === undefined) {
    throw new ArgumentError(name, "there is no parameter: []", "Pass model.parameters()");
  }
  const seen = new Set<Tensor>();
  for (const parameter of all) {
    checkParameter(name, parameter, first);
    if (seen.has(parameter)) {
      throw new ArgumentError(
        name,
        `a parameter occurs twice: ${parameter.toString()}`,
        "Put each into one group, once",
      );
    }
    seen.add(parameter);
  }
  return first.device;
}

function checkParameter(name: string, parameter: Tensor, first: Tensor): void {
  if (parameter.dtype !== "f32") {
    throw new DTypeError(name, `parameters are f32: ${parameter.toString()}`, "Create it as f32");
  }
  if (parameter.node !== undefined) {
    throw new ArgumentError(
      name,
      `only leaves can be optimized: ${parameter.toString()} was computed`,
      "Pass the tensors that it was computed from",
    );
  }
  if (parameter.device !== first.device) {
    throw new DeviceError(
      name,
      "the parameters live on different devices",
      "Create all of them on one device, or an optimizer for each",
    );
  }
}
