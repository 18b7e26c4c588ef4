"""`analyze` of a list of names, design, picture and report included: beside a script of sentence-transformers, scikit-learn and matplotlib with
the same weights, which makes clusters and a picture alone. And 3,000 names into vectors, clusters and a plane.

The weights and the peer come from the cache of test servers (`make servers`); without them there is no figure.
"""
import json
import os
import shutil
import sys

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "servers"))
import cache  # noqa: E402

NAME = "analyze"
SCHEMA = os.path.join(harness.ROOT, "tests", "data", "design", "chinook.txt")
# What sentence-transformers wants beside the weights.
MODULES = [("", "models.Transformer"), ("1_Pooling", "models.Pooling"), ("2_Normalize", "models.Normalize")]


def run(bench):
    try:
        weights = os.path.dirname(cache.get("minilm"))
    except cache.Unavailable as why:
        yield harness.fact(NAME, "analysis of names", "no weights: %s" % why)
        return
    names = names_of(SCHEMA)
    tables = len({name.split(".")[0] for name in names})
    ours = analysis(bench, weights, names)
    many = probe(bench, weights, ["t%d_%s" % (table, name) for table in range(47) for name in names][:3000], 300, "many")
    own, large = bench.alternate(ours, many)
    yield harness.at_most(NAME, "whole analysis of 64 columns", harness.median(own, harness.wall_s), 1, "s")
    yield harness.fact(NAME, "the same, processor time", "%.2f s" % harness.median(own, harness.cpu_s))
    yield harness.at_most(NAME, "3,000 names, processor time", harness.median(large, harness.cpu_s), 20, "s", "%.1f")
    yield harness.fact(NAME, "3,000 names, peak resident memory", "%.0f MiB" % harness.peak_mib(large))
    yield from beside(bench, weights, names, tables, ours)


def names_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read().split()


def analysis(bench, weights, names):
    path = os.path.join(bench.scratch, "names.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(names, file)
    return [bench.program, "analyze", path, "--weights", weights, "--quiet", "--out", "{folder}/out"]


def probe(bench, weights, names, clusters, stem):
    """The command that does our part."""
    path = os.path.join(bench.scratch, stem + ".json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"folder": weights, "texts": names, "clusters": clusters, "seed": 42}, file)
    return ["sh", "-c", 'exec "$0" names <"$1"', bench.tool("design_probe"), path]


def beside(bench, weights, names, tables, ours):
    try:
        shown = cache.get("sentence-transformers")
    except cache.Unavailable as why:
        yield harness.fact(NAME, "64 names against a Python script", "no sentence-transformers: %s" % why)
        return
    python = os.path.join(shown[:shown.index("/lib/")], "bin", "python")
    path = os.path.join(bench.scratch, "names.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(names))
    script = os.path.join(harness.ROOT, "bench", "analyze_names.py")
    own, peer = bench.alternate(ours, [python, script, model_folder(bench, weights), path, str(tables), "{folder}"])
    ratio = harness.median(peer, harness.wall_s) / harness.median(own, harness.wall_s)
    yield harness.at_least(NAME, "64 names, times faster than a Python script", ratio, 20, "x")
    yield harness.fact(NAME, "the same in seconds", "%.2f s and %.2f s; of processor %.2f s and %.2f s" % (
        *(harness.median(runs, harness.wall_s) for runs in (own, peer)), *(harness.median(runs, harness.cpu_s) for runs in (own, peer))))


def model_folder(bench, weights):
    """As sentence-transformers keeps a model."""
    folder = os.path.join(bench.scratch, "model")
    for path, _ in MODULES:
        os.makedirs(os.path.join(folder, path), exist_ok=True)
    shutil.copy(os.path.join(weights, "model.fp16.safetensors"), os.path.join(folder, "model.safetensors"))
    for name in ("tokenizer.json", "config.json"):
        shutil.copy(os.path.join(weights, name), folder)
    texts = {
        "modules.json": [{"idx": at, "name": str(at), "path": path, "type": "sentence_transformers." + kind} for at, (path, kind) in enumerate(MODULES)],
        "1_Pooling/config.json": {"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False,
                                  "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False},
        "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
        "tokenizer_config.json": {"tokenizer_class": "BertTokenizerFast", "do_lower_case": True, "model_max_length": 512, "pad_token": "[PAD]",
                                  "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}}
    for name, text in texts.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(text, file)
    return folder
