import assert from "node:assert";
import test from "node:test";
import { count } from "../src/words.js";

test("the most frequent word comes first", () => {
  assert.deepEqual(count("a layer on a base"), [["a", 2], ["layer", 1], ["on", 1], ["base", 1]]);
});
