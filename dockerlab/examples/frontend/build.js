import { cpSync } from "node:fs";
import { build } from "esbuild";

await build({ entryPoints: ["src/main.js"], bundle: true, minify: true, outfile: "dist/main.js" });
cpSync("src/index.html", "dist/index.html");
