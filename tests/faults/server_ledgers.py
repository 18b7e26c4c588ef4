"""Ledgers in servers that somebody damaged: by psql, mariadb and boto3."""
import items
import strikes

LEDGER = "_transhume_ledger"   # DynamoDB's
VALUES = ({"S": "edited"}, {"S": ""}, {"N": "-1"}, {"N": "99"}, None)   # None: the attribute is gone


class SqlLedgers(strikes.Ledgers):
    QUOTE = '"'
    TEXTS = ("'edited'", "''")
    NUMBERS = ("-1", "99", "999999999")

    def damages(self, _folder):
        columns = self.server.ask(self.target,
                                  "SELECT table_name, column_name, data_type, is_nullable FROM "
                                  "information_schema.columns WHERE "
                                               "table_name LIKE '\\_transhume%%' AND table_schema IN ('public', '%s')"
                                  % self.target)
        tables = sorted({column[0] for column in columns})
        filled = [table for table in tables if self.server.ask(self.target, "SELECT 1 FROM %s LIMIT 1" % table)]
        cases = [("DROP TABLE " + table,) for table in tables] + [("DELETE FROM " + table,) for table in filled]
        for table, column, kind, nullable in columns:
            values = (self.NUMBERS if "int" in kind else self.TEXTS) + (("NULL",) if nullable == "YES" else ())
            cases += [("UPDATE %s SET %s%s%s = %s" % (table, self.QUOTE, column, self.QUOTE, value),)
                      for value in values if table in filled]
        return sorted(cases)

    def inflict(self, _folder, statement):
        before = self.server.rows(self.target)
        try:
            self.server.ask(self.target, statement)
        except AssertionError:
            pass   # the table's own rules forbid it
        return self.server.rows(self.target) != before

    def contents(self, _folder):
        return {table: rows for table, rows in self.server.rows(self.target).items() if "_transhume" not in str(table)}


class DynamodbLedgers(strikes.Ledgers):
    """All items of a kind at once: heads, pieces of the header and of the chunk list, done marks."""

    @staticmethod
    def kind_of(item):
        parts = item["key"]["S"].split("/")
        return parts[2] if parts[0] == "run" else parts[0]

    def of_kind(self, kind):
        return [item for item in items.scan(self.client, LEDGER) if self.kind_of(item) == kind]

    def damages(self, _folder):
        kinds = {}
        for item in items.scan(self.client, LEDGER):
            kinds.setdefault(self.kind_of(item), set()).update(item.keys() - {"place", "key"})
        return [("", "drop", "")] + [(kind, "delete", "") for kind in sorted(kinds)] + [
            (kind, attribute, value) for kind in sorted(kinds) for attribute in sorted(kinds[kind])
            for value in range(len(VALUES))]

    def inflict(self, _folder, kind, what, value):
        if what == "drop":
            self.client.delete_table(TableName=LEDGER)
            items.wait_gone(self.client, LEDGER)
            return True
        found = self.of_kind(kind)
        for item in found:
            self.client.delete_item(TableName=LEDGER, Key={name: item[name] for name in ("place", "key")})
            changed = {name: part for name, part in item.items() if name != what}
            if what != "delete" and VALUES[value]:
                changed[what] = VALUES[value]
            if what != "delete":
                self.client.put_item(TableName=LEDGER, Item=changed)
        return self.of_kind(kind) != found

    def contents(self, _folder):
        return {table: sorted(map(repr, items.scan(self.client, table))) for table in items.tables(self.client)
                if table != LEDGER}
