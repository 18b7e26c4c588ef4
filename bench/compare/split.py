"""Where statements end: the splitter beside the goldens of Atlas, goose and skeema, and on
PostgreSQL's own regression files beside PostgreSQL's parser."""
import ast
import json
import os
import re
import subprocess

from compare.suites import Suite


def split(build, dialect, text, delimiter=None):
    command = [os.path.join(build, "sql_probe"), "split", dialect] + ([delimiter] if delimiter else [])
    out = subprocess.run(command, input=text, stdout=subprocess.PIPE, check=True).stdout
    return [json.loads(line) for line in out.decode("utf-8", "replace").splitlines()]


def statements(pieces):
    return [piece["run"] for piece in pieces if piece["kind"] == "statement"]


COMMENTS = re.compile(r"(?:\s+|;|--[^\n]*(?:\n|$)|#[^\n]*(?:\n|$)|/\*.*?\*/)*\Z", re.DOTALL)


def same(golden, text):
    """A golden may have the delimiter and comments behind the statement."""
    golden, text = golden.strip(), text.rstrip()
    return golden == text or (golden.startswith(text) and COMMENTS.match(golden, len(text)) is not None)


def disagreement(goldens, found):
    for number, (golden, text) in enumerate(zip(goldens, found)):
        if not same(golden, text):
            return "statement %d: wanted %r, found %r" % (number + 1, golden[:120], text[:120])
    if len(goldens) != len(found):
        return "%d statements wanted, %d found" % (len(goldens), len(found))
    return None


# ---------------------------------------------------------------- Atlas

# Another database's.
ATLAS_OUTSIDE = {
    "lex/19_ms_gocmd": "GO of SQL Server's client",
    "lex/20_ms_go-delim": "GO of SQL Server's client",
    "lexbegintry/1": "BEGIN TRY of SQL Server",
    "sqlserver/1_return_table": "T-SQL", "sqlserver/2_function": "T-SQL",
}
ATLAS_DIALECT = {"lex/7_delimiter_2n": "postgresql", "lex/15_dollar_quote": "postgresql", "lex/16_begin_atomic": "postgresql", "lex/17_paren": "postgresql",
                 "lex/18_pg_expr": "postgresql", "lexescaped/2.pg": "postgresql", "lexgroup/1_trigger": "sqlite"}


def atlas(build):
    suite = Suite("ariga/atlas")
    base = "sql/migrate/testdata/"
    for golden in suite.files("sql/migrate/testdata", ".golden"):
        name = golden[len(base):-len(".sql.golden")]
        if name in ATLAS_OUTSIDE:
            yield name, None, ATLAS_OUTSIDE[name]
            continue
        text = suite.read(golden[:-len(".golden")])
        stated = re.match(rb"-- atlas:delimiter (.*)\n", text)
        delimiter = None
        if stated:
            delimiter = stated[1].decode().replace("\\n", "\n")
            text = text[stated.end() - 1:]
        if name == "lex/15_dollar_quote": # it has both "#" and $$, which no database does
            text = re.sub(rb"(?m)^# Shorter", b"-- Shorter", text)
        goldens = suite.read(golden).decode().split("\n-- end --\n")
        pieces = split(build, ATLAS_DIALECT.get(name, "mysql"), text, delimiter)
        yield name, disagreement([one for one in goldens if one.strip()], statements(pieces)), None


# ---------------------------------------------------------------- goose

def goose_pieces(build, dialect, text):
    """The statements of the part Up: between StatementBegin and StatementEnd is one, elsewhere the
    splitter says."""
    found, part, whole, here = [], [], False, False

    def flush():
        found.extend(statements(split(build, dialect, "\n".join(part).encode())))
        part.clear()

    for line in text.decode().split("\n"):
        word = re.match(r"--\s*\+goose\s+(\w+)", line.strip())
        command = word[1].lower() if word else None
        if command in ("up", "down"):
            flush()
            here = command == "up"
        elif command == "statementbegin":
            flush()
            whole = True
        elif command == "statementend":
            body = re.sub(r"\A(?:\s+|--[^\n]*\n)*", "", "\n".join(part)).rstrip()
            found.extend([body] if body and here else [])
            part.clear()
            whole = False
        elif command is None and here:
            part.append(line)
    if not whole:
        flush()
    return found


