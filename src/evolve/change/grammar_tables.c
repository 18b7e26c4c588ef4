/* The operations, and the maps within them. */
#include "evolve/change/grammar.h"

#define TEXT CHANGE_FORM_TEXT
#define TRUTH CHANGE_FORM_TRUTH
#define FIELDS(list) list, sizeof(list) / sizeof(*(list))
#define TABLE                                                          \
    {                                                                  \
        "table", TEXT, NULL, NULL, true, "its name in the new version" \
    }
#define COLUMN                                                          \
    {                                                                   \
        "column", TEXT, NULL, NULL, true, "its name in the new version" \
    }

/* ---------------------------------------------------------------- within operations */

#define ACTIONS "NO ACTION|RESTRICT|CASCADE|SET NULL|SET DEFAULT"

static const struct change_field reference_fields[] = {
    {"name", TEXT, NULL, NULL, false, "of the constraint; chosen where it is not said"},
    {"table", TEXT, NULL, NULL, true, "the table that is referred to"},
    {"column", TEXT, NULL, NULL, false, "its column"},
    {"columns", CHANGE_FORM_NAMES, NULL, NULL, false, "its columns, where they are several"},
    {"on_delete", TEXT, NULL, ACTIONS, false, "what becomes of the rows that refer"},
    {"on_update", TEXT, NULL, ACTIONS, false, "likewise when the key changes"},
    {"match_type", TEXT, NULL, "SIMPLE|FULL", false, "what NULLs among several columns mean"},
    {"deferrable", TRUTH, NULL, NULL, false, "it may be looked at when a transaction ends"},
    {"initially_deferred", TRUTH, NULL, NULL, false, "and is, unless a session says otherwise"},
};
static const struct change_shape reference_shape = {"references", "a foreign key",
                                                    FIELDS(reference_fields)};

static const struct change_field check_fields[] = {
    {"name", TEXT, NULL, NULL, false, "of the constraint; chosen where it is not said"},
    {"constraint", TEXT, NULL, NULL, true, "an expression of SQL that no row may make false"},
};
static const struct change_shape check_shape = {"check", "a check", FIELDS(check_fields)};

static const struct change_field unique_fields[] = {
    {"name", TEXT, NULL, NULL, false, "of the constraint; chosen where it is not said"},
};
static const struct change_shape unique_shape = {"unique", "a unique constraint",
                                                 FIELDS(unique_fields)};

static const struct change_field identity_fields[] = {
    {"user_specified_values", TEXT, NULL, "ALWAYS|BY DEFAULT", false,
     "what becomes of values that an INSERT brings"},
};
static const struct change_shape identity_shape = {"identity", "numbers that count up",
                                                   FIELDS(identity_fields)};

static const struct change_field generated_fields[] = {
    {"expression", TEXT, NULL, NULL, false, "an expression of SQL over the row"},
    {"identity", CHANGE_FORM_MAP, &identity_shape, NULL, false, "it counts up"},
};
static const struct change_shape generated_shape = {"generated", "a column that the server fills",
                                                    FIELDS(generated_fields)};

static const struct change_field column_fields[] = {
    {"name", TEXT, NULL, NULL, true, NULL},
    {"type", TEXT, NULL, NULL, true, "in the database's own words"},
    {"pk", TRUTH, NULL, NULL, false, "it is of the primary key"},
    {"nullable", TRUTH, NULL, NULL, false, "it may be NULL; default: false"},
    {"default", TEXT | CHANGE_FORM_NULL, NULL, NULL, false, "an expression of SQL"},
    {"unique", TRUTH | CHANGE_FORM_MAP, &unique_shape, NULL, false, "no two rows have the same"},
    {"check", CHANGE_FORM_MAP, &check_shape, NULL, false, NULL},
    {"references", CHANGE_FORM_MAP, &reference_shape, NULL, false, NULL},
    {"generated", CHANGE_FORM_MAP, &generated_shape, NULL, false, NULL},
    {"comment", TEXT | CHANGE_FORM_NULL, NULL, NULL, false, NULL},
};
static const struct change_shape column_shape = {"column", "a column", FIELDS(column_fields)};

