"""The lint beside squawk: its own tests' SQL, and its binary's findings in them."""
import json
import os
import re
import subprocess
import tempfile

from compare.suites import NoSuite, Suite


# Findings of one alone, by test and rule, and why it is so.
EXPLAINED = {
    ("adding_field_with_default default_random_with_args_err", "adding-field-with-default"): "now(123) does not exist, and a known function of constants is constant here",
    ("adding_field_with_default docs_example_error_on_pg_11", "adding-field-with-default"): "PostgreSQL 11 keeps constant defaults beside the table; squawk begins with 11.1",
    ("prefer_text_field create_table_with_pgcatalog_varchar_err", "prefer-timestamp-tz"): "a varchar is no timestamp",
    ("prefer_text_field fix_pgcatalog_varchar", "prefer-timestamp-tz"): "a varchar is no timestamp",
    ("ban_uncommitted_transaction fix_adds_commit_with_cr_line_endings", "require-table-schema"): "a carriage return alone ends no line here: only the place differs",
}


def binary():
    """TRANSHUME_SQUAWK, or the one that `npm install squawk-cli` put beside the suites."""
    places = [os.environ.get("TRANSHUME_SQUAWK", ""),
              os.path.join(os.environ.get("TRANSHUME_SUITES", ""), "node_modules/@squawk-cli/linux-x64/bin/squawk")]
    for place in places:
        if place and os.access(place, os.X_OK):
            return place
    raise NoSuite("squawk is not there: npm install --ignore-scripts squawk-cli@2.66.0 in the folder of suites, or TRANSHUME_SQUAWK")


def tests():
    """(file and name of the test, SQL, version or None, assume_in_transaction)"""
    suite = Suite("sbdchd/squawk")
    for name, content in suite.read_all(suite.files("crates/squawk_linter/src", ".rs")).items():
        source = content.decode()
        for found in re.finditer(r"#\[test\]\s*(?:#\[[^\]]*\]\s*)*fn (\w+)\(\) \{(.*?)\n    \}\n", source, re.DOTALL):
            test, body = found[1], found[2]
            literals = re.findall(r'(?:=|lint\w*\(|fix\w*\()\s*(?:r#"(.*?)"#|"((?:[^"\\]|\\.)*)")', body, re.DOTALL)
            if not literals or not re.search(r"lint|fix", body):
                continue
            version = re.search(r'"(\d+(?:\.\d+)*)"\s*\.parse|Version::new\((\d+)', body)
            for raw, quoted in literals:
                sql = raw or json.loads('"%s"' % quoted.replace("\n", "\\n"))
                if re.search(r"\s", sql.strip()):
                    yield "%s %s" % (os.path.basename(name)[:-3], test), sql, version and (version[1] or version[2]), "assume_in_transaction: true" in body


def theirs(program, path, version, whole):
    command = [program, "--reporter", "json", "--include", "require-table-schema"]
    command += ["--pg-version", version] if version else []
    command += ["--assume-in-transaction"] if whole else []
    out = subprocess.run(command + [path], stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout
    return [(one["rule_name"], one["line"] + 1, one["column"], one["line_end"] + 1, one["column_end"]) for one in json.loads(out or b"[]")]


def ours(build, sql, version, whole):
    parts = [int(part) for part in (version or "0").split(".")]
    number = str(parts[0] * 10000) if parts[0] >= 10 else str(parts[0] * 10000 + (parts[1] if len(parts) > 1 else 0) * 100)
    command = [os.path.join(build, "sql_probe"), "lint", "postgresql", "whole" if whole else "alone", number, "require-table-schema"]
    out = subprocess.run(command, input=sql.encode(), stdout=subprocess.PIPE, check=True).stdout
    lines = sql.encode().split(b"\n")

    def bytes_before(line, column):
        return len(lines[line - 1].decode("utf-8", "replace")[:column - 1].encode())

    return [(one["rule"], one["line"], bytes_before(one["line"], one["column"]), one["line_end"], bytes_before(one["line_end"], one["column_end"]))
            for one in json.loads(out)]


def rules_of_squawk():
    source = Suite("sbdchd/squawk").read("crates/squawk_linter/src/lib.rs").decode()
    return set(re.findall(r'"([a-z-]+)" => Ok', source)) | set(re.findall(r'Rule::\w+ => \{?\s*"([a-z-]+)"', source))


def compare(build):
    """Yields (test, SQL, findings of both, only theirs, only ours, same but for the end)."""
    program = binary()
    known = rules_of_squawk()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "test.sql")
        for name, sql, version, whole in tests():
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write(sql)
            a = theirs(program, path, version, whole)
            b = [one for one in ours(build, sql, version, whole) if one[0] in known]
            if any(one[0] == "syntax-error" for one in a):
                continue
            begins_a = sorted(one[:3] for one in a)
            begins_b = sorted(one[:3] for one in b)
            only_a, only_b, both = list(begins_a), [], []
            for one in begins_b:
                if one in only_a:
                    only_a.remove(one)
                    both.append(one)
                else:
                    only_b.append(one)
            ends_a = {one[:3]: one[3:] for one in a}
            ends_b = {one[:3]: one[3:] for one in b}
            ends = [one for one in both if ends_a[one] != ends_b[one] and (ends_a[one][0], ends_a[one][1] - 1) != ends_b[one]]
            yield name, sql, both, only_a, only_b, ends


def findings(build):
    """(agreeing, [explained], [unexplained], tests)"""
    agree, explained, unexplained, names = 0, [], [], set()
    for name, _, both, theirs_alone, ours_alone, _ in compare(build):
        names.add(name)
        agree += len(both)
        for who, alone in (("squawk's", theirs_alone), ("ours", ours_alone)):
            for one in alone:
                reason = EXPLAINED.get((name, one[0]))
                text = "%s: %s at %d:%d, %s alone%s" % (name, one[0], one[1], one[2], who, ": " + reason if reason else "")
                (explained if reason else unexplained).append(text)
    return agree, explained, unexplained, len(names)
