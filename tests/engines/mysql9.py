"""The real MySQL 9, by the same client as MariaDB and in the same URIs."""
import mysql as server

from . import mysql as family
from .mysql import contents, fit, read, uri  # noqa: F401 (as MariaDB's)

NAME = "mysql9"
# Its failpoints are MariaDB's, and are reached there.
SERVER, REASONS = server, ()
COMMITS, JOINS, SNAPSHOT, SHAPE = family.COMMITS, family.JOINS, family.SNAPSHOT, family.SHAPE
WORDS = r"mysql9|mysql\.(for_class|shared_for_class|Server)|SERVERS"
SOURCES = family.SOURCES
COLLATIONS = ("utf8mb4_0900_bin", "utf8mb4_bin", "utf8mb4_0900_ai_ci", "utf8mb4_0900_as_cs", "utf8mb4_general_ci")


def write(at, tables, types, seed):
    family.write(at, tables, types, seed, COLLATIONS)


class Holding(family.Holding):
    # It has no tables of sequences.
    filled = "SET SESSION cte_max_recursion_depth = 200;" + family.Holding.filled.replace(
        "FROM seq_0_to_139",
        "FROM (WITH RECURSIVE numbers(seq) AS (SELECT 0 UNION ALL SELECT seq + 1 FROM numbers WHERE seq < 139) SELECT "
        "seq FROM numbers) AS numbers")
