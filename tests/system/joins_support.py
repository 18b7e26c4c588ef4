"""A random database of related tables, its exports, and a plan that joins them in every way there is."""
import csv
import json
import os
import sqlite3

import support

TOY = {"TRANSHUME_MODULES": os.path.join(support.BUILD, "toy.so")}

RELATIONS = """
relations:
  Root:  { ParentId: Root.RootId }
  Child: { RootId: Root.RootId, Code: Label.Code }
  Grand: { ChildId: Child.ChildId }
  Label: { MarkId: Mark.MarkId }
  Pair:  { LeftId: Root.RootId, RightId: Root.RootId, Part: Grand.Part, Whole: Grand.ChildId }
"""

PLAN = """transhume: 1
source: %s
target: dynamodb-json:%s
tables:
  roots:
    key: { partition: PK, sort: SK }
    entities:
      root:
        from: Root
        fields:
          PK: "ROOT#{RootId}"
          SK: ROOT
          "*": copy
          Parent:     { lookup: Root, column: Name }
          ParentText: { lookup: Root, value: "{Name}/{RootId}", default: none }
          Above:      { lookup: Root.Root, column: Amount }
          Count:      { aggregate: Child, value: "count(*)" }
          Amounts:    { aggregate: Child, value: "count(Amount)" }
          Kinds:      { aggregate: Child, value: "count(distinct Code)" }
          Sum:        { aggregate: Child, value: "sum(Amount)" }
          Least:      { aggregate: Child, value: "min(Amount)" }
          Last:       { aggregate: Child, value: "max(Note)" }
          GrandSum:   { aggregate: Child.Grand, value: "sum(Weight)" }
          LabelCount: { aggregate: Child.Label, value: "count(Title)" }
          Marks:      { aggregate: Child.Label.Mark, value: "count(*)" }
          Below:      { aggregate: Root, value: "count(*)" }
          Lefts:      { aggregate: Pair, match: { LeftId: RootId }, value: "count(*)" }
          Many:       { const: true, when: "Count > 3" }
          Children:
            embed: Child
            order: [Amount desc, Note]
            when: "Count <= 4"
            fields:
              "*": copy
              RootId: { drop: true }
              Title:  { lookup: Label, column: Title }
              Mark:   { lookup: Label.Mark, value: "<{Sign}>" }
              Double: { sql: "ChildId * 2" }
          Plain:  { embed: Child, where: "Amount IS NOT NULL", fields: { ChildId: copy, Amount: copy } }
          Grands: { embed: Child.Grand, order: Weight desc, fields: { "*": copy } }
          Titles: { embed: Child.Label, fields: { Title: copy, Sign: { lookup: Mark, column: Sign } } }
          Names:  { embed: Root, order: Name, fields: { Name: copy } }
          Nested:
            embed: Child
            order: Note
            where: "Amount IS NULL OR Amount < 1"
            fields:
              Code: copy
              Parts: { embed: Grand, order: Weight desc, fields: { "*": copy, ChildId: { drop: true } } }
              Pairs: { embed: Pair, match: { LeftId: RootId }, when: "ChildId > 9", fields: { PairId: copy, Halves: { embed: Pair, match: { LeftId: RightId }, fields: { Part: copy } } } }
      page:
        pages: root.Children
        size: 3
        when: "Count > 4"
        fields:
          PK: "ROOT#{RootId}"
          SK: "PAGE#{$page:03}"
          Page: { column: $page }
          Of: { column: Parent }
          Children: { column: $list }
  children:
    key: { partition: ChildId }
    from: Child
    where: "Note IS NULL OR Note <> 'left out'"
    fields:
      "*": copy
      Title: { lookup: Label, column: Title, default: untitled }
      Mark:  { lookup: Label.Mark, column: Sign, when: "Title IS NOT NULL" }
      Root:  { lookup: Root, column: Amount }
  pairs:
    key: { partition: PairId }
    from: Pair
    fields:
      "*": copy
      Weight: { lookup: Grand, column: Weight }
      Whose:  { lookup: Grand.Child.Root, column: Name }
      Right:  { lookup: Root, match: { RootId: RightId }, column: Name }
""" + RELATIONS