static const struct change_field operator_class_fields[] = {
    {"name", TEXT, NULL, NULL, true, NULL},
};
static const struct change_shape operator_class_shape = {"opclass", "how an index compares",
                                                         FIELDS(operator_class_fields)};

static const struct change_field index_column_fields[] = {
    {"column", TEXT, NULL, NULL, false, "its name"},
    {"expression", TEXT, NULL, NULL, false, "in place of a column: an expression of SQL"},
    {"sort", TEXT, NULL, "ASC|DESC", false, NULL},
    {"nulls", TEXT, NULL, "FIRST|LAST", false, NULL},
    {"collate", TEXT, NULL, NULL, false, NULL},
    {"opclass", TEXT | CHANGE_FORM_MAP, &operator_class_shape, NULL, false, NULL},
    {"length", TEXT, NULL, NULL, false, "MySQL: only so many characters of it"},
    {"type", TEXT, NULL, "S|N|B", false,
     "DynamoDB: of an attribute that no key has yet; default: S"},
};
static const struct change_shape index_column_shape = {"columns", "a column of an index",
                                                       FIELDS(index_column_fields)};

static const struct change_field exclusion_fields[] = {
    {"index_method", TEXT, NULL, NULL, false, "btree, gist …"},
    {"elements", TEXT, NULL, NULL, true, "as SQL has them: `room WITH =, during WITH &&`"},
    {"predicate", TEXT, NULL, NULL, false, "of the rows that count"},
};
static const struct change_shape exclusion_shape = {"exclude", "an exclusion constraint",
                                                    FIELDS(exclusion_fields)};

static const struct change_field index_parameter_fields[] = {
    {"include_columns", CHANGE_FORM_NAMES, NULL, NULL, false, "columns that are only kept in it"},
    {"storage_parameters", TEXT, NULL, NULL, false, "`fillfactor = 70`"},
    {"tablespace", TEXT, NULL, NULL, false, NULL},
};
static const struct change_shape index_parameter_shape = {
    "index_parameters", "the index of a constraint", FIELDS(index_parameter_fields)};

#define CONSTRAINT_FIELDS                                                                  \
    {"name", TEXT, NULL, NULL, true, NULL},                                                \
        {"type", TEXT, NULL, "unique|check|foreign_key|primary_key|exclude", true, NULL},  \
        {"columns", CHANGE_FORM_NAMES, NULL, NULL, false, NULL},                           \
        {"check", TEXT, NULL, NULL, false, "an expression of SQL"},                        \
        {"references", CHANGE_FORM_MAP, &reference_shape, NULL, false, NULL},              \
        {"exclude", CHANGE_FORM_MAP, &exclusion_shape, NULL, false, NULL},                 \
        {"deferrable", TRUTH, NULL, NULL, false, NULL},                                    \
        {"initially_deferred", TRUTH, NULL, NULL, false, NULL},                            \
        {"nulls_not_distinct", TRUTH, NULL, NULL, false, "NULLs are equal to each other"}, \
        {"no_inherit", TRUTH, NULL, NULL, false, NULL},                                    \
    {                                                                                      \
        "index_parameters", CHANGE_FORM_MAP, &index_parameter_shape, NULL, false, NULL     \
    }

static const struct change_field constraint_fields[] = {CONSTRAINT_FIELDS};
static const struct change_shape constraint_shape = {"constraints", "a constraint of a table",
                                                     FIELDS(constraint_fields)};

static const struct change_field replica_identity_fields[] = {
    {"type", TEXT, NULL, "default|full|nothing|index", true, NULL},
    {"index", TEXT, NULL, NULL, false, NULL},
};
static const struct change_shape replica_identity_shape = {"identity", "how replicas know a row",
                                                           FIELDS(replica_identity_fields)};

/* ---------------------------------------------------------------- operations */

