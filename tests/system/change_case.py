"""What tests of `transhume change` share: files of operations, the catalogue as the database tells it, applications of both versions."""
import json
import os


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
        text = head + "operations:\n" + "".join("- " + "\n  ".join(operation.strip("\n").split("\n")) + "\n" for operation in operations)
        return self.write(name, text)

    def change(self, command, *arguments, code=0, **options):
        extra = ("--confirm",) if command in ("complete", "run") else ()
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
