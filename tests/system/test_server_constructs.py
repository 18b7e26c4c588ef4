"""The constructs of the plan language between SQL databases: PostgreSQL, MariaDB and SQLite as source and as target,
killed and resumed.

The plans and what they make are those of test_plan_constructs.py, with some of SQL's own: tables split, merged, joined
by pairs,
lists of JSON columns made rows. What must arrive is computed by SQL and Python over a SQLite file; what arrived the
databases' own clients tell.
"""
import decimal
import json
import os
import random
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import support
from test_plan_constructs import CHUNK_ROWS, CONSTRUCTS, Constructs, Construct, comparable, plan_text, sqlite_records

KINDS = {"postgres": postgres, "mysql": mariadb}
PAIRS = [(source, target) for source in (*KINDS, "sqlite") for target in (*KINDS, "sqlite")]
TABLES = {
    "region": "code varchar(20) NOT NULL, zone int NOT NULL, name text, PRIMARY KEY (code, zone)",
    "person": "id int PRIMARY KEY, name text NOT NULL, boss int REFERENCES person(id), nick text, "
              "region_code varchar(20), region_zone int, "
              "FOREIGN KEY (region_code, region_zone) REFERENCES region(code, zone)",
    "sale": "id int PRIMARY KEY, person int REFERENCES person(id), day text, total numeric(10,2)",
    "product": "id int PRIMARY KEY, title varchar(40) NOT NULL, maker varchar(20)",
    "item": "id int PRIMARY KEY, sale int NOT NULL REFERENCES sale(id), product int REFERENCES product(id), "
            "quantity int, price numeric(10,2)",
    "maker": "short varchar(20) NOT NULL UNIQUE, `long` text",
    "visit": "number int PRIMARY KEY, who int, place text",
    "basket": "id int PRIMARY KEY, who varchar(20), goods json",
}
AFTER = """
CREATE INDEX item_sale ON item(sale);
CREATE VIEW busy AS SELECT p.id, p.name, count(s.id) AS sales FROM person p LEFT JOIN sale s ON s.person = p.id GROUP BY p.id, p.name;
"""
OWN = []


def own(plan):
    def keep(expect):
        OWN.append(Construct(expect.__name__, plan, expect, True, 0))
        return expect
    return keep


def goods(number):
    """The list of a basket."""
    return [{"sku": "s%d" % (number * 7 % 11), "n": place} for place in range(number % 4)]


BASKETS = [(number, "who%d" % (number % 5), None if number % 6 == 0 else goods(number)) for number in range(1, 41)]


@own("""
  people:
    key: KEY(id)
    from: person
    fields: { id: copy, called: { column: name } }
  places:
    key: KEY(person)
    references: { person: people.id }
    from: person
    where: "region_code IS NOT NULL"
    fields: { person: { column: id }, place: "{region_code}/{region_zone}" }
""")
def a_table_split_in_two(shop):
    return {"people": shop.rows("SELECT id, name AS called FROM person"),
            "places": shop.rows("SELECT id AS person, region_code || '/' || region_zone AS place FROM person WHERE "
                                "region_code IS NOT NULL")}


@own("""
  things:
    key: KEY(kind, id)
    entities:
      product: { from: product, fields: { kind: { const: product }, id: copy, label: { column: title }, maker: copy } }
      person: { from: person, where: "id > 30", fields: { kind: { const: person }, id: copy, label: { column: name } } }
""")
def two_tables_merged(shop):
    return {"things": [dict(row, kind="product") for row in shop.rows("SELECT id, title AS label, maker FROM product")]
            +
                      [dict(row, kind="person")
                       for row in shop.rows("SELECT id, name AS label FROM person WHERE id > 30")]}


@own("""
  bought:
    key: KEY(person, product)
    entities:
      pair:
        from: item
        where: "product IS NOT NULL"
        distinct: true
        fields: { person: { lookup: sale, column: person, default: -1 }, product: { column: product } }
""")
def a_junction_of_pairs(shop):
    return {"bought": shop.rows("SELECT DISTINCT coalesce(s.person, -1) AS person, "
                                "i.product FROM item i JOIN sale s ON s.id = i.sale "
                                "WHERE i.product IS NOT NULL")}


@own("""
  baskets:
    key: KEY(id)
    from: basket
    fields: { id: copy, owner: { column: who } }
  goods:
    key: KEY(basket, place)
    references: { basket: baskets.id }
    from: basket
    unnest: goods
    fields:
      basket: { column: $parent.id }
      place: { column: $ordinal }
      sku: { column: sku, cast: text }
      amount: { column: n, cast: int64 }
      label: "{n} x {sku} for {$parent.who}"
""")
def a_list_made_rows(shop):
    return {"baskets": [{"id": number, "owner": who} for number, who, _ in BASKETS],
            "goods": [{"basket": number, "place": place, "sku": one["sku"], "amount": one["n"],
                       "label": "%d x %s for %s" % (one["n"], one["sku"], who)}
                      for number, who, listed in BASKETS for place, one in enumerate(listed or [], 1)]}


def literal(value):
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, (int, float)) else "'%s'" % value.replace("'", "''")


