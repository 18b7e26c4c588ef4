"""Pairs of schemas of public suites: what is there, and what is wanted."""
import re

import yaml

from compare.suites import Suite


class Case:
    def __init__(self, name, current, desired, outside=None):
        self.name, self.current, self.desired, self.outside = name, current or "", desired or "", outside


# ---------------------------------------------------------------- sqldef


FLAVORS = {"psqldef": "postgres", "mysqldef": "mariadb", "sqlite3def": "sqlite"}


def why_outside(entry, flavor, version):
    wanted = str(entry.get("flavor") or "")
    if wanted.startswith("!") and wanted[1:] == flavor or wanted and not wanted.startswith("!") and wanted != flavor:
        return "for %s" % wanted
    if "desired" not in entry:
        return "it wants nothing"
    if wanted == flavor:
        low, high = str(entry.get("min_version") or ""), str(entry.get("max_version") or "")
        number = lambda text: tuple(int(part) for part in re.findall(r"\d+", text))
        if low and number(low) > version or high and number(high) < version[:len(number(high))]:
            return "for another version of the server"
    return None


def sqldef(program, version, flavor=None):
    """YAML files: each case has `current` and `desired`."""
    suite = Suite("sqldef/sqldef")
    names = [name for name in suite.files("cmd/" + program, ".yml") if "/tests" in name]
    for name, text in suite.read_all(names).items():
        for case, entry in yaml.safe_load(text).items():
            label = "%s:%s" % (name.split("/")[-1][:-4], case)
            yield Case(label, entry.get("current"), entry.get("desired"), why_outside(entry, flavor or FLAVORS[program], version))


# ---------------------------------------------------------------- pg-schema-diff

STRING = re.compile(r"\s*(`[^`]*`|\"(?:[^\"\\]|\\.)*\")\s*,?")


def go_texts(source, at):
    """The texts of a []string{…} that begins at `at`; None: they are put together by code."""
    begin = re.compile(r"\s*\[\]string\{").match(source, at)
    if begin is None:
        return [] if re.compile(r"\s*nil\b").match(source, at) else None
    at, texts = begin.end(), []
    while True:
        comment = re.compile(r"\s*//[^\n]*").match(source, at)
        found = STRING.match(source, at)
        if comment:
            at = comment.end()
        elif found:
            text = found.group(1)
            texts.append(text[1:-1] if text[0] == "`" else re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m.group(1), m.group(1)), text[1:-1]))
            at = found.end()
        else:
            return texts if re.compile(r"\s*\}").match(source, at) else None


def pg_schema_diff():
    """Go structs with oldSchemaDDL and newSchemaDDL."""
    suite = Suite("stripe/pg-schema-diff")
    folder = "internal/migration_acceptance_tests"
    for name, text in suite.read_all(suite.files(folder, "_cases_test.go")).items():
        source = text.decode()
        begins = [match for match in re.finditer(r"\n\t\tname:\s*(\"(?:[^\"\\]|\\.)*\"|`[^`]*`)", source)]
        for number, begin in enumerate(begins):
            end = begins[number + 1].start() if number + 1 < len(begins) else len(source)
            part = source[begin.start():end]
            sides = []
            for key in ("oldSchemaDDL:", "newSchemaDDL:"):
                at = part.find(key)
                sides.append(go_texts(part, at + len(key)) if at >= 0 else [])
            label = "%s:%s" % (name.split("/")[-1].replace("_cases_test.go", ""), begin.group(1)[1:-1])
            if None in sides:
                yield Case(label, None, None, "its texts are put together by code")
            else:
                yield Case(label, ";\n".join(sides[0]), ";\n".join(sides[1]))


# ---------------------------------------------------------------- migra


def migra():
    suite = Suite("djrobstep/migra")
    files = suite.files("tests/FIXTURES", ".sql")
    texts = suite.read_all(files)
    for folder in sorted({name.rsplit("/", 1)[0] for name in files}):
        if folder + "/a.sql" in texts and folder + "/b.sql" in texts:
            yield Case(folder.split("/")[-1], texts[folder + "/a.sql"].decode(), texts[folder + "/b.sql"].decode())
