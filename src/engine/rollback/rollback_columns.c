/* Answers of a SQL database's catalogue on a run's tables before they are taken back: are they
 * tables, and do columns that the run does not fill hold something of others? */
#include "engine/ledger/json_text.h"
#include "engine/rollback/rollback_parts.h"
#include "engine/rollback/unfilled.h"
#include <jansson.h>
#include <string.h>

enum status rollback_columns_begin(struct rollback *rollback, struct error *error)
{
    const struct connector *connector = rollback->session.target->connector;
    struct database *source = NULL;
    enum status status = STATUS_OK;
    if (rollback_is_of_sql(rollback) && connector->catalog != NULL && connector->source != NULL) {
        status = rollback_describe(rollback, 0, rollback->run.header.table_count,
                                   rollback->run.arena, &source, &rollback->there, error);
    }
    if (source != NULL) {
        source->connector->close(source);
    }
    return status;
}

void rollback_columns_end(struct rollback *rollback)
{
    if (rollback->there != NULL) {
        arena_destroy(rollback->there->arena);
    }
    rollback->there = NULL;
}

enum status rollback_check_kind(const struct rollback *rollback, uint32_t number,
                                struct error *error)
{
    const char *name = rollback->run.header.tables[number].name;
    const struct schema_table *found =
        rollback->there == NULL ? NULL : schema_find_table(rollback->there, name);
    if (found == NULL || found->kind != SCHEMA_VIEW) {
        return STATUS_OK;
    }
    error_set(error, ERROR_ROLLBACK_REFUSED, name,
              "a view has its name now: the table was dropped or renamed since the run");
    error_hint(error, "give the table its name back, or drop the view: then the rollback continues "
                      "without it, and its records stay where they are");
    return STATUS_FAILED;
}

/* ---- columns that the run does not fill */

struct unfilled {
    const char *table;
    struct arena *arena;
    const json_t *noted;       /* at the run's end; NULL: nothing was */
    struct column_list summed; /* as the catalogue names them now */
    struct column_list others; /* that are not noted */
};

static enum status rollback_columns_refuse(const char *table, const char *before,
                                           const char *columns, const char *after,
                                           struct error *error)
{
    error_set(error, ERROR_ROLLBACK_REFUSED, table, "%s%s%s", before, columns, after);
    error_hint(error, "what others wrote there would be lost: move it away, or drop the column "
                      "(a run with --rollback-keys could be rolled back by key)");
    return STATUS_FAILED;
}

/* Columns that were summed have to be there still. */
static enum status find_summed(struct unfilled *unfilled, const struct schema_table *there,
                               bool *summed, struct error *error)
{
    const json_t *columns = json_object_get(unfilled->noted, "columns");
    const char **names =
        arena_allocate_zeroed(unfilled->arena, json_array_size(columns) + 1, sizeof *names);
    size_t index;
    json_t *name;
    json_array_foreach(columns, index, name)
    {
        const char *text = json_string_value(name);
        int column = text != NULL ? schema_find_column(there, text) : -1;
        if (column < 0) {
            return rollback_columns_refuse(
                unfilled->table, "its column ", text != NULL ? text : "?",
                " is gone: it was dropped or renamed since the run", error);
        }
        names[unfilled->summed.count++] = there->columns[column].name;
        summed[column] = true;
    }
    unfilled->summed.names = names;
    return STATUS_OK;
}

static enum status find_columns(struct unfilled *unfilled, const struct ledger_table *table,
                                const struct schema_table *there, struct error *error)
{
    bool *summed = arena_allocate_zeroed(unfilled->arena, there->column_count + 1u, sizeof *summed);
    struct column_list all = {0};
    if (find_summed(unfilled, there, summed, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    unfilled_list(table, there, unfilled->arena, &all);
    const char **names = arena_allocate_zeroed(unfilled->arena, all.count + 1u, sizeof *names);
    for (uint32_t i = 0; i < all.count; i++) {
        if (!summed[schema_find_column(there, all.names[i])]) {
            names[unfilled->others.count++] = all.names[i];
        }
    }
    unfilled->others.names = names;
    return STATUS_OK;
}

/* The first few names. */
static const char *list_names(const struct unfilled *unfilled, struct buffer *out)
{
    enum { BYTES = 200 };
    for (uint32_t i = 0; i < unfilled->summed.count; i++) {
        bool more = out->length > BYTES;
        buffer_format(out, "%s%s", i > 0 ? ", " : "", more ? "..." : unfilled->summed.names[i]);
        if (more) {
            break;
        }
    }
    return buffer_string(out);
}

static enum status compare_sum(const struct unfilled *unfilled, struct database *target,
                               const struct target_table *table, struct error *error)
{
    const char *before = json_member_text(unfilled->noted, "sum", NULL);
    const char *now = NULL;
    struct buffer names = {0};
    if (before == NULL) {
        return STATUS_OK; /* --no-hashes */
    }
    enum status status = target->connector->rollback->sum_columns(target, table, unfilled->summed,
                                                                  unfilled->arena, &now, error);
    if (status == STATUS_OK && strcmp(before, now) != 0) {
        status = rollback_columns_refuse(
            unfilled->table, "it was changed since, in columns that the run does not fill (",
            list_names(unfilled, &names), ")", error);
    }
    buffer_free(&names);
    return status;
}

static enum status rollback_columns_check(struct unfilled *unfilled,
                                          const struct rollback *rollback, uint32_t number,
                                          const struct schema_table *there, struct error *error)
{
    struct database *target = rollback->session.target;
    const struct ledger_table *table = &rollback->run.header.tables[number];
    const char *found = NULL;
    /* a run that broke off could not note what the table's defaults gave */
    bool trusts = table->was == LEDGER_WAS_EMPTY && !rollback->was_complete;
    if (find_columns(unfilled, table, there, error) != STATUS_OK ||
        compare_sum(unfilled, target, &rollback->tables[number], error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (unfilled->others.count > 0 && target->connector->rollback->find_foreign(
                                          target, &rollback->tables[number], unfilled->others,
                                          trusts, unfilled->arena, &found, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return found == NULL
               ? STATUS_OK
               : rollback_columns_refuse(unfilled->table, "its column ", found,
                                         ", which the run does not fill, holds what others wrote",
                                         error);
}

enum status rollback_check_unfilled(const struct rollback *rollback, uint32_t number,
                                    struct error *error)
{
    const char *name = rollback->run.header.tables[number].name;
    const struct schema_table *there =
        rollback->there == NULL ? NULL
                                : session_target_table(&rollback->session, rollback->there, name);
    if (there == NULL || rollback->session.target->connector->rollback->find_foreign == NULL) {
        return STATUS_OK;
    }
    struct unfilled unfilled = {.table = name,
                                .arena = arena_create(0),
                                .noted = ledger_status_unfilled(&rollback->run.status, name)};
    enum status status = rollback_columns_check(&unfilled, rollback, number, there, error);
    arena_destroy(unfilled.arena);
    return status;
}
