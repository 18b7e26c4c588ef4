/* Making and removing indexes: an intent in the ledger, the index with the run in its mapping, then
 * which index it is. */
#include "connectors/keyed/tables.h"
#include "connectors/opensearch/opensearch.h"

#include "base/failpoint.h"
#include "base/log.h"

/* ---------------------------------------------------------------- making */

enum status opensearch_find_one(struct opensearch_database *self, const char *table,
                                struct arena *arena, struct opensearch_index **index,
                                struct error *error)
{
    uint32_t count = 0;
    enum status status = opensearch_describe(self, table, arena, index, &count, error);
    if (status == STATUS_OK && count > 1) {
        error_set(error, ERROR_TARGET_SCHEMA, table, "it is an alias of %u indexes",
                  (unsigned)count);
        return error_hint(error, "an alias of one index can be written");
    }
    return status;
}

static enum status create_index(struct opensearch_database *self, const struct target_table *table,
                                struct arena *arena, struct error *error)
{
    struct buffer body = {0};
    const struct opensearch_request request = {.operation = "PUT INDEX",
                                               .object = table->name,
                                               .method = "PUT",
                                               .path =
                                                   opensearch_path(self, arena, table->name, "")};
    opensearch_create_append(self, table, self->keyed.room.run_id, &body);
    enum status status =
        opensearch_control_write(self, &request, &body, OPENSEARCH_FAULT_EXISTS, NULL, error);
    return status == STATUS_FAILED && error->class == ERROR_CLASS_STOP &&
                   error->code == ERROR_TARGET_WRITE
               ? error_recode(error, ERROR_TARGET_SCHEMA)
               : status;
}

static bool is_of_run(const struct opensearch_database *self, const struct opensearch_index *index)
{
    return index->run != NULL && strcmp(index->run, self->keyed.room.run_id) == 0;
}

