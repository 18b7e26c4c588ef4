// What another engine makes of texts: candle, compiled to WebAssembly. In: {package, model, texts}; out: vectors.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { package: folder, model, texts } = JSON.parse(readFileSync(0, "utf8"));
const { Embedder } = createRequire(import.meta.url)(`${folder}/dist/engine.cjs`);
const [weights, tokenizer, config] = ["model.fp16.safetensors", "tokenizer.json", "config.json"].map((name) => readFileSync(`${model}/${name}`));
const engine = new Embedder(weights, tokenizer, config, 256);
// One at a time: no padding, no neighbours.
const vectors = texts.map((text) => Array.from(engine.embed([text])[0]));
process.stdout.write(JSON.stringify(vectors));
