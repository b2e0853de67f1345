/** @file The summary: rows, totals, the printed table, and that it leaves the model as it was. */
import { describe, expect, test } from "vitest";
import { noGrad, zeros } from "../../engine/index.ts";
import {
  BatchNorm2d,
  Conv2d,
  Dropout,
  Flatten,
  Linear,
  ReLU,
  resnet34,
  Sequential,
  SmallResNet,
  summary,
} from "../../nn/index.ts";
import { useDevice } from "../device.ts";

useDevice();

describe("summary", () => {
  test("lists the layers that ran, with shapes, parameters and multiply-adds", () => {
    const model = new Sequential(
      new Conv2d({ inChannels: 2, outChannels: 8, kernelSize: 3, groups: 2 }),
      new BatchNorm2d({ numFeatures: 8 }),
      new Sequential(new Flatten(), new Linear({ inFeatures: 32, outFeatures: 5 })),
    );
    model.at(1)?.requiresGrad(false);
    const { rows, parameters, trainable, multiplyAdds } = summary(model, [1, 4, 4, 2]);
    expect(rows).toEqual([
      {
        ...{ name: "0", type: "Conv2d", outputShape: [1, 2, 2, 8] },
        ...{ parameters: 8 * 9 + 8, trainable: 80, multiplyAdds: 4 * 8 * 9 },
      },
      {
        ...{ name: "1", type: "BatchNorm2d", outputShape: [1, 2, 2, 8] },
        ...{ parameters: 16, trainable: 0, multiplyAdds: 0 },
      },
      {
        ...{ name: "2.0", type: "Flatten", outputShape: [1, 32] },
        ...{ parameters: 0, trainable: 0, multiplyAdds: 0 },
      },
      {
        ...{ name: "2.1", type: "Linear", outputShape: [1, 5] },
        ...{ parameters: 165, trainable: 165, multiplyAdds: 160 },
      },
    ]);
    expect({ parameters, trainable, multiplyAdds }).toEqual({
      parameters: 261,
      trainable: 245,
      multiplyAdds: 288 + 160,
    });
  });

  test("prints a table", () => {
    const model = new SmallResNet({ channels: [8, 16] });
    model.conv1.requiresGrad(false);
    expect(String(summary(model, [1, 28, 28, 1]))).toMatchInlineSnapshot(`
      "SmallResNet (input: 1 x 28 x 28 x 1)
      -----------------------------------------------------------------------------------------------
      Layer                  Type               Output shape     Parameters  Trainable  Multiply-adds
      -----------------------------------------------------------------------------------------------
      conv1                  Conv2d             1 x 14 x 14 x 8         200         no         39,200
      bn1                    BatchNorm2d        1 x 14 x 14 x 8          16        yes              0
      blocks.0.conv1         Conv2d             1 x 7 x 7 x 16        1,152        yes         56,448
      blocks.0.bn1           BatchNorm2d        1 x 7 x 7 x 16           32        yes              0
      blocks.0.downsample.0  Conv2d             1 x 7 x 7 x 16          128        yes          6,272
      blocks.0.downsample.1  BatchNorm2d        1 x 7 x 7 x 16           32        yes              0
      blocks.0.conv2         Conv2d             1 x 7 x 7 x 16        2,304        yes        112,896
      blocks.0.bn2           BatchNorm2d        1 x 7 x 7 x 16           32        yes              0
      avgpool                GlobalAveragePool  1 x 16                    0                         0
      fc                     Linear             1 x 10                  170        yes            160
      -----------------------------------------------------------------------------------------------
      Parameters: 4,066, of which trainable 3,866, frozen 200
      Multiply-adds: 214,976"
    `);
  });

  test("ResNet-34 takes 3,664 M multiply-adds for an image of 224 x 224", () => {
    // 3,663,249,408 of the convolutions (fastai.md of the project's references) and 512,000 of the last layer.
    const model = resnet34();
    const report = summary(model, [1, 224, 224, 3]);
    expect(report.multiplyAdds).toBe(3_663_249_408 + 512_000);
    expect(report.parameters).toBe(21_797_672);
    expect(report.rows).toHaveLength(36 + 36 + 3);
    for (const t of model.stateDict().values()) t.release();
  });

  test("leaves modes, running statistics, and hooks as they were", async () => {
    const norm = new BatchNorm2d({ numFeatures: 2 });
    const model = new Sequential(norm, new Dropout(), new ReLU());
    norm.eval();
    summary(model, [3, 4, 4, 2]);
    expect(model.modules().map((module) => module.training)).toEqual([true, false, true, true]);
    expect(model.modules().some((module) => Object.hasOwn(module, "forward"))).toBe(false);
    expect(await norm.stateDict().get("num_batches_tracked")?.item()).toBe(0);
  });

  test("a layer that runs twice has two rows, and its parameters count once", () => {
    const layer = new Linear({ inFeatures: 3, outFeatures: 3 });
    const report = summary(new Sequential(layer, layer), [1, 3]);
    expect(report.rows.map(({ parameters }) => parameters)).toEqual([12, 0]);
    expect(report.parameters).toBe(12);
    expect(report.multiplyAdds).toBe(18);
  });

  test("a wrong input is an error of the layer that meets it, and leaves no hook behind", () => {
    const model = new Sequential(new Linear({ inFeatures: 3, outFeatures: 3 }));
    expect(() => summary(model, [1, 4])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: Linear: the last axis of x is not inFeatures: [1, 4] for 3. Put a Flatten before the layer, or change inFeatures]`,
    );
    expect(model.training).toBe(true);
    expect(noGrad(() => model.forward(zeros([1, 3]))).shape).toEqual([1, 3]);
    expect(Object.hasOwn(model.at(0) ?? model, "forward")).toBe(false);
  });
});
