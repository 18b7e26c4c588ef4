"""Parts that a build can leave out (meson_options.txt), and their tests, which are in folders of their names."""
import json
import os

PARTS = ("design", "evolve")


def left_out(build):
    """Names of the parts that the build does not have."""
    try:
        with open(os.path.join(build, "meson-info", "intro-buildoptions.json"), encoding="utf-8") as file:
            options = {option["name"]: option["value"] for option in json.load(file)}
    except OSError:
        return set()
    return {part for part in PARTS if options.get(part) == "disabled"}


def sources(folder, prefix, build=None):
    """{name without its ending: path} of the C files of that prefix in a folder of tests and in its parts' folders;
    with a
    build, only those that it has."""
    parts = [part for part in PARTS if build is None or part not in left_out(build)]
    found = {}
    for path in [folder] + [os.path.join(folder, part) for part in parts]:
        for name in sorted(os.listdir(path)) if os.path.isdir(path) else []:
            if name.startswith(prefix) and name.endswith(".c"):
                found[name[:-2]] = os.path.join(path, name)
    return found
