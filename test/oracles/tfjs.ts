/** @file tfjs with its CPU backend and its gradients, which its own entry point leaves out. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js";
import "@tensorflow/tfjs-backend-cpu";

await tf.setBackend("cpu");

export { tf };
