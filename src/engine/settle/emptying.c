/* Which tables a run empties, the list of their keys, and the emptying itself. */
#include "engine/settle/emptying.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/signals.h"
#include "engine/formats/typed_json.h"
#include "engine/rejects/rejects.h"
#include "engine/rollback/undo.h"
#include "engine/settle/repair_delete.h"
#include "engine/state/claim.h"
#include "model/json_writer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { LIST_ROWS = 1000, LIST_BYTES = 1 << 20 };

/* ---------------------------------------------------------------- may it be done */

static bool has_transactions(const struct run_session *session)
{
    return (session->target->capabilities & CAPABILITY_TRANSACTIONS) != 0;
}

static bool same_name(const struct run_session *session, const char *left, const char *right)
{
    bool folds = (session->target->capabilities & CAPABILITY_FOLDED_NAMES) != 0;
    return (folds ? strcasecmp(left, right) : strcmp(left, right)) == 0;
}

static bool is_emptied(const struct run_session *session, const char *table)
{
    const struct plan *plan = session->plan;
    for (uint32_t i = 0; i < plan->table_count; i++) {
        if (plan->tables[i].target.empties &&
            same_name(session, plan->tables[i].target.name, table)) {
            return true;
        }
    }
    return false;
}

/* Another table whose rows refer to this one's, and stay. NULL: none. */
static const char *find_referrer(const struct run_session *session, const char *table)
{
    const struct schema *there = session->there;
    for (uint32_t i = 0; there != NULL && i < there->table_count; i++) {
        const struct schema_table *other = &there->tables[i];
        for (uint32_t k = 0; k < other->foreign_key_count; k++) {
            if (same_name(session, other->foreign_keys[k].references, table) &&
                !is_emptied(session, other->name)) {
                return other->name;
            }
        }
    }
    return NULL;
}

/* Without images nothing can be put back. */
static bool refuse_unkept(const struct run_session *session, const struct target_table *table,
                          struct error *problem)
{
    const struct rollback_functions *rollback = session->target->connector->rollback;
    if (session->options.making.no_before_images || (rollback != NULL && rollback->undoes_all)) {
        return false;
    }
    if (rollback != NULL && table->key.count > 0) {
        return false;
    }
    error_set(problem, ERROR_TARGET_NOT_EMPTY, table->name,
              "what `existing: truncate` deletes can't be kept for a rollback: %s",
              rollback == NULL ? "this target has none" : "the table has no key");
    error_hint(problem, "--no-before-images deletes it for good");
    return true;
}

bool emptying_refuse(const struct run_session *session, uint32_t number, struct error *problem)
{
    const struct target_table *table = &session->plan->tables[number].target;
    const struct target_functions *target = session->target->connector->target;
    const char *referrer = find_referrer(session, table->name);
    if (target->delete_records == NULL || session->target->connector->source == NULL) {
        error_set(problem, ERROR_TARGET_NOT_EMPTY, table->name,
                  "there are records in it, and %s can't delete them for `existing: truncate`",
                  session->target->connector->title);
        error_hint(problem, "empty it yourself, or name an empty target");
        return true;
    }
    if (referrer != NULL) {
        error_set(
            problem, ERROR_TARGET_NOT_EMPTY, table->name,
            "a foreign key of %s refers to it, whose records stay: `existing: truncate` would "
            "leave them without a partner",
            referrer);
        error_hint(problem, "truncate both, or leave this one out with --exclude");
        return true;
    }
    if (table->key.count == 0 && !has_transactions(session)) {
        error_set(problem, ERROR_TARGET_NOT_EMPTY, table->name,
                  "`existing: truncate` deletes records by their key, and it has none");
        error_hint(problem, "empty it yourself, or give it a key");
        return true;
    }
    if (refuse_unkept(session, table, problem)) {
        return true;
    }
    if (session->options.confirmed || session->options.command != RUN_BEGIN) {
        return false;
    }
    error_set(problem, ERROR_TARGET_NOT_EMPTY, table->name,
              "there are records in it, which `existing: truncate` deletes");
    error_hint(problem, "say --confirm if that is wanted; `transhume check` shows how many there "
                        "are");
    return true;
}