#define UP "an expression of SQL over the old version's columns: the new value"
#define DOWN "an expression of SQL over the new version's columns: the old value"
#define OPTIONS                                                                   \
    {                                                                             \
        "options", TEXT | CHANGE_FORM_TEXTS, NULL, NULL, false,                   \
            "of the engine, in its own words: `fillfactor: 70`, `engine: InnoDB`" \
    }

static const struct change_field create_table_fields[] = {
    {"name", TEXT, NULL, NULL, true, NULL},
    {"columns", CHANGE_FORM_MAPS, &column_shape, NULL, true, NULL},
    {"constraints", CHANGE_FORM_MAPS, &constraint_shape, NULL, false, NULL},
    {"comment", TEXT | CHANGE_FORM_NULL, NULL, NULL, false, NULL},
    {"partition_by", TEXT, NULL, NULL, false,
     "as SQL has it: `RANGE (day)`; Cassandra: the columns of the partition key"},
    OPTIONS,
};
static const struct change_field drop_table_fields[] = {
    {"name", TEXT, NULL, NULL, true, NULL},
};
static const struct change_field rename_table_fields[] = {
    {"from", TEXT, NULL, NULL, true, NULL},
    {"to", TEXT, NULL, NULL, true, NULL},
};
static const struct change_field set_table_fields[] = {
    TABLE,
    {"comment", TEXT | CHANGE_FORM_NULL, NULL, NULL, false, NULL},
    OPTIONS,
};
static const struct change_field copy_table_fields[] = {
    TABLE,
    {"to", TEXT, NULL, NULL, true, "the second table, which is kept equal: `v2_orders`"},
    {"columns", CHANGE_FORM_TEXTS, NULL, NULL, false,
     "of the second table, each an expression over the first one's; default: the same ones"},
    {"back", CHANGE_FORM_TEXTS, NULL, NULL, false,
     "of the first table, each an expression over the second one's; default: the same ones"},
    {"types", CHANGE_FORM_TEXTS, NULL, NULL, false, "of columns of the second table"},
    {"drop", TRUTH, NULL, NULL, false,
     "the first table goes with `complete`, and the second one gets its name"},
};
static const struct change_field add_column_fields[] = {
    TABLE,
    {"column", CHANGE_FORM_MAP, &column_shape, NULL, true, NULL},
    {"up", TEXT, NULL, NULL, false, UP},
};
static const struct change_field drop_column_fields[] = {
    TABLE,
    COLUMN,
    {"down", TEXT, NULL, NULL, false, DOWN},
};
static const struct change_field rename_column_fields[] = {
    TABLE,
    {"from", TEXT, NULL, NULL, true, NULL},
    {"to", TEXT, NULL, NULL, true, NULL},
};
static const struct change_field alter_column_fields[] = {
    TABLE,
    COLUMN,
    {"name", TEXT, NULL, NULL, false, "its new name"},
    {"type", TEXT, NULL, NULL, false, "its new type"},
    {"nullable", TRUTH, NULL, NULL, false, NULL},
    {"default", TEXT | CHANGE_FORM_NULL, NULL, NULL, false, "an expression of SQL; null: none"},
    {"comment", TEXT | CHANGE_FORM_NULL, NULL, NULL, false, NULL},
    {"check", CHANGE_FORM_MAP, &check_shape, NULL, false, NULL},
    {"unique", TRUTH | CHANGE_FORM_MAP, &unique_shape, NULL, false, NULL},
    {"references", CHANGE_FORM_MAP, &reference_shape, NULL, false, NULL},
    {"up", TEXT, NULL, NULL, false, UP},
    {"down", TEXT, NULL, NULL, false, DOWN},
    {"lossless", TRUTH, NULL, NULL, false,
     "up of down is the value itself: proved again before `complete`"},
};
static const struct change_field create_index_fields[] = {
    TABLE,
    {"name", TEXT, NULL, NULL, true, NULL},
    {"columns", CHANGE_FORM_MAPS, &index_column_shape, NULL, true, NULL},
    {"unique", TRUTH, NULL, NULL, false, NULL},
    {"method", TEXT, NULL, NULL, false, "btree, hash, gin, gist …; MySQL: fulltext, spatial"},
    {"predicate", TEXT, NULL, NULL, false, "of the rows that are in it"},
    {"include", CHANGE_FORM_NAMES, NULL, NULL, false, "columns that are only kept in it"},
    {"storage_parameters", TEXT, NULL, NULL, false, "`fillfactor = 70`"},
};
static const struct change_field drop_index_fields[] = {
    {"table", TEXT, NULL, NULL, false, "needed where names of indexes are its table's own"},
    {"name", TEXT, NULL, NULL, true, NULL},
};
static const struct change_field create_constraint_fields[] = {
    TABLE,
    CONSTRAINT_FIELDS,
    {"up", CHANGE_FORM_TEXTS, NULL, NULL, false, "by column: " UP},
    {"down", CHANGE_FORM_TEXTS, NULL, NULL, false, "by column: " DOWN},
};
static const struct change_field drop_constraint_fields[] = {
    TABLE,
    {"name", TEXT, NULL, NULL, true, NULL},
    {"up", TEXT | CHANGE_FORM_TEXTS, NULL, NULL, false, UP ", or by column"},
    {"down", TEXT | CHANGE_FORM_TEXTS, NULL, NULL, false, DOWN ", or by column"},
};
static const struct change_field rename_constraint_fields[] = {
    TABLE,
    {"from", TEXT, NULL, NULL, true, NULL},
    {"to", TEXT, NULL, NULL, true, NULL},
};
static const struct change_field add_enum_value_fields[] = {
    {"type", TEXT, NULL, NULL, false, "the enum's name; or table and column"},
    {"table", TEXT, NULL, NULL, false, NULL},
    {"column", TEXT, NULL, NULL, false, NULL},
    {"value", TEXT, NULL, NULL, true, NULL},
    {"before", TEXT, NULL, NULL, false, "the value that it stands before"},
    {"after", TEXT, NULL, NULL, false, "the value that it stands behind"},
};
static const struct change_field split_table_fields[] = {
    TABLE,
    {"into", TEXT, NULL, NULL, true, "the new table: one row for each of the first one's"},
    {"columns", CHANGE_FORM_NAMES, NULL, NULL, true, "what goes there"},
};
static const struct change_field merge_table_fields[] = {
    TABLE,
    {"from", TEXT, NULL, NULL, true, "the table that goes"},
    {"on", TEXT, NULL, NULL, true, "its column that has the first one's key, once each"},
    {"columns", CHANGE_FORM_NAMES, NULL, NULL, true, "what comes from there"},
};
static const struct change_field move_column_fields[] = {
    {"from", TEXT, NULL, NULL, true, "the table that has it"},
    {"to", TEXT, NULL, NULL, true, "the table that gets it"},
    {"on", TEXT, NULL, NULL, true, "the column of the first one that has the second one's key"},
    COLUMN,
};
static const struct change_field create_junction_fields[] = {
    TABLE,
    {"column", TEXT, NULL, NULL, true, "refers to the other table, and goes"},
    {"references", CHANGE_FORM_MAP, &reference_shape, NULL, true, "the other table and its key"},
    {"name", TEXT, NULL, NULL, true, "the junction's"},
    {"left", TEXT, NULL, NULL, true, "its column that has the table's key"},
    {"right", TEXT, NULL, NULL, true, "its column that has the other one's"},
};
static const struct change_field add_partition_fields[] = {
    TABLE,
    {"name", TEXT, NULL, NULL, true, NULL},
    {"values", TEXT, NULL, NULL, true, "as SQL has it: `FROM ('2026-01-01') TO ('2027-01-01')`"},
};
static const struct change_field drop_partition_fields[] = {
    TABLE,
    {"name", TEXT, NULL, NULL, true, NULL},
    {"keep", TRUTH, NULL, NULL, false, "it stays, as a table of its own"},
};
static const struct change_field set_replica_identity_fields[] = {
    TABLE,
    {"identity", CHANGE_FORM_MAP, &replica_identity_shape, NULL, true, NULL},
};
static const struct change_field create_view_fields[] = {
    {"name", TEXT, NULL, NULL, true, NULL},
    {"as", TEXT, NULL, NULL, true,
     "in the database's own words: `SELECT … FROM … WHERE … PRIMARY KEY (…)`"},
    {"comment", TEXT | CHANGE_FORM_NULL, NULL, NULL, false, NULL},
    OPTIONS,
};
static const struct change_field drop_view_fields[] = {
    {"name", TEXT, NULL, NULL, true, NULL},
};
static const struct change_field sql_fields[] = {
    {"up", TEXT, NULL, NULL, true, "one statement, which the old version can live with"},
    {"down", TEXT, NULL, NULL, false, "its way back; empty: nothing is to be undone"},
    {"on_complete", TRUTH, NULL, NULL, false, "it is run by `complete`, and has no way back"},
    {"lock", TEXT, NULL, "none|writes|all", false, "what it shuts out; default: all"},
};

