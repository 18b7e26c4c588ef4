"""
What tests of `transhume change` share: files of operations, the catalogue as the database tells it, applications of
both versions.
"""
import json
import os

# all that a schema of PostgreSQL is made of but our own tables
OWN = r"NOT LIKE '\_transhume%'"
CATALOGUE = (
    "SELECT n.nspname, c.relname, c.relkind, c.reloptions, c.relacl FROM pg_class c JOIN pg_namespace n ON n.oid = "
    "c.relnamespace "
    "WHERE n.nspname !~ '^pg_|information_schema' AND c.relname " + OWN + " ORDER BY 1, 2",
    "SELECT attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid), "
    "attidentity, attgenerated, "
    "col_description(attrelid, attnum) FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum "
    "JOIN pg_class c ON c.oid = attrelid "
    "WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'v', 'p') AND relname " + OWN
    + " AND relnamespace::regnamespace::text !~ '^pg_|information_schema' "
    "ORDER BY 1, 2",
    "SELECT conrelid::regclass, conname, pg_get_constraintdef(k.oid), convalidated FROM pg_constraint k JOIN pg_class "
    "c ON c.oid = conrelid WHERE relname " + OWN +
    " AND relnamespace::regnamespace::text !~ '^pg_|information_schema' ORDER BY 1, 2",
    "SELECT pg_get_indexdef(indexrelid), indisvalid, indisprimary FROM pg_index JOIN pg_class c ON c.oid = indrelid "
    "WHERE relname " + OWN +
    " AND relnamespace::regnamespace::text !~ '^pg_|information_schema' ORDER BY 1",
    "SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2",
    "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
    "SELECT typname, (SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid) FROM "
    "pg_type t "
    "WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd') ORDER BY 1",
)


class ChangeCase:
    """Mixed into a test of a target (sql_case); the subclass says how its database is asked."""

    def setUp(self):
        super().setUp()
        self.uri = self.new_target()
        self.made = 0

    def change_file(self, operations, name=None, head=""):
        """Operations as YAML, without the dash and indent of the list."""
        self.made += 1
        name = name or "%03d_c.change.yaml" % self.made
        text = head + "operations:\n" + "".join("- " + "\n  ".join(operation.strip("\n").split("\n")) + "\n"
                                                for operation in operations)
        return self.write(name, text)

    def change(self, command, *arguments, code=0, **options):
        extra = ("--confirm",) if command in ("complete", "run") else ()
        if command == "switch":
            return self.run_program("change", command, self.uri, *arguments, code=code, **options)
        return self.run_program("change", command, *arguments, self.uri, *extra, code=code, **options)

    def state(self):
        """[(version, state)] of all changes."""
        found = json.loads(self.run_program("change", "status", self.uri, "--json").out)
        return [(change["version"], change["state"]) for change in found["changes"]]

    def settled(self, path):
        """Started, aborted, started and completed, with the catalogue looked at after each."""
        before = self.catalogue()
        self.change("start", path)
        self.change("abort")
        self.assertEqual(self.catalogue(), before, os.path.basename(path))
        self.change("start", path)
        self.change("complete")
        return self.catalogue()
