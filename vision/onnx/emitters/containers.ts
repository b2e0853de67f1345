/** @file ONNX forms of modules that are made of others: they pass on. */
import {
  BasicBlock,
  Bottleneck,
  CifarResNet,
  Fire,
  ResNet,
  Sequential,
  SmallResNet,
  SqueezeNet,
} from "../../../nn/index.ts";
import { entry, type OnnxEmitter } from "../emitter.ts";

const sequential: OnnxEmitter<Sequential> = (layers, [x], graph) => graph.chain(layers, x);

const basicBlock: OnnxEmitter<BasicBlock> = (block, [x], graph) => {
  const { conv1, bn1, conv2, bn2, downsample } = block;
  const inner = graph.chain([conv1, bn1, conv2], x);
  return graph.module(bn2, inner, downsample === undefined ? x : graph.module(downsample, x));
};

const bottleneck: OnnxEmitter<Bottleneck> = (block, [x], graph) => {
  const { conv1, bn1, conv2, bn2, conv3, bn3, downsample } = block;
  const inner = graph.chain([conv1, bn1, conv2, bn2, conv3], x);
  return graph.module(bn3, inner, downsample === undefined ? x : graph.module(downsample, x));
};

const resnet: OnnxEmitter<ResNet> = (model, [x], graph) => {
  const { conv1, bn1, maxpool, layer1, layer2, layer3, layer4, avgpool, fc } = model;
  return graph.chain([conv1, bn1, maxpool, layer1, layer2, layer3, layer4, avgpool, fc], x);
};

const cifarResnet: OnnxEmitter<CifarResNet> = (model, [x], graph) => {
  const { conv1, bn1, layer1, layer2, layer3, avgpool, linear } = model;
  return graph.chain([conv1, bn1, layer1, layer2, layer3, avgpool, linear], x);
};

const smallResnet: OnnxEmitter<SmallResNet> = (model, [x], graph) => {
  const { conv1, bn1, blocks, avgpool, fc } = model;
  return graph.chain([conv1, bn1, blocks, avgpool, fc], x);
};

const fire: OnnxEmitter<Fire> = ({ squeeze, expand1x1, expand3x3 }, [x], graph) => {
  const squeezed = graph.node("Relu", [graph.module(squeeze, x)]);
  const [narrow, wide] = [graph.module(expand1x1, squeezed), graph.module(expand3x3, squeezed)];
  const channels = expand1x1.outChannels + expand3x3.outChannels;
  return graph.node("Relu", [graph.node("Concat", [narrow, wide], { axis: 1 }, { channels })]);
};

const squeezenet: OnnxEmitter<SqueezeNet> = ({ features, classifier }, [x], graph) =>
  graph.node("Flatten", [graph.chain([features, classifier], x)], { axis: 1 }, { rank: 2 });

export const containers = [
  entry(Sequential, sequential),
  entry(BasicBlock, basicBlock),
  entry(Bottleneck, bottleneck),
  entry(ResNet, resnet),
  entry(CifarResNet, cifarResnet),
  entry(SmallResNet, smallResnet),
  entry(Fire, fire),
  entry(SqueezeNet, squeezenet),
];
