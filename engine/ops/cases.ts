/** @file The list of the ops' cases, for tests and benchmarks. */