SCHEMA = """
CREATE TABLE Mark(MarkId INTEGER PRIMARY KEY, Sign TEXT);
CREATE TABLE Label(Code TEXT PRIMARY KEY NOT NULL, Title TEXT, MarkId INTEGER);
CREATE TABLE Root(RootId INTEGER PRIMARY KEY, Name TEXT, Amount NUMERIC(8,2), ParentId INTEGER);
CREATE TABLE Child(ChildId INTEGER PRIMARY KEY, RootId INTEGER, Code TEXT, Amount NUMERIC(8,2), Note TEXT);
CREATE TABLE Grand(ChildId INTEGER NOT NULL, Part TEXT NOT NULL, Weight INTEGER, PRIMARY KEY(ChildId, Part)) WITHOUT ROWID;
CREATE TABLE Pair(PairId INTEGER PRIMARY KEY, LeftId INTEGER, RightId INTEGER, Part TEXT, Whole INTEGER);
"""

WORDS = ("a", "A", "", "b b", "\u00e9", "1", "01", "left out", "it's", "\U0001f411", "x" * 60, "line\nbreak", "NULL")


def make_database(path, seed, roots):
    """Partners that are missing, keys that are null, tables without rows, texts that look like numbers."""
    def some(choices, nulls=0.2):
        return None if seed.random() < nulls else seed.choice(choices)
    def amount():
        return some([n / 100 for n in range(-300, 300, 7)] + [0, 5, 1000])
    if os.path.exists(path):
        os.unlink(path)
    db = sqlite3.connect(path)
    db.executescript(SCHEMA)
    root_ids = seed.sample(range(-5, 3 * roots), roots)
    child_ids = seed.sample(range(1, 20 * roots), seed.choice((0, 3, 4, 4, 5, 6)) * roots)
    codes = seed.sample([word for word in WORDS if word], seed.randint(0, 9))  # no item has an empty key
    marks = seed.sample(range(9), seed.randint(0, 5))
    db.executemany("INSERT INTO Mark VALUES(?, ?)", [(i, some(WORDS)) for i in marks])
    db.executemany("INSERT INTO Label VALUES(?, ?, ?)", [(c, some(WORDS), some(range(9))) for c in codes])
    db.executemany("INSERT INTO Root VALUES(?, ?, ?, ?)",
                   [(i, some(WORDS), amount(), some(root_ids + [999])) for i in root_ids])
    db.executemany("INSERT INTO Child VALUES(?, ?, ?, ?, ?)",
                   [(i, some(root_ids[:max(2, roots // 2)] + [998]), some(WORDS), amount(), some(WORDS))
                    for i in child_ids])
    grands = [(c, p) for c in child_ids for p in seed.sample(WORDS[:4], seed.randint(0, 2)) if p]
    db.executemany("INSERT INTO Grand VALUES(?, ?, ?)", [(c, p, some(range(50))) for c, p in grands])
    pairs = [(i, some(root_ids), some(root_ids), *(seed.choice(grands)[::-1] if grands and seed.random() < 0.7
                                                   else (some(WORDS), some(range(9))))) for i in range(2 * roots)]
    db.executemany("INSERT INTO Pair VALUES(?, ?, ?, ?, ?)", pairs)
    db.commit()
    db.close()
    return path


def export_by_hand(path, folder, write):
    """The tables as another program would export them: `write(file, columns, rows)`."""
    os.makedirs(folder)
    db = sqlite3.connect(path)
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"
                                             " AND name NOT LIKE 'sqlite%'")]
    for table in tables:
        cursor = db.execute("SELECT * FROM %s" % support.quoted(table))
        columns = [column[0] for column in cursor.description]
        write(os.path.join(folder, table), columns, cursor.fetchall())
    db.close()


def write_csv(path, columns, rows):
    with open(path + ".csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)


def write_jsonl(path, columns, rows):
    with open(path + ".jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(dict(zip(columns, row))) + "\n" for row in rows)
