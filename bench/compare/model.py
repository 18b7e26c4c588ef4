"""What src/sql reads in CREATE TABLE and ALTER TABLE beside PostgreSQL's own tree, on its regression
files: columns, constraints and actions, in their order, with their names."""
import json

from compare.split import probe, split
from compare.suites import Suite

CONSTRAINTS = {"CONSTR_NOTNULL": 0, "CONSTR_NULL": 1, "CONSTR_DEFAULT": 2, "CONSTR_GENERATED": 3, "CONSTR_IDENTITY": 4, "CONSTR_PRIMARY": 5,
               "CONSTR_UNIQUE": 6, "CONSTR_CHECK": 7, "CONSTR_FOREIGN": 9, "CONSTR_EXCLUSION": 10}
REFERENCES, OTHER = 8, 12
ACTIONS = {"AT_AddColumn": 0, "AT_DropColumn": 1, "AT_AlterColumnType": 2, "AT_SetNotNull": 3, "AT_DropNotNull": 4, "AT_SetStatistics": 7,
           "AT_SetOptions": 7, "AT_ResetOptions": 7, "AT_AddConstraint": 9, "AT_DropConstraint": 10, "AT_ValidateConstraint": 14,
           "AT_AttachPartition": 20, "AT_DetachPartition": 21, "AT_DetachPartitionFinalize": 21, "AT_SetRelOptions": 23, "AT_ResetRelOptions": 23,
           "AT_ClusterOn": 23, "AT_DropCluster": 23, "AT_SetLogged": 24, "AT_SetUnLogged": 24, "AT_SetTableSpace": 24, "AT_SetAccessMethod": 24}
ALTER_COLUMN, REST = 8, 27


def constraints(nodes):
    found = [CONSTRAINTS.get(node["Constraint"]["contype"]) for node in nodes]
    return [kind for kind in found if kind is not None]


def own(kinds, column):
    return [9 if kind == REFERENCES and column else kind for kind in kinds if kind != OTHER]


def of_create(tree):
    elements = tree.get("tableElts", [])
    columns = [(e["ColumnDef"]["colname"], constraints(e["ColumnDef"].get("constraints", []))) for e in elements if "ColumnDef" in e]
    return columns, constraints([e for e in elements if "Constraint" in e])


def of_command(command):
    """(kind, name, constraints of an added column or the constraint that is added)"""
    kind = command["subtype"]
    definition = command.get("def", {})
    if kind == "AT_AddColumn":
        return 0, definition["ColumnDef"]["colname"], constraints(definition["ColumnDef"].get("constraints", []))
    if kind == "AT_AddConstraint":
        return 9, definition["Constraint"].get("conname"), constraints([definition])
    if kind == "AT_ColumnDefault":
        return 5 if definition else 6, command["name"], []
    if "Trig" in kind:
        return 22, None, []
    return ACTIONS.get(kind, REST), command.get("name"), []


def of_action(action):
    kind = action["kind"]
    found = own(action["column"][2], True) if kind == 0 else own(action["constraint"], False)
    return REST if kind == ALTER_COLUMN else kind, action["name"], found


def disagreement(ours, tree):
    """NULL where both see the same, False where it is none of these statements."""
    kind, body = next(iter(tree.items()))
    if kind == "CreateStmt" and "ofTypename" not in body and "partbound" not in body:
        wanted = of_create(body)
        found = [(c[0], own(c[2], True)) for c in ours["columns"]], own(ours["constraints"], False)
        return None if ours["kind"] == 1 and tuple(wanted) == tuple(found) else (wanted, found)
    if kind == "AlterTableStmt" and body["objtype"] == "OBJECT_TABLE":
        wanted = [of_command(cmd["AlterTableCmd"]) for cmd in body["cmds"]]
        found = [of_action(action) for action in ours["actions"]]
        found = [(a[0], b[1] if a[0] in (20, 21, 22, 23, 24, REST) else a[1], a[2]) for a, b in zip(found, wanted)] + found[len(wanted):]
        return None if ours["kind"] == 2 and wanted == found else (wanted, found)
    return False


def compare(build):
    """(statement's place, what differs or None), for each CREATE TABLE and ALTER TABLE that PostgreSQL's parser takes."""
    suite = Suite("sbdchd/squawk")
    for name, text in suite.read_all(suite.files("postgres/regression_suite", ".sql")).items():
        pieces = [piece for piece in split(build, "postgresql", text) if piece["kind"] == "statement" and piece["class"] in ("DDL", "alone")]
        lines = probe(build, "model", b"".join(text[piece["begin"]:piece["end"]] + b"\0" for piece in pieces))
        for piece, line in zip(pieces, lines):
            both = json.loads(line)
            if both["theirs"] and len(both["theirs"]["stmts"]) == 1:
                found = disagreement(both["ours"], both["theirs"]["stmts"][0]["stmt"])
                if found is not False:
                    yield "%s:%d" % (name.split("/")[-1], piece["line"]), found and "%s\n    wanted %s\n    found  %s" % (piece["run"][:200], *found)
