/*
 * Declared changes of a keyspace. Each operation is a statement of CQL that the nodes carry out
 * without a lock: what adds is made at the start and can be taken back, what drops comes with
 * `complete`. Cassandra has neither triggers that could keep two versions of a value equal nor
 * types that could change; what would need them is refused. An index and a materialised view are
 * waited for until they are built.
 */
#include "connectors/cassandra/target.h"

#include "base/clock.h"
#include "connectors/cassandra/properties.h"
#include "connectors/common/change_builder.h"
#include "connectors/common/history_store.h"
#include <string.h>

enum { BUILD_POLL_MS = 250 };

struct compiler {
    struct change_builder builder;
    struct alter_session *session;
    struct cassandra *cassandra;
    struct arena *arena;
    const struct change_operation *operation;
};

typedef enum status compile_operation(struct compiler *compiler, const struct change_value *value,
                                      struct error *error);

/* ---------------------------------------------------------------- texts */

static struct text named(const char *name)
{
    return (struct text){name, strlen(name)};
}

static const char *taken(struct compiler *compiler, struct buffer *text)
{
    const char *copy = arena_copy_string(compiler->arena, buffer_string(text));
    buffer_free(text);
    return copy;
}

static const char *name_of(struct compiler *compiler, const char *name)
{
    struct buffer text = {0};
    cql_name_append(named(name), &text);
    return taken(compiler, &text);
}

static void append_literal(const char *words, struct buffer *out)
{
    buffer_append_byte(out, '\'');
    for (; *words != '\0'; words++) {
        buffer_append(out, "''", *words == '\'' ? 2 : 0);
        buffer_append(out, words, *words == '\'' ? 0 : 1);
    }
    buffer_append_byte(out, '\'');
}

static const char *literal(struct compiler *compiler, const char *words)
{
    struct buffer text = {0};
    append_literal(words, &text);
    return taken(compiler, &text);
}

/* How many rows of a catalogue's table are of that name: 1 or 0. */
static const char *count_of(struct compiler *compiler, const char *catalogue, const char *column,
                            const char *name)
{
    return arena_format(compiler->arena,
                        "SELECT count(*) FROM system_schema.%s WHERE keyspace_name = %s AND %s = "
                        "%s",
                        catalogue, literal(compiler, compiler->cassandra->keyspace), column,
                        literal(compiler, name));
}

static const char *count_of_column(struct compiler *compiler, const char *table, const char *column)
{
    return arena_format(compiler->arena, "%s AND column_name = %s",
                        count_of(compiler, "columns", "table_name", table),
                        literal(compiler, column));
}

static struct change_step *change_add(struct compiler *compiler, enum change_phase phase,
                                      const char *title, const char *text, const char *undo)
{
    struct change_step *step = change_builder_step(&compiler->builder, phase, title);
    step->language = ALTER_CQL;
    step->lock = ALTER_LOCK_NONE;
    step->text = text;
    step->undo = undo;
    return step;
}

/* ---------------------------------------------------------------- what is there */

static enum status change_refuse(struct compiler *compiler, const struct change_value *at,
                                 struct error *error, const char *why, const char *instead)
{
    change_builder_fail(&compiler->builder, ERROR_CHANGE_REFUSED, at, error, "%s", why);
    return instead != NULL ? error_hint(error, "%s", instead) : STATUS_FAILED;
}

static enum status find_table(struct compiler *compiler, const struct change_value *at,
                              const char *name, const struct cassandra_table **table,
                              struct error *error)
{
    enum status status =
        cassandra_table_read(compiler->cassandra, name, compiler->arena, table, error);
    return status == STATUS_END
               ? change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, at, error,
                                     "there is no table '%s' in keyspace '%s'", name,
                                     compiler->cassandra->keyspace)
               : status;
}

static enum status keep_free(struct compiler *compiler, const struct change_value *at,
                             const char *name, struct error *error)
{
    const struct cassandra_table *table;
    enum status status =
        cassandra_table_read(compiler->cassandra, name, compiler->arena, &table, error);
    return status == STATUS_END ? STATUS_OK
           : status == STATUS_OK
               ? change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, at, error,
                                     "there is a table or view '%s' already", name)
               : status;
}