def goose(build):
    suite = Suite("pressly/goose")
    base = "internal/sqlparser/testdata/"
    for name in suite.files(base[:-1], "/input.sql"):
        folder = name[:-len("/input.sql")]
        goldens = [suite.read(one).decode() for one in suite.files(folder, ".up.golden.sql")]
        text = suite.read(name)
        if "envsub" in name:
            yield folder[len(base):], None, "${} is put in by the reader of goose's folders, not by the splitter"
            continue
        dialect = "mysql" if b"`" in text else "postgresql"
        yield folder[len(base):], disagreement(goldens, goose_pieces(build, dialect, text)), None
    for name in suite.files(base + "invalid"):
        yield name[len(base):-4], None, "goose asks for a semicolon behind the last statement"


# ---------------------------------------------------------------- skeema

def go_string(text):
    """The escapes of these are those of Python, too."""
    return ast.literal_eval('"%s"' % text)


def skeema(build):
    suite = Suite("skeema/skeema")
    source = suite.read("internal/tengo/parser_test.go").decode()
    wanted = re.search(r"func expectedStatements.*?\n}\n", source, re.DOTALL)[0]
    rows = re.findall(r'LineNo: (\d+), CharNo: (\d+).*?Type: StatementType(\w+).*?Text: "((?:[^"\\]|\\.)*)", Delimiter: "((?:[^"\\]|\\.)*)"', wanted)
    rows = [(int(line), int(column), kind, go_string(text), go_string(end)) for line, column, kind, text, end in rows]
    text = suite.read("internal/tengo/testdata/statements.sql")
    for ending in ("\n", "\r\n"):
        pieces = split(build, "mysql", text.replace(b"\n", ending.encode()))
        name = "statements.sql" + ("" if ending == "\n" else " with CRLF")
        wanted = [row for row in rows if row[2] != "Noop"]
        problem = None if len(wanted) == len(pieces) else "%d wanted, %d found" % (len(wanted), len(pieces))
        for (line, column, _, golden, end), piece in zip(wanted, pieces):
            golden = golden.replace("\n", ending).rstrip()
            golden = golden[:-len(end)] if end and golden.endswith(end) else golden
            if (line, column) != (piece["line"], piece["column"]) or not same(golden, piece["run"]):
                problem = problem or "wanted %d:%d %r, found %d:%d %r" % (line, column, golden, piece["line"], piece["column"], piece["run"])
        yield name, problem, None
    for name in suite.files("internal/tengo/testdata", ".sql"):
        short = name.split("/")[-1]
        if short == "statements.sql":
            continue
        content = suite.read(name)
        pieces = split(build, "mysql", content)
        if short == "nodelimiter2.sql":
            yield short, None if len(pieces) == 2 else "the body does not end", None
            continue
        faults = [piece for piece in pieces if "fault" in piece]
        yield short, "%s at %d:%d" % (faults[0]["fault"], faults[0]["fault_line"], faults[0]["fault_column"]) if faults else None, None
    for name in suite.files("internal/fs/testdata", ".sql"):
        folder = name.split("/")[-2]
        try:
            pieces = split(build, "mysql", suite.read(name))
        except subprocess.CalledProcessError:
            yield folder, "the splitter failed", None
            continue
        faults = [piece["fault"] for piece in pieces if "fault" in piece]
        if folder.startswith("unterminated"):
            yield "fs/" + folder, None if faults else "no fault found", None
        elif folder in ("redundantdelimiter", "utf8bom", "unknownstatement"):
            yield "fs/" + folder, faults[0] if faults else None, None