static enum status table_look(struct database *database, const struct target_table *table,
                              struct arena *arena, struct keyed_there *there, struct error *error)
{
    struct opensearch_index *index = NULL;
    enum status status =
        opensearch_find_one(opensearch_of(database), table->name, arena, &index, error);
    if (status == STATUS_OK) {
        *there = (struct keyed_there){.exists = true, .id = index->uuid, .facts = index};
    }
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status make_table(struct database *database, const struct target_table *table,
                              const struct keyed_there *there, bool again, struct arena *arena,
                              const char **id, struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    struct opensearch_index *index = NULL;
    (void)there;
    (void)again;
    if (create_index(self, table, arena, error) != STATUS_OK ||
        failpoint_hit("opensearch.after_index", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = opensearch_find_one(self, table->name, arena, &index, error);
    if (status != STATUS_OK || !is_of_run(self, index)) {
        return status == STATUS_FAILED
                   ? status
                   : error_set(error, ERROR_TARGET_SCHEMA, table->name,
                               "somebody else has made or deleted the index meanwhile");
    }
    if (index->lacking != NULL) { /* by a template of the server */
        error_set(error, ERROR_TARGET_SCHEMA, table->name, "the index was made, and %s",
                  index->lacking);
        return error_hint(error, "look at the server's index templates; `transhume rollback` "
                                 "deletes the index");
    }
    *id = index->uuid != NULL ? index->uuid : "";
    return STATUS_OK;
}

static enum status use_table(struct database *database, const struct target_table *table,
                             const struct keyed_there *there, struct arena *arena,
                             struct error *error)
{
    (void)there;
    return table->created ? STATUS_OK
                          : opensearch_suspend(opensearch_of(database), table->name, arena, error);
}

/* Its mapping says so. */
static enum status is_ours(struct database *database, const struct target_table *table,
                           const struct keyed_there *there, bool going, bool *ours,
                           struct error *error)
{
    (void)table;
    (void)going;
    (void)error;
    *ours = is_of_run(opensearch_of(database), there->facts);
    return STATUS_OK;
}

/* One that was deleted comes again, without its mapping, with the next document that is written. */
static bool is_the_same(const struct opensearch_index *index, const char *uuid)
{
    return index->uuid == NULL || strcmp(index->uuid, uuid) == 0;
}

/* ---------------------------------------------------------------- fields that come later */

/* The table with these of its columns alone. */
static struct target_table of_columns(const struct target_table *table, struct column_list columns,
                                      struct arena *arena)
{
    struct target_table made = *table;
    struct schema_column *kept =
        arena_allocate_zeroed(arena, table->column_count + (size_t)1, sizeof(*kept));
    made.columns = kept;
    made.column_count = 0;
    for (uint32_t at = 0; at < table->column_count; at++) {
        if (column_list_holds(columns, table->columns[at].name)) {
            kept[made.column_count++] = table->columns[at];
        }
    }
    return made;
}

/* In an index of a run's own the note says of all fields what their values are. */
enum status opensearch_add_columns(struct database *database, const struct target_table *table,
                                   struct column_list columns, struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    struct arena *arena = arena_create(0);
    struct opensearch_index *index = NULL;
    struct buffer body = {0};
    enum status status = opensearch_find_one(self, table->name, arena, &index, error);
    if (status == STATUS_OK) {
        const struct target_table added = of_columns(table, columns, arena);
        const struct opensearch_request request = {
            .operation = "PUT MAPPING",
            .object = table->name,
            .method = "PUT",
            .path = opensearch_path(self, arena, table->name, "/_mapping")};
        opensearch_fields_append(self, index->run != NULL ? table : &added, index->run, &body);
        status =
            opensearch_control_write(self, &request, &body, OPENSEARCH_FAULT_NONE, NULL, error);
    } else if (status == STATUS_END) {
        status = keyed_table_lost(table->name, false, error);
    }
    arena_destroy(arena);
    return status == STATUS_FAILED && error->class == ERROR_CLASS_STOP &&
                   error->code == ERROR_TARGET_WRITE
               ? error_recode(error, ERROR_TARGET_SCHEMA)
               : status;
}

/* "PUT /index {…}" for each; the run, which is not known before it begins, stands as RUN. */
enum status opensearch_script(struct database *database, const struct script_request *request,
                              struct script *script, struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    (void)error;
    for (uint32_t at = 0; at < request->table_count; at++) {
        const struct target_table *table = &request->tables[at];
        struct buffer body = {0};
        struct buffer text = {0};
        if (request->missing[at]) {
            opensearch_create_append(self, table, "RUN", &body);
            buffer_format(&text, "PUT %s %s", opensearch_path(self, script->arena, table->name, ""),
                          buffer_string(&body));
            buffer_free(&body);
            script_add(script, SCRIPT_BEFORE_LOAD, "index", table->name, &text);
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- after the load */

static enum status finish_table(struct opensearch_database *self, const struct target_table *table,
                                struct arena *arena, struct error *error)
{
    struct opensearch_index *index = NULL;
    enum keyed_made made = KEYED_MADE_NOT;
    const char *uuid = NULL;
    enum status status = opensearch_find_one(self, table->name, arena, &index, error);
    if (status == STATUS_FAILED ||
        keyed_made_read(&self->keyed.room, table->name, arena, &made, &uuid, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (made == KEYED_MADE_DONE && (status == STATUS_END || !is_the_same(index, uuid))) {
        return keyed_table_lost(table->name, status == STATUS_OK, error);
    }
    return opensearch_resume(self, table, error);
}

enum status opensearch_after_load(struct database *database, struct after_load_request *request,
                                  struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < request->table_count && status == STATUS_OK; at++) {
        arena_reset(arena);
        status = finish_table(opensearch_of(database), &request->tables[at], arena, error);
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- removing */

static enum status delete_index(struct opensearch_database *self, const char *name,
                                struct error *error)
{
    struct buffer path = {0};
    buffer_append_byte(&path, '/');
    opensearch_append_encoded(&path, name, strlen(name));
    const struct opensearch_request request = {.operation = "DELETE INDEX",
                                               .object = name,
                                               .method = "DELETE",
                                               .path = buffer_string(&path)};
    enum status status =
        opensearch_control_write(self, &request, NULL, OPENSEARCH_FAULT_MISSING, NULL, error);
    buffer_free(&path);
    return status;
}

static enum status drop_table(struct database *database, const struct target_table *table,
                              const struct keyed_there *there, enum keyed_made made,
                              struct error *error)
{
    const struct opensearch_index *index = there->facts;
    (void)made;
    if (!is_of_run(opensearch_of(database), index)) { /* some servers tell no identity */
        log_write(LOG_WARNING, "table %s: its index is another one by now, and stays", table->name);
        return STATUS_OK;
    }
    return delete_index(opensearch_of(database), index->name, error);
}

const struct keyed_tables opensearch_tables = {.look = table_look,
                                               .make = make_table,
                                               .use = use_table,
                                               .is_ours = is_ours,
                                               .drop = drop_table,
                                               .clear = opensearch_empty_table};

const struct rollback_functions opensearch_rollback = {
    .remove_table = keyed_remove_table,
    .remove_objects = opensearch_remove_objects,
};