static enum status find_column(struct compiler *compiler, const struct change_value *value,
                               const char *key, const struct cassandra_table **table,
                               const struct cassandra_column **column, struct error *error)
{
    const struct change_value *at = change_get(value, key);
    if (find_table(compiler, change_get(value, "table"), change_text(value, "table"), table,
                   error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int32_t found = cassandra_column_find(*table, at->text, strlen(at->text));
    if (found < 0) {
        return change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, at, error,
                                   "table '%s' has no column '%s'", (*table)->name, at->text);
    }
    *column = &(*table)->columns[found];
    return STATUS_OK;
}

/* ---------------------------------------------------------------- options */

static void append_options(struct compiler *compiler, const struct change_value *value,
                           const char *before, struct buffer *out)
{
    const struct change_value *options = change_get(value, "options");
    const char *comment = change_text(value, "comment");
    (void)compiler;
    if (options != NULL && options->kind == CHANGE_TEXT) {
        buffer_format(out, "%s%s", before, options->text);
        before = " AND ";
    }
    for (uint32_t i = 0; options != NULL && options->kind == CHANGE_MAP && i < options->count;
         i++) {
        buffer_format(out, "%s%s = %s", before, options->keys[i], options->items[i].text);
        before = " AND ";
    }
    if (comment != NULL) {
        buffer_format(out, "%scomment = ", before);
        append_literal(comment, out);
    }
}

/* The named options as they are now. NULL: one of them is not known. */
static enum status old_options(struct compiler *compiler, const struct change_value *value,
                               const char **text, struct error *error)
{
    const struct change_value *options = change_get(value, "options");
    const char *table = change_text(value, "table");
    struct cassandra_properties *all = NULL;
    uint32_t count = 0;
    struct buffer out = {0};
    *text = NULL;
    if (cassandra_properties_read(compiler->cassandra, compiler->arena, &all, &count, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t wanted = options != NULL ? options->count : 0;
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; strcmp(all[i].table, table) == 0 && j < all[i].count; j++) {
            for (uint32_t k = 0; k < wanted; k++) {
                if (strcmp(options->keys[k], all[i].list[j].name) == 0) {
                    buffer_append_string(&out, found++ > 0 ? " AND " : "");
                    cassandra_property_append(&all[i].list[j], &out);
                }
            }
        }
    }
    *text = found == wanted ? taken(compiler, &out) : NULL;
    buffer_free(&out);
    return STATUS_OK;
}

static enum status set_table(struct compiler *compiler, const struct change_value *value,
                             struct error *error)
{
    const struct cassandra_table *table;
    const struct change_value *options = change_get(value, "options");
    const char *old;
    if (find_table(compiler, change_get(value, "table"), change_text(value, "table"), &table,
                   error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (options != NULL && options->kind != CHANGE_MAP) {
        return change_refuse(compiler, options, error, "options are to be a map, name: value",
                             "Then those that stand now are known, and can be put back.");
    }
    if (old_options(compiler, value, &old, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (old == NULL) {
        return change_refuse(compiler, options, error, "tables of this server have no such option",
                             "`SELECT * FROM system_schema.tables` lists those that they have.");
    }
    struct buffer text = {0};
    struct buffer undo = {0};
    const char *name = name_of(compiler, table->name);
    buffer_format(&text, "ALTER TABLE %s WITH ", name);
    append_options(compiler, value, "", &text);
    buffer_format(&undo, "ALTER TABLE %s WITH %s", name, old);
    if (change_get(value, "comment") != NULL) {
        buffer_format(&undo, "%scomment = ", old[0] != '\0' ? " AND " : "");
        append_literal(table->comment != NULL ? table->comment : "", &undo);
    }
    change_add(compiler, CHANGE_EXPAND,
               arena_format(compiler->arena, "set options of %s", table->name),
               taken(compiler, &text), taken(compiler, &undo));
    change_builder_way(&compiler->builder,
                       "in place; the options that stand now are put back by "
                       "`abort`",
                       NULL);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- tables */

/* "(a, b), c": of the primary key's columns those of `partition_by` come first. */
static enum status append_key(struct compiler *compiler, const struct change_value *value,
                              struct buffer *out, struct error *error)
{
    const struct change_value *columns = change_get(value, "columns");
    const char *partition = change_text(value, "partition_by");
    uint32_t count = 0;
    if (partition != NULL) {
        buffer_format(out, ", PRIMARY KEY ((%s)", partition);
    }
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct change_value *column = &columns->items[i];
        if (!change_is_true(column, "pk")) {
            continue;
        }
        buffer_append_string(out, count++ > 0 || partition != NULL ? ", " : ", PRIMARY KEY (");
        cql_name_append(named(change_text(column, "name")), out);
    }
    buffer_append_byte(out, ')');
    return count > 0 || partition != NULL
               ? STATUS_OK
               : change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, columns, error,
                                     "none of the columns is marked `pk: true`, and there is no "
                                     "`partition_by`");
}

/* Refuses what a column of CQL has not. */
static enum status check_column(struct compiler *compiler, const struct change_value *column,
                                struct error *error)
{
    static const char *const fields[] = {"default",    "unique",    "check",
                                         "references", "generated", "comment"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        const struct change_value *at = change_get(column, fields[i]);
        if (at != NULL && at->kind != CHANGE_NULL) {
            return change_builder_fail(&compiler->builder, ERROR_CHANGE_REFUSED, at, error,
                                       "columns of Cassandra have no %s", fields[i]);
        }
    }
    return STATUS_OK;
}

static enum status create_table(struct compiler *compiler, const struct change_value *value,
                                struct error *error)
{
    const struct change_value *columns = change_get(value, "columns");
    const char *name = change_text(value, "name");
    struct buffer text = {0};
    enum status status = keep_free(compiler, change_get(value, "name"), name, error);
    if (status == STATUS_OK && change_get(value, "constraints") != NULL) {
        status =
            change_refuse(compiler, change_get(value, "constraints"), error,
                          "tables of Cassandra have no constraints but their key",
                          "Mark its columns `pk: true`; `partition_by: a, b` where several are the "
                          "partition's.");
    }
    buffer_format(&text, "CREATE TABLE %s (", name_of(compiler, name));
    for (uint32_t i = 0; status == STATUS_OK && i < columns->count; i++) {
        const struct change_value *column = &columns->items[i];
        status = check_column(compiler, column, error);
        buffer_append_string(&text, i > 0 ? ", " : "");
        cql_name_append(named(change_text(column, "name")), &text);
        buffer_format(&text, " %s", change_text(column, "type"));
    }
    status = status == STATUS_OK ? append_key(compiler, value, &text, error) : status;
    if (status == STATUS_OK) {
        buffer_append_byte(&text, ')');
        append_options(compiler, value, " WITH ", &text);
        struct change_step *step = change_add(
            compiler, CHANGE_EXPAND, arena_format(compiler->arena, "create table %s", name),
            taken(compiler, &text),
            arena_format(compiler->arena, "DROP TABLE IF EXISTS %s", name_of(compiler, name)));
        step->stands = count_of(compiler, "tables", "table_name", name);
        change_builder_way(&compiler->builder, "made at the start", NULL);
    }
    buffer_free(&text);
    return status;
}

static enum status drop_table(struct compiler *compiler, const struct change_value *value,
                              struct error *error)
{
    const struct cassandra_table *table;
    const char *name = change_text(value, "name");
    if (find_table(compiler, change_get(value, "name"), name, &table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    change_add(compiler, CHANGE_CONTRACT, arena_format(compiler->arena, "drop table %s", name),
               arena_format(compiler->arena, "DROP TABLE IF EXISTS %s", name_of(compiler, name)),
               NULL);
    change_builder_way(&compiler->builder, "dropped by `complete`", NULL);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- columns */

static enum status add_column(struct compiler *compiler, const struct change_value *value,
                              struct error *error)
{
    const struct change_value *column = change_get(value, "column");
    const char *name = change_text(column, "name");
    const struct cassandra_table *table;
    if (find_table(compiler, change_get(value, "table"), change_text(value, "table"), &table,
                   error) != STATUS_OK ||
        check_column(compiler, column, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (cassandra_column_find(table, name, strlen(name)) >= 0) {
        return change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, column, error,
                                   "table '%s' has a column '%s' already", table->name, name);
    }
    if (change_is_true(column, "pk")) {
        return change_refuse(
            compiler, column, error, "a table's key is its own for good",
            "Make another table, and copy with `transhume migrate --follow` and a plan.");
    }
    if (change_get(value, "up") != NULL) {
        return change_refuse(
            compiler, change_get(value, "up"), error,
            "Cassandra has no triggers that would fill the column while the old version "
            "writes",
            "Leave `up` out, let the application write both, and fill the rest by a plan "
            "of `transhume migrate`.");
    }
    const char *quoted = name_of(compiler, table->name);
    struct change_step *step = change_add(
        compiler, CHANGE_EXPAND,
        arena_format(compiler->arena, "add column %s.%s", table->name, name),
        arena_format(compiler->arena, "ALTER TABLE %s ADD %s %s", quoted, name_of(compiler, name),
                     change_text(column, "type")),
        arena_format(compiler->arena, "ALTER TABLE %s DROP %s", quoted, name_of(compiler, name)));
    step->stands = count_of_column(compiler, table->name, name);
    change_builder_way(&compiler->builder, "in place", NULL);
    return STATUS_OK;
}

/* A query that counts 1 once the column was dropped since now: a column of that name may have been
 * dropped before. */
static enum status count_of_drops(struct compiler *compiler, const char *table, const char *column,
                                  const char **query, struct error *error)
{
    const char *before;
    const char *where = arena_format(
        compiler->arena,
        "FROM system_schema.dropped_columns WHERE keyspace_name = %s AND table_name = %s AND "
        "column_name = %s",
        literal(compiler, compiler->cassandra->keyspace), literal(compiler, table),
        literal(compiler, column));
    if (cassandra_alter.ask(
            compiler->session,
            arena_format(compiler->arena, "SELECT toUnixTimestamp(dropped_time) %s", where),
            compiler->arena, &before, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *query =
        arena_format(compiler->arena, "SELECT count(*) %s AND dropped_time > %s ALLOW FILTERING",
                     where, before != NULL ? before : "0");
    return STATUS_OK;
}

static enum status drop_column(struct compiler *compiler, const struct change_value *value,
                               struct error *error)
{
    const struct cassandra_table *table;
    const struct cassandra_column *column;
    if (find_column(compiler, value, "column", &table, &column, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (column->part == CASSANDRA_PARTITION || column->part == CASSANDRA_CLUSTERING) {
        return change_refuse(
            compiler, change_get(value, "column"), error,
            "it is of the table's key, which is its own for good",
            "Make another table, and copy with `transhume migrate --follow` and a plan.");
    }
    if (change_get(value, "down") != NULL) {
        return change_refuse(
            compiler, change_get(value, "down"), error,
            "Cassandra has no triggers that would fill the column for the old version",
            "Leave `down` out: the application writes it as long as the old version "
            "runs.");
    }
    const char *dropped;
    if (count_of_drops(compiler, table->name, column->name, &dropped, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct change_step *step =
        change_add(compiler, CHANGE_CONTRACT,
                   arena_format(compiler->arena, "drop column %s.%s", table->name, column->name),
                   arena_format(compiler->arena, "ALTER TABLE %s DROP %s",
                                name_of(compiler, table->name), name_of(compiler, column->name)),
                   NULL);
    step->stands = dropped;
    change_builder_way(&compiler->builder, "dropped by `complete`", NULL);
    return STATUS_OK;
}

static enum status rename_to(struct compiler *compiler, const struct change_value *value,
                             const char *key, const struct change_value *to, struct error *error)
{
    const struct cassandra_table *table;
    const struct cassandra_column *column;
    if (find_column(compiler, value, key, &table, &column, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (column->part != CASSANDRA_PARTITION && column->part != CASSANDRA_CLUSTERING) {
        return change_refuse(
            compiler, change_get(value, key), error, "Cassandra renames columns of the key alone",
            "Add a column of the new name, let the application write both, copy with a "
            "plan of `transhume migrate`, and drop the old one.");
    }
    const char *old = name_of(compiler, column->name);
    const char *new = name_of(compiler, to->text);
    const char *quoted = name_of(compiler, table->name);
    struct change_step *step = change_add(
        compiler, CHANGE_SWITCH_WRITES,
        arena_format(compiler->arena, "rename column %s.%s to %s", table->name, column->name,
                     to->text),
        arena_format(compiler->arena, "ALTER TABLE %s RENAME %s TO %s", quoted, old, new),
        arena_format(compiler->arena, "ALTER TABLE %s RENAME %s TO %s", quoted, new, old));
    step->stands = count_of_column(compiler, table->name, to->text);
    change_builder_way(&compiler->builder, "in place, by `switch writes`",
                       "from that moment on the old version's statements fail");
    return STATUS_OK;
}

static enum status rename_column(struct compiler *compiler, const struct change_value *value,
                                 struct error *error)
{
    return rename_to(compiler, value, "from", change_get(value, "to"), error);
}

static enum status alter_column(struct compiler *compiler, const struct change_value *value,
                                struct error *error)
{
    const struct change_value *name = change_get(value, "name");
    if (name != NULL && change_get(value, "type") == NULL) {
        return rename_to(compiler, value, "column", name, error);
    }
    return change_refuse(
        compiler, NULL, error, "types of Cassandra's columns are theirs for good",
        "Add a column of the new type, let the application write both, copy with a plan "
        "of `transhume migrate`, and drop the old one.");
}

/* ---------------------------------------------------------------- indexes and views */

static void await_built(struct compiler *compiler, const char *what, const char *name)
{
    struct change_step *step =
        change_builder_step(&compiler->builder, CHANGE_PROVE,
                            arena_format(compiler->arena, "wait until %s %s is built", what, name));
    step->kind = CHANGE_BATCHES;
    step->language = ALTER_CQL;
    step->text =
        strcmp(what, "index") == 0
            ? arena_format(compiler->arena,
                           "SELECT count(*) FROM system.\"IndexInfo\" WHERE table_name = %s AND "
                           "index_name = %s",
                           literal(compiler, compiler->cassandra->keyspace),
                           literal(compiler, name))
            : arena_format(compiler->arena,
                           "SELECT count(*) FROM system.built_views WHERE keyspace_name = %s AND "
                           "view_name = %s",
                           literal(compiler, compiler->cassandra->keyspace),
                           literal(compiler, name));
    change_builder_way(&compiler->builder, "built beside reads and writes", NULL);
}

static enum status create_index(struct compiler *compiler, const struct change_value *value,
                                struct error *error)
{
    const struct change_value *columns = change_get(value, "columns");
    const char *name = change_text(value, "name");
    const char *method = change_text(value, "method");
    const char *options = change_text(value, "storage_parameters");
    const struct cassandra_table *table;
    if (find_table(compiler, change_get(value, "table"), change_text(value, "table"), &table,
                   error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (columns->count != 1 || change_is_true(value, "unique") ||
        change_get(value, "predicate") != NULL || change_get(value, "include") != NULL) {
        return change_refuse(compiler, columns, error,
                             "an index of Cassandra is of one column, of all rows, and not unique",
                             NULL);
    }
    const char *column = change_text(&columns->items[0], "column");
    const char *expression = change_text(&columns->items[0], "expression");
    struct buffer text = {0};
    buffer_format(&text, "CREATE %sINDEX %s ON %s (%s)", method != NULL ? "CUSTOM " : "",
                  name_of(compiler, name), name_of(compiler, table->name),
                  column != NULL ? name_of(compiler, column) : expression);
    if (method != NULL) {
        buffer_format(&text, " USING %s", literal(compiler, method));
    }
    if (options != NULL) {
        buffer_format(&text, " WITH OPTIONS = %s", options);
    }
    struct change_step *step = change_add(
        compiler, CHANGE_EXPAND, arena_format(compiler->arena, "create index %s", name),
        taken(compiler, &text),
        arena_format(compiler->arena, "DROP INDEX IF EXISTS %s", name_of(compiler, name)));
    step->stands = arena_format(compiler->arena, "%s AND index_name = %s",
                                count_of(compiler, "indexes", "table_name", table->name),
                                literal(compiler, name));
    await_built(compiler, "index", name);
    return STATUS_OK;
}

static enum status drop_index(struct compiler *compiler, const struct change_value *value,
                              struct error *error)
{
    (void)error;
    const char *name = change_text(value, "name");
    change_add(compiler, CHANGE_CONTRACT, arena_format(compiler->arena, "drop index %s", name),
               arena_format(compiler->arena, "DROP INDEX IF EXISTS %s", name_of(compiler, name)),
               NULL);
    change_builder_way(&compiler->builder, "dropped by `complete`", NULL);
    return STATUS_OK;
}

static enum status create_view(struct compiler *compiler, const struct change_value *value,
                               struct error *error)
{
    const char *name = change_text(value, "name");
    if (keep_free(compiler, change_get(value, "name"), name, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct buffer text = {0};
    buffer_format(&text, "CREATE MATERIALIZED VIEW %s AS %s", name_of(compiler, name),
                  change_text(value, "as"));
    append_options(compiler, value, " WITH ", &text);
    struct change_step *step = change_add(
        compiler, CHANGE_EXPAND, arena_format(compiler->arena, "create materialised view %s", name),
        taken(compiler, &text),
        arena_format(compiler->arena, "DROP MATERIALIZED VIEW IF EXISTS %s",
                     name_of(compiler, name)));
    step->stands = count_of(compiler, "views", "view_name", name);
    await_built(compiler, "view", name);
    return STATUS_OK;
}

static enum status drop_view(struct compiler *compiler, const struct change_value *value,
                             struct error *error)
{
    (void)error;
    const char *name = change_text(value, "name");
    change_add(compiler, CHANGE_CONTRACT,
               arena_format(compiler->arena, "drop materialised view %s", name),
               arena_format(compiler->arena, "DROP MATERIALIZED VIEW IF EXISTS %s",
                            name_of(compiler, name)),
               NULL);
    change_builder_way(&compiler->builder, "dropped by `complete`", NULL);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all operations */

static enum status run_text(struct compiler *compiler, const struct change_value *value,
                            struct error *error)
{
    (void)error;
    bool late = change_is_true(value, "on_complete");
    const char *down = change_text(value, "down");
    change_add(compiler, late ? CHANGE_CONTRACT : CHANGE_EXPAND, "run a statement",
               change_text(value, "up"), down != NULL && down[0] != '\0' ? down : NULL);
    change_builder_way(&compiler->builder, late ? "as it is, by `complete`" : "as it is",
                       "whether it may be run again after a crash is not known");
    return STATUS_OK;
}

static const struct {
    const char *kind;
    compile_operation *compile;
} operations[] = {{"create_table", create_table}, {"drop_table", drop_table},
                  {"set_table", set_table},       {"add_column", add_column},
                  {"drop_column", drop_column},   {"rename_column", rename_column},
                  {"alter_column", alter_column}, {"create_index", create_index},
                  {"drop_index", drop_index},     {"create_view", create_view},
                  {"drop_view", drop_view},       {"sql", run_text}};

static enum status compile_one(struct compiler *compiler, struct error *error)
{
    for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
        if (strcmp(operations[i].kind, compiler->operation->kind) == 0) {
            return operations[i].compile(compiler, &compiler->operation->value, error);
        }
    }
    return change_refuse(
        compiler, NULL, error, "Cassandra has nothing like it",
        "Rows move into tables of another shape by a plan of `transhume migrate`.");
}

static enum status change_compile(struct alter_session *session, const struct change *change,
                                  struct arena *arena, struct change_plan *plan,
                                  struct error *error)
{
    struct compiler compiler = {.builder = {.arena = arena, .change = change},
                                .session = session,
                                .cassandra = cassandra_of(session->database),
                                .arena = arena};
    for (uint32_t i = 0; i < change->count; i++) {
        compiler.builder.number = i;
        compiler.operation = &change->operations[i];
        if (compile_one(&compiler, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    change_builder_end(&compiler.builder, plan);
    return STATUS_OK;
}

/* Waits: asked again and again, it is done once the node has built it. */
static enum status change_batch(struct alter_session *session, const struct change_step *step,
                                const char *position, uint64_t rows, struct arena *arena,
                                struct change_batch *batch, struct error *error)
{
    const char *answer;
    (void)rows;
    if (cassandra_alter.ask(session, step->text, arena, &answer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool built = answer != NULL && strcmp(answer, "1") == 0;
    *batch = (struct change_batch){.position = built ? NULL : "builds"};
    if (!built && position != NULL) {
        clock_sleep_ms(BUILD_POLL_MS);
    }
    return STATUS_OK;
}

const struct change_functions cassandra_change = {.compile = change_compile, .batch = change_batch};