# ---------------------------------------------------------------- PostgreSQL

NEWER = "syntax of PostgreSQL 16 and newer, or refused by the parser, as the file means it to be"


def without_commands(text, pieces):
    """The file for a scanner that knows nothing of psql: a command is a semicolon and blanks, data
    are blanks. Numbers, escapes and a keyword that version 15 does not know are made such as it
    does."""
    out = bytearray(text)
    for number, piece in enumerate(pieces):
        if piece["kind"] != "statement":
            end = piece["end"]
            for at in range(piece["begin"], end):
                out[at] = ord("\n") if out[at] == ord("\n") else ord(" ")
            if piece["kind"] == "command":
                out[piece["begin"]] = ord(";")
    out = re.sub(rb"\b0[xob][0-9A-Fa-f_]+|\b[0-9][0-9_]*_[0-9_]*", lambda m: b"1" * len(m[0]), bytes(out))
    out = re.sub(rb"\bREPACK\b", b"VACUUM", out)
    return re.sub(rb"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|\+[0-9A-Fa-f]{6}|[0-9A-Fa-f]{4})", lambda m: b"x" * len(m[0]), out)


def probe(build, verb, given):
    out = subprocess.run([os.path.join(build, "sql_probe"), verb], input=given, stdout=subprocess.PIPE, check=True).stdout
    return out.decode("utf-8", "replace").splitlines()


def regression(build):
    """A statement agrees if PostgreSQL's parser finds exactly one in it, or, where the parser refuses
    it, if the parser's scanner sees the same statement in the file; one with BEGIN ATOMIC, which the
    scanner does not know, if what it sees there reaches into no other statement. Yields for each file how many
    there are, how many the scanner had to settle, and those that do not agree."""
    suite = Suite("sbdchd/squawk")
    contents = suite.read_all(suite.files("postgres/regression_suite", ".sql"))
    for name, text in contents.items():
        pieces = split(build, "postgresql", text)
        alone = [piece for piece in pieces if piece["kind"] == "statement"]
        answers = probe(build, "count", b"".join(text[piece["begin"]:piece["end"]] + b"\0" for piece in alone))
        spans, problem = [], None
        for line in probe(build, "scan", without_commands(text, pieces)):
            if re.fullmatch(r"\d+ \d+", line):
                begin, length = map(int, line.split())
                spans.append((begin, begin + length))
            else:
                problem = "the scanner: " + line
        settled, bad = 0, [problem] if problem else []
        at = 0
        owners = {}
        for number, piece in enumerate(alone):
            while at < len(spans) and spans[at][1] <= piece["begin"]:
                at += 1
            inside = at < len(spans) and spans[at][0] <= piece["begin"] and piece["end"] <= spans[at][1]
            if inside:
                owners.setdefault(at, []).append(number)
            if answers[number] == "1":
                continue
            settled += 1
            parts = [span for span in spans if span[0] < piece["end"] and span[1] > piece["begin"]]
            before = alone[number - 1]["end"] if number > 0 else 0
            behind = alone[number + 1]["begin"] if number + 1 < len(alone) else len(text)
            if parts and before <= parts[0][0] and parts[-1][1] <= behind and re.search(r"\bbegin\s+atomic\b", piece["run"], re.IGNORECASE):
                continue
            if piece["run"] == "xxx": # the scanner wants a keyword in a statement
                continue
            if not inside:
                bad.append("%d:%d %s: %s" % (piece["line"], piece["column"], answers[number], piece["run"][:60]))
        for number, inside in owners.items():
            if len(inside) > 1:
                bad.append("%d:%d the scanner sees %d of them as one" % (alone[inside[0]]["line"], alone[inside[0]]["column"], len(inside)))
        bad += ["%d:%d %s" % (piece["line"], piece["column"], piece["fault"]) for piece in alone if "fault" in piece]
        yield name.split("/")[-1], len(alone), settled, bad