enum status emptying_tell(const struct run_session *session, const struct ledger_table *decided,
                          struct buffer *out, struct error *error)
{
    struct database *target = session->target;
    const struct plan *plan = session->plan;
    if (session->options.selection.parts == PARTS_SCHEMA) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < plan->table_count; i++) {
        const struct target_table *table = &plan->tables[i].target;
        uint64_t count = 0;
        if (!table->empties || decided[i].was != LEDGER_WAS_FILLED) {
            continue;
        }
        if (target->connector->target->count(target, table, &count, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        bool kept = !session->options.making.no_before_images &&
                    undo_keeps_deleted(target, &plan->tables[i].target);
        buffer_format(out, "%s: `existing: truncate` deletes its %" PRIu64 " record%s first%s\n",
                      table->name, count, count == 1 ? "" : "s",
                      kept ? "; rollback puts them back" : ", for good");
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the list */

struct listing {
    struct run *run;
    const struct target_table *table;
    const struct shape *key; /* the key's fields */
    bool documents;
    struct database *source; /* the target, opened for reading */
    struct schema *schema;
    FILE *file;
    const char *path;
    uint64_t count;
};

static enum status cant_write(const struct listing *listing, struct error *error)
{
    return error_set_errno(error, ERROR_STATE_WRITE, errno, listing->path,
                           "can't write the list of records to delete");
}

static const struct shape *key_shape(const struct target_table *table, struct arena *arena)
{
    struct shape_field *fields =
        arena_allocate_zeroed(arena, table->key.count + 1u, sizeof(*fields));
    struct shape *shape = arena_allocate_zeroed(arena, 1, sizeof(*shape));
    for (uint32_t i = 0; i < table->key.count; i++) {
        fields[i].name = table->key.names[i];
        fields[i].name_length = (uint32_t)strlen(table->key.names[i]);
    }
    *shape = (struct shape){.name = table->name, .fields = fields, .field_count = table->key.count};
    return shape;
}

static enum status put_record(struct listing *listing, const struct cell *row, struct error *error)
{
    struct database *target = listing->run->session->target;
    struct arena *arena = arena_create(0);
    struct buffer line = {0};
    uint32_t width = listing->key->field_count;
    struct cell *key = arena_allocate_zeroed(arena, width + 1u, sizeof(*key));
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < width && status == STATUS_OK; i++) {
        const struct cell *cell =
            listing->documents ? value_field(row, listing->key->fields[i].name) : &row[i];
        if (cell == NULL || cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING) {
            status = error_set(error, ERROR_TARGET_NOT_EMPTY, listing->table->name,
                               "a record in it has no %s, and can't be deleted by its key",
                               listing->key->fields[i].name);
            error_hint(error, "nothing was changed; delete that record by hand");
            break;
        }
        status = target->connector->target->normal_form(target, cell, arena, &key[i], error);
    }
    if (status == STATUS_OK) {
        buffer_append_string(&line, "{\"table\":");
        json_append_string(&line, listing->table->name, strlen(listing->table->name));
        buffer_append_string(&line, ",\"key\":");
        status = typed_json_append_record(listing->key, key, NULL, &line, error);
        buffer_append_string(&line, "}\n");
    }
    if (status == STATUS_OK && fwrite(line.data, 1, line.length, listing->file) != line.length) {
        status = cant_write(listing, error);
    }
    listing->count += status == STATUS_OK;
    buffer_free(&line);
    arena_destroy(arena);
    return status;
}

static enum status refuse_unreadable(const struct listing *listing, struct error *error)
{
    error_set(error, ERROR_TARGET_NOT_EMPTY, listing->table->name,
              "a record in it can't be read, so `existing: truncate` can't delete it");
    return error_hint(error, "nothing was changed; delete that record by hand");
}

static enum status put_all(struct listing *listing, struct cursor *cursor, struct error *error)
{
    const struct source_functions *functions = listing->source->connector->source;
    struct batch *batch = NULL;
    enum status status;
    while ((status = functions->cursor_next(cursor, LIST_ROWS, LIST_BYTES, &batch, error)) ==
           STATUS_OK) {
        status = batch->refused_count > 0 ? refuse_unreadable(listing, error) : STATUS_OK;
        for (uint32_t i = 0; i < batch->row_count && status == STATUS_OK; i++) {
            status = put_record(listing, batch_row(batch, i), error);
        }
        batch_destroy(batch);
        if (status == STATUS_OK && signals_stop_level() > 0) {
            status = error_set(error, ERROR_INTERRUPTED, listing->table->name,
                               "stopped on request before anything was deleted");
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    return status == STATUS_END ? STATUS_OK : status;
}

/* A request of the key alone; documents come whole. */
static enum status make_request(const struct listing *listing, struct arena *arena,
                                struct read_request *request, struct error *error)
{
    const struct schema_table *actual =
        session_target_table(listing->run->session, listing->schema, listing->table->name);
    uint32_t width = listing->key->field_count;
    if (actual == NULL) {
        return error_set(error, ERROR_TARGET_SCHEMA, listing->table->name,
                         "the table can't be read: it went while the run began");
    }
    struct read_column *columns = arena_allocate_zeroed(arena, width + 1u, sizeof(*columns));
    *request = (struct read_request){.name = actual->name, .table = actual->name};
    if (listing->documents) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < width; i++) {
        const char *name = listing->key->fields[i].name;
        for (uint32_t k = 0; k < actual->column_count; k++) {
            if (strcasecmp(actual->columns[k].name, name) == 0 &&
                (columns[i].name == NULL || strcmp(actual->columns[k].name, name) == 0)) {
                columns[i] = (struct read_column){.join = -1, .name = actual->columns[k].name};
            }
        }
        if (columns[i].name == NULL) {
            return error_set(error, ERROR_TARGET_SCHEMA, actual->name,
                             "it has no column %s, which its key is made of", name);
        }
    }
    request->columns = columns;
    request->column_count = width;
    return STATUS_OK;
}

static enum status list_opened(struct listing *listing, struct arena *arena, struct error *error)
{
    const struct source_functions *functions = listing->source->connector->source;
    struct read_request request;
    const struct read_request *requests[] = {&request};
    struct reader *reader = NULL;
    struct cursor *cursor = NULL;
    const char *token;
    listing->documents = (listing->source->capabilities & CAPABILITY_FREE_FIELDS) != 0 &&
                         (listing->source->capabilities & CAPABILITY_SQL_SCHEMA) == 0;
    if (make_request(listing, arena, &request, error) != STATUS_OK ||
        functions->snapshot(listing->source, 1, arena, &token, error) != STATUS_OK ||
        functions->prepare(listing->source, requests, 1, NULL, error) != STATUS_OK ||
        functions->reader_open(listing->source, &reader, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = functions->cursor_open(reader, &request, NULL, &cursor, error);
    if (status == STATUS_OK) {
        status = put_all(listing, cursor, error);
        functions->cursor_close(cursor);
    }
    functions->reader_close(reader);
    return status;
}

static enum status list_table(struct listing *listing, const struct target_table *table,
                              struct error *error)
{
    const char *names[] = {table->name, NULL};
    struct arena *arena = arena_create(0);
    listing->table = table;
    listing->key = key_shape(table, arena);
    listing->source = NULL;
    listing->schema = NULL;
    enum status status = session_describe_target(listing->run->session, names, &listing->source,
                                                 &listing->schema, error);
    status = status == STATUS_OK ? list_opened(listing, arena, error) : status;
    if (listing->schema != NULL) {
        arena_destroy(listing->schema->arena);
    }
    if (listing->source != NULL) {
        listing->source->connector->close(listing->source);
    }
    arena_destroy(arena);
    return status;
}

/* At once and for good, or by a list. */
static bool goes_whole(const struct run *run, uint32_t number)
{
    return !run->tables[number].keeps_undo && has_transactions(run->session);
}

static enum status make_list(struct run *run, struct error *error)
{
    struct listing listing = {.run = run};
    listing.path = file_join(run->arena, run->folder.path, "delete.jsonl");
    unlink(listing.path);
    int file = file_open(listing.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    listing.file = file < 0 ? NULL : fdopen(file, "w");
    if (listing.file == NULL) {
        return cant_write(&listing, error);
    }
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < run->table_count && status == STATUS_OK; i++) {
        if (run->header.tables[i].empties && !goes_whole(run, i)) {
            status = list_table(&listing, &run->tables[i], error);
        }
    }
    bool failed = fflush(listing.file) != 0 || file_sync(fileno(listing.file)) != 0;
    failed = fclose(listing.file) != 0 || failed;
    return status == STATUS_OK && failed ? cant_write(&listing, error) : status;
}

/* ---------------------------------------------------------------- a run that begins */

enum status emptying_begin(struct run *run, struct error *error)
{
    const struct run_session *session = run->session;
    char hex[33];
    uint64_t lines;
    uint64_t bytes;
    bool any = false;
    bool kept = true;
    if (run->loads_rejects || session->options.selection.parts == PARTS_SCHEMA) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < run->header.table_count; i++) {
        struct ledger_table *table = &run->header.tables[i];
        table->empties = run->tables[i].empties && table->was == LEDGER_WAS_FILLED;
        bool keeps = undo_keeps_deleted(session->target, &run->tables[i]);
        if (table->empties && !keeps && !session->options.making.no_before_images) {
            error_set(error, ERROR_TARGET_NOT_EMPTY, run->tables[i].name,
                      "what `existing: truncate` deletes can't be kept for a rollback");
            return error_hint(error, "--no-before-images deletes it for good; nothing was changed");
        }
        any = any || table->empties;
        kept = kept && (!table->empties || keeps);
    }
    if (!any) {
        return STATUS_OK;
    }
    if (make_list(run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = rejects_measure(file_join(run->arena, run->folder.path, "delete.jsonl"),
                                         hex, &lines, &bytes, error);
    run->header.takes_out = true;
    run->header.keeps_taken = kept;
    run->header.delete_hash = arena_copy_string(run->arena, hex);
    return status == STATUS_END ? error_set(error, ERROR_STATE_INVALID, run->folder.path,
                                            "the list of records to delete vanished")
                                : status;
}

/* ---------------------------------------------------------------- the emptying */

static enum status empty_whole(struct run *run, struct error *error)
{
    struct database *target = run->session->target;
    const struct target_table **tables =
        arena_allocate_zeroed(run->arena, run->table_count + 1u, sizeof *tables);
    uint32_t count = 0;
    struct retry retry;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < run->header.table_count; i++) {
        if (run->header.tables[i].empties && goes_whole(run, i)) {
            run->tables[i].empties = true;
            tables[count++] = &run->tables[i];
        }
    }
    if (count == 0) {
        return STATUS_OK;
    }
    session_retry_begin(run->session, &retry);
    do {
        status = claim_still_holds(run, error);
        status = status == STATUS_OK
                     ? target->connector->target->empty(target, tables, count, error)
                     : status;
    } while (session_tries_again(&retry, &status, error));
    return status == STATUS_END ? error_set(error, ERROR_INTERRUPTED, tables[0]->name,
                                            "stopped on request before it was emptied")
                                : status;
}

/* Is the list here with which the run began? Else it is made again of what is left. */
static enum status find_list(struct run *run, struct error *error)
{
    char hex[33];
    uint64_t lines;
    uint64_t bytes;
    enum status status = rejects_measure(file_join(run->arena, run->folder.path, "delete.jsonl"),
                                         hex, &lines, &bytes, error);
    bool same = status == STATUS_OK && run->header.delete_hash != NULL &&
                strcmp(hex, run->header.delete_hash) == 0;
    return status == STATUS_FAILED || same ? status : make_list(run, error);
}

enum status emptying_run(struct run *run, struct error *error)
{
    struct database *target = run->session->target;
    if (run->loads_rejects || !run->header.takes_out || run->status.deleted) {
        return STATUS_OK;
    }
    target->triggers_off = true;
    enum status status = empty_whole(run, error);
    status = status == STATUS_OK ? find_list(run, error) : status;
    status = status == STATUS_OK ? repair_delete_listed(run, error) : status;
    target->triggers_off = false;
    return status == STATUS_OK ? failpoint_hit("engine.after_emptying", error) : status;
}