class ServerConstructs(Constructs):
    """Borrows how records are compared; its tests are of its own."""

    @classmethod
    def setUpClass(cls):
        cls.servers = {kind: module.for_class(cls) for kind, module in KINDS.items()}
        cls.sources = {}

    def shop_of(self, kind):
        """The shop in a database of that kind, made once in a server."""
        if kind not in self.sources or kind == "sqlite":
            script = []
            for table, columns in TABLES.items():
                rows = ([tuple(row) for row in self.shop.db.execute('SELECT * FROM "%s"' % table)]
                        if table not in ("visit", "basket") else
                        [(number, *row)
                         for number, row in enumerate(self.shop.db.execute("SELECT who, place FROM visit ORDER "
                                                                           "BY rowid"), 1)]
                        if table == "visit" else [(number, who, None if listed is None else json.dumps(listed))
                                                  for number, who, listed in BASKETS])
                script.append("CREATE TABLE %s (%s)" % (table,
                                                        columns if kind == "mysql" else columns.replace("`", '"')))
                script.append("INSERT INTO %s VALUES %s" % (table,
                                                            ", ".join("(%s)" % ", ".join(map(literal, row))
                                                                      for row in rows)))
            script = ";\n".join(script) + ";" + AFTER
            if kind == "sqlite":
                return "sqlite:" + support.make_sqlite(self.path("source.db"), script)
            name = self.servers[kind].database()
            self.servers[kind].ask(name, script)
            self.sources[kind] = self.servers[kind].uri(name)
        return self.sources[kind]

    def place(self, kind):
        """(URI, name) of an empty database."""
        if kind == "sqlite":
            return "sqlite:" + self.path("target.db"), self.path("target.db")
        name = self.servers[kind].database()
        return self.servers[kind].uri(name), name

    def records_of(self, kind, name, table):
        """What the database's own client tells, of a server as JSON that the server makes."""
        if kind == "sqlite":
            return sqlite_records(name, table)
        if kind == "postgres":
            texts = [row for row, in self.servers[kind].ask(name,
                                                            'SELECT encode(convert_to(row_to_json(t)::text, \'UTF8\'), '
                                                            '\'hex\') FROM "%s" t' % table)]
        else:
            columns = self.servers[kind].ask(name,
                                             "SELECT column_name, data_type FROM information_schema.columns WHERE "
                                                   "table_schema = database() AND table_name = '%s'" % table)
            # the texts of one function have one collation
            pairs = ", ".join("'%s', `%s`%s" % (column, column,
                                                " COLLATE utf8mb4_bin" if data_type.endswith(("char", "text")) else "")
                              for column, data_type in columns)
            texts = [row for row, in self.servers[kind].ask(name,
                                                            "SELECT HEX(JSON_OBJECT(%s)) FROM `%s`" % (pairs, table))]
        return [{field: json.loads(value, parse_float=decimal.Decimal) if isinstance(value, str)
                 and value.startswith("[") else value
                 for field, value in json.loads(bytes.fromhex(text), parse_float=decimal.Decimal).items()}
                for text in texts]

    def run_pair(self, one, source, target):
        uri, name = self.place(target)
        folder = self.path("case")
        os.mkdir(folder)
        text = plan_text(one.plan, "sqlite").replace("source: sqlite:shop.db\ntarget: sqlite\n",
                                                     "source: %s\ntarget: %s\n" % (
                                                         self.shop_of(source), uri))
        with open(os.path.join(folder, "transhume.yaml"), "w", encoding="utf-8") as file:
            file.write(text)
        options = ("--chunk-rows", CHUNK_ROWS, "--batch-rows", 5, "--progress", "none")
        place = self.random.choice(("engine.before_commit", "engine.after_commit"))
        killed = support.kill_at(place, self.random.randint(1, 3) if one.spans else 1, "migrate", *options, cwd=folder)
        self.assertEqual(killed.code, -9, killed.err)
        resumed = support.transhume("resume", *options, cwd=folder)
        if not one.rejected and resumed.code == 1:   # other tests write into the source's server
            self.assertIn("the snapshot is mixed", resumed.err)
        else:
            self.assert_code(resumed, 1 if one.rejected else 0)
        for table, records in one.expect(self.shop).items():
            self.assert_same(table, map(comparable, records), map(comparable, self.records_of(target, name, table)))
        self.assert_rejects(folder, one.rejected)
        for level in ("hash", "full") if support.SOAK else ("hash",):
            self.assert_code(support.transhume("validate", "--level", level, "--progress", "none", cwd=folder), 0)


def add_tests():
    for name in [name for name in dir(Constructs) if name.startswith("test_")]:
        setattr(ServerConstructs, name, None)
    draw = random.Random(support.SEED)
    pairs = draw.sample(PAIRS, len(PAIRS))
    for at, one in enumerate(CONSTRUCTS + OWN if support.SOAK else draw.sample(CONSTRUCTS, 6) + OWN):
        for source, target in PAIRS if support.SOAK else pairs[at % len(pairs):][:1]:   # each pair at least once
            def test(self, one=one, source=source, target=target):
                self.run_pair(one, source, target)
            setattr(ServerConstructs, "test_%s_%s_to_%s" % (one.name, source, target), test)


add_tests()
del Constructs   # its own tests are run where it is from

if __name__ == "__main__":
    unittest.main()