static const struct change_field alter_fields[] = {
    TABLE,
    {"with", TEXT, NULL, NULL, true, "clauses of ALTER TABLE: `ADD COLUMN a int, DROP COLUMN b`"},
    {"way", TEXT, NULL, "auto|in_place|shadow", false,
     "default: in place where the server can, else a second table that is fed and copied"},
    {"sql_mode", TEXT, NULL, NULL, false, "MySQL: of the session that makes it"},
};

const struct change_shape change_shapes[] = {
    {"create_table", "make a table", FIELDS(create_table_fields)},
    {"drop_table", "drop a table", FIELDS(drop_table_fields)},
    {"rename_table", "give a table another name", FIELDS(rename_table_fields)},
    {"set_table", "change a table's comment or its engine's options", FIELDS(set_table_fields)},
    {"copy_table", "keep a second table equal to one, and lead applications over to it",
     FIELDS(copy_table_fields)},
    {"split_table", "move columns into a new table", FIELDS(split_table_fields)},
    {"merge_table", "take columns over from a table that goes", FIELDS(merge_table_fields)},
    {"move_column", "move a column along a reference", FIELDS(move_column_fields)},
    {"create_junction", "make a table of pairs of a column that refers to one row",
     FIELDS(create_junction_fields)},
    {"add_column", "add a column", FIELDS(add_column_fields)},
    {"drop_column", "drop a column", FIELDS(drop_column_fields)},
    {"rename_column", "give a column another name", FIELDS(rename_column_fields)},
    {"alter_column", "change a column's type, default or constraints", FIELDS(alter_column_fields)},
    {"create_index", "make an index", FIELDS(create_index_fields)},
    {"drop_index", "drop an index", FIELDS(drop_index_fields)},
    {"create_constraint", "add a constraint", FIELDS(create_constraint_fields)},
    {"drop_constraint", "drop a constraint", FIELDS(drop_constraint_fields)},
    {"rename_constraint", "give a constraint another name", FIELDS(rename_constraint_fields)},
    {"add_enum_value", "add a value to an enum", FIELDS(add_enum_value_fields)},
    {"add_partition", "add a partition", FIELDS(add_partition_fields)},
    {"drop_partition", "take a partition out", FIELDS(drop_partition_fields)},
    {"set_replica_identity", "change how replicas know a row", FIELDS(set_replica_identity_fields)},
    {"create_view", "make a materialised view, which the database keeps by itself",
     FIELDS(create_view_fields)},
    {"drop_view", "drop one", FIELDS(drop_view_fields)},
    {"alter", "change a table by clauses of its database (MySQL, MariaDB, SQLite)",
     FIELDS(alter_fields)},
    {"sql", "run a statement", FIELDS(sql_fields)},
};
const uint32_t change_shape_count = sizeof(change_shapes) / sizeof(*change_shapes);
