/* Reading the list of keys, and handing them to the target, a table after another. */
#include "engine/settle/repair_delete.h"
#include "connectors/contract/defaults.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/before/before.h"
#include "engine/formats/typed_json.h"
#include "engine/rejects/rejects.h"
#include "engine/rollback/undo.h"
#include "engine/state/claim.h"
#include "engine/state/run_state.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS_BYTES_MAX = 16 << 20 };

struct deleting {
    struct run *run;
    const struct target_table *table; /* that the keys are of; NULL: none yet */
    struct arena *arena;              /* of the keys, emptied with each call */
    struct cell *cells;
    uint32_t width;
    uint32_t count;
    uint32_t max;
    uint64_t deleted;
    struct before *before; /* images of what goes, of targets that keep none; NULL: none yet */
};

/* {"table":TEXT,"key":FIELDS}: names of fields may be like those of typed values. */
static enum status read_line(struct json_reader *reader, enum json_token token, struct arena *arena,
                             struct cell *table, struct cell *key, struct error *error)
{
    static const char *const names[] = {"table", "key"};
    enum status status = token == JSON_TOKEN_OBJECT_BEGIN ? STATUS_OK : STATUS_END;
    for (int i = 0; i < 2 && status == STATUS_OK; i++) {
        status = json_reader_next(reader, &token, error);
        if (status != STATUS_OK) {
            return status;
        }
        if (token != JSON_TOKEN_KEY || reader->length != strlen(names[i]) ||
            memcmp(reader->text, names[i], reader->length) != 0) {
            return STATUS_END;
        }
        status = json_reader_next(reader, &token, error);
        if (status == STATUS_OK) {
            status = i == 0 ? typed_json_read(reader, token, arena, table, error)
                            : typed_json_read_fields(reader, token, arena, key, error);
        }
    }
    return status;
}

enum status repair_delete_parse(const struct run *run, const char *line, size_t length,
                                struct arena *arena, struct cell *name, struct cell *fields,
                                struct error *error)
{
    struct json_reader reader;
    enum json_token token;
    *name = cell_missing();
    *fields = cell_missing();
    json_reader_init(&reader, line, length, JSON_DEPTH_MAX, arena);
    enum status status = json_reader_next(&reader, &token, error);
    if (status == STATUS_OK) {
        status = read_line(&reader, token, arena, name, fields, error);
    }
    if (status == STATUS_FAILED && error->code == ERROR_MEMORY) {
        return STATUS_FAILED;
    }
    return status == STATUS_OK && name->kind == VALUE_TEXT && fields->kind == VALUE_MAP
               ? STATUS_OK
               : error_set(error, ERROR_STATE_INVALID, run->folder.path,
                           "the list of records to delete (delete.jsonl) is damaged");
}

static bool is_of(const struct cell *name, const struct target_table *table)
{
    return name->length == strlen(table->name) &&
           memcmp(name->text, table->name, name->length) == 0;
}

/* ---- of which tables */

static enum status mark_line(const struct run *run, const char *line, size_t length, bool *listed,
                             struct error *error)
{
    struct arena *arena = arena_create(0);
    struct cell name;
    struct cell key;
    enum status status = repair_delete_parse(run, line, length, arena, &name, &key, error);
    for (uint32_t i = 0; status == STATUS_OK && i < run->table_count; i++) {
        listed[i] |= is_of(&name, &run->tables[i]);
    }
    arena_destroy(arena);
    return status;
}

/* `*listed`: a flag a table of the run, in its arena. STATUS_END: there is no list. */
static enum status mark_list(const struct run *run, const char *path, bool **listed,
                             struct error *error)
{
    struct file_lines lines;
    *listed = arena_allocate_zeroed(run->arena, run->table_count + 1u, sizeof(bool));
    enum status status = file_lines_open(&lines, path, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status;
    }
    while (status == STATUS_OK && (status = file_lines_next(&lines, error)) == STATUS_OK) {
        status = mark_line(run, lines.line, lines.length, *listed, error);
    }
    file_lines_close(&lines);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---- whether it can be rolled back */

static enum status judge_list(struct run *run, const char *path, struct error *error)
{
    bool *listed;
    enum status status = mark_list(run, path, &listed, error);
    for (uint32_t i = 0; status == STATUS_OK && i < run->table_count; i++) {
        const struct target_table *table = &run->tables[i];
        if (listed[i] && !undo_keeps_deleted(run->session->target, table)) {
            run->header.keeps_taken = false;
            log_write(
                LOG_WARNING,
                "table %s: deleted records are not stored%s, so this repair cannot be rolled back",
                table->name, table->key.count == 0 ? " (it has no key)" : "");
        }
    }
    return status == STATUS_END ? STATUS_OK : status;
}

enum status repair_delete_bind(struct run *run, struct error *error)
{
    char hex[33];
    uint64_t lines;
    uint64_t bytes;
    const char *wanted = run->session->options.repair.delete_hash;
    char *path = file_join(run->arena, run->folder.path, "delete.jsonl");
    enum status status = rejects_measure(path, hex, &lines, &bytes, error);
    if (status == STATUS_OK && (wanted == NULL || strcmp(hex, wanted) == 0)) {
        run->header.takes_out = run->header.keeps_taken = bytes > 0;
        run->header.delete_hash = arena_copy_string(run->arena, hex);
        return judge_list(run, path, error);
    }
    if (status != STATUS_FAILED) {
        error_set(error, ERROR_STATE_INVALID, path,
                  "it is not the list that the validation made: another one came in between");
        error_hint(error, "nothing was changed; say `transhume validate --repair` again");
    }
    return STATUS_FAILED;
}

/* Ledgers of earlier versions do not vouch for the list. */
static enum status check_list(const struct run *run, const char *path, struct error *error)
{
    char hex[33];
    uint64_t lines;
    uint64_t bytes;
    if (run->header.delete_hash == NULL) {
        return STATUS_OK;
    }
    enum status status = rejects_measure(path, hex, &lines, &bytes, error);
    if (status == STATUS_OK && strcmp(hex, run->header.delete_hash) == 0) {
        return STATUS_OK;
    }
    if (status != STATUS_FAILED) {
        error_set(error, ERROR_STATE_INVALID, path,
                  status == STATUS_END ? "the list of records to delete is gone"
                                       : "this is not the list that the repair began with");
        error_hint(error, "put the file back; else `transhume finish --confirm` drops the ledger, "
                          "and `transhume validate` says what is left to be repaired");
    }
    return STATUS_FAILED;
}

static bool is_repeated(const struct run *run)
{
    return run->claim.epoch > 1;
}

/* Before anything goes, where the target itself does not keep it. */
static enum status repair_delete_keep(struct deleting *deleting, struct error *error)
{
    struct run *run = deleting->run;
    const struct rollback_functions *rollback = run->session->target->connector->rollback;
    if (rollback == NULL || rollback->undo != NULL || !deleting->table->keeps_undo) {
        return STATUS_OK;
    }
    return before_keep_deleted(&deleting->before, run, (uint32_t)(deleting->table - run->tables),
                               deleting->cells, deleting->count, error);
}

/* Each record that went left an image in the target: where others keep them, how many there were is
 * not known for sure. */
static bool keeps_counted(const struct database *target, const struct target_table *table)
{
    const struct rollback_functions *rollback = target->connector->rollback;
    return rollback != NULL && rollback->undo_deleted != NULL && table->keeps_undo;
}

/* After the commit: what a kill comes in between with is not counted, and would not be missed. A
 * count of what stayed after all would forbid a rollback that loses nothing. */
static enum status note_taken(struct run *run, const char *table, uint64_t count,
                              struct error *error)
{
    pthread_mutex_lock(&run->state_mutex);
    ledger_status_add_taken(&run->status, table, count);
    pthread_mutex_unlock(&run->state_mutex);
    return run_put_status(run, error);
}

/* `failure`: of a call in this attempt; NULL: there was another attempt. */
static void leave_rest(const struct deleting *deleting, const struct error *failure)
{
    deleting->run->left_extra = true;
    log_write(LOG_WARNING,
              "table %s has no key: the rest of its %" PRIu32 " extra records stays, because an "
              "earlier attempt may have deleted some%s%s%s; validate again",
              deleting->table->name, deleting->count, failure != NULL ? " (" : "",
              failure != NULL ? failure->message : "", failure != NULL ? ")" : "");
}

static void warn_of_fewer(const struct deleting *deleting, uint64_t deleted)
{
    const uint32_t capabilities = deleting->run->session->target->capabilities;
    bool sql = (capabilities & CAPABILITY_TRANSACTIONS) != 0;
    deleting->run->left_extra = true;
    log_write(LOG_WARNING,
              "table %s: of %" PRIu32 " keys to delete, records of %" PRIu64
              " were deleted: others deleted them%s; validate again",
              deleting->table->name, deleting->count, deleted,
              sql ? ", or a trigger or rule of the target keeps them" : ", or they are not there");
}

/* May a call that failed in passing have taken some out all the same? */
static bool is_in_doubt(const struct database *target, const struct error *error)
{
    bool undone =
        (target->capabilities & CAPABILITY_TRANSACTIONS) != 0 && error->code == ERROR_TARGET_LOCKED;
    return error->class == ERROR_CLASS_RETRY && !undone;
}

/* `*in_doubt` becomes true where a call that failed may have taken some out. Without a key that is
 * the end: others that are equal would go for those. */
static enum status take_out(const struct deleting *deleting, uint64_t *deleted, bool *in_doubt,
                            struct error *error)
{
    struct run *run = deleting->run;
    struct database *target = run->session->target;
    bool keyed = deleting->table->key.count > 0;
    struct retry retry;
    enum status status;
    session_retry_begin(run->session, &retry);
    do {
        uint64_t count = 0;
        status = claim_still_holds(run, error);
        if (status == STATUS_OK) {
            status = target->connector->target->delete_records(
                target, deleting->table, deleting->cells, deleting->count, &count, error);
            *in_doubt |= status == STATUS_FAILED && is_in_doubt(target, error);
        }
        *deleted += count;
    } while ((keyed || !*in_doubt) && session_tries_again(&retry, &status, error));
    return status == STATUS_END ? error_set(error, ERROR_INTERRUPTED, deleting->table->name,
                                            "stopped on request before all extra records went")
                                : status;
}

static enum status take_out_counted(struct deleting *deleting, struct error *error)
{
    struct run *run = deleting->run;
    bool keyed = deleting->table->key.count > 0;
    bool in_doubt = is_repeated(run);
    uint64_t deleted = 0;
    enum status status = repair_delete_keep(deleting, error);
    status = status == STATUS_OK ? failpoint_hit("engine.before_repair_delete", error) : status;
    status = status == STATUS_OK ? take_out(deleting, &deleted, &in_doubt, error) : status;
    deleting->deleted += deleted;
    if (!keyed && in_doubt) {
        leave_rest(deleting, error);
        error_clear(error);
        return STATUS_OK;
    }
    if (status == STATUS_OK && deleted < deleting->count && !in_doubt) {
        warn_of_fewer(deleting, deleted);
    }
    if (status == STATUS_OK && deleted > 0 &&
        keeps_counted(run->session->target, deleting->table)) {
        status = note_taken(run, deleting->table->name, deleted, error);
    }
    return status == STATUS_OK ? failpoint_hit("engine.after_repair_delete", error) : status;
}

static enum status repair_delete_flush(struct deleting *deleting, struct error *error)
{
    enum status status = STATUS_OK;
    if (deleting->count > 0 && deleting->table->key.count == 0 && is_repeated(deleting->run)) {
        leave_rest(deleting, NULL);
    } else if (deleting->count > 0) {
        status = take_out_counted(deleting, error);
    }
    deleting->count = 0;
    arena_reset(deleting->arena);
    return status;
}

/* All of a table without a key goes in one call, which is one transaction. */
static void begin_table(struct deleting *deleting, const struct target_table *table)
{
    bool keyed = table->key.count > 0;
    uint32_t limit = deleting->run->session->target->limits.delete_keys_max;
    deleting->table = table;
    deleting->width = keyed ? table->key.count : table->column_count;
    deleting->max = !keyed ? UINT32_MAX : limit > 0 ? limit : REPAIR_DELETE_KEYS_MAX;
}

/* The cells of the key in the table's order; what the line lacks is null. */
static enum status take_key(struct deleting *deleting, const struct cell *key, struct error *error)
{
    const struct target_table *table = deleting->table;
    size_t before = (size_t)deleting->count * deleting->width;
    deleting->cells =
        memory_resize(deleting->cells, before + deleting->width + 1, sizeof(*deleting->cells));
    for (uint32_t i = 0; i < deleting->width; i++) {
        const char *name = table->key.count > 0 ? table->key.names[i] : table->columns[i].name;
        const struct cell *field = value_field(key, name);
        deleting->cells[before + i] = field != NULL ? *field : cell_null();
    }
    deleting->count++;
    bool full = deleting->count == deleting->max ||
                (table->key.count > 0 && arena_bytes(deleting->arena) > KEYS_BYTES_MAX);
    return full ? repair_delete_flush(deleting, error) : STATUS_OK;
}

static enum status take_line(struct deleting *deleting, const char *line, size_t length,
                             struct error *error)
{
    struct arena *arena = arena_create(0);
    struct cell name;
    struct cell fields;
    struct cell key;
    enum status status =
        repair_delete_parse(deleting->run, line, length, arena, &name, &fields, error);
    if (status == STATUS_OK && is_of(&name, deleting->table)) {
        status = value_copy(&fields, deleting->arena, &key) == STATUS_OK
                     ? take_key(deleting, &key, error)
                     : error_set(error, ERROR_MEMORY, NULL, "no memory for keys");
    }
    arena_destroy(arena);
    return status;
}

/* A table after another, since their lines are mixed. */
static enum status delete_of_table(struct deleting *deleting, const struct target_table *table,
                                   struct file_lines *lines, struct error *error)
{
    begin_table(deleting, table);
    enum status status = file_lines_rewind(lines, error);
    while (status == STATUS_OK && (status = file_lines_next(lines, error)) == STATUS_OK) {
        status = take_line(deleting, lines->line, lines->length, error);
    }
    return status == STATUS_END ? repair_delete_flush(deleting, error) : status;
}

static enum status delete_of_tables(struct deleting *deleting, const char *path,
                                    struct error *error)
{
    const struct run *run = deleting->run;
    struct file_lines lines;
    enum status status = file_lines_open(&lines, path, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    for (uint32_t i = 0; i < run->table_count && status == STATUS_OK; i++) {
        status = delete_of_table(deleting, &run->tables[i], &lines, error);
    }
    file_lines_close(&lines);
    return status;
}

enum status repair_delete_listed(struct run *run, struct error *error)
{
    if (run->status.deleted) {
        return STATUS_OK;
    }
    struct deleting deleting = {.run = run, .arena = arena_create(0)};
    char *path = file_join(run->arena, run->folder.path, "delete.jsonl");
    enum status status = run->repairs ? check_list(run, path, error) : STATUS_OK;
    if (status == STATUS_OK) {
        status = delete_of_tables(&deleting, path, error);
    }
    free(deleting.cells);
    before_close(deleting.before);
    arena_destroy(deleting.arena);
    if (deleting.deleted > 0) {
        log_write(LOG_INFO, "deleted %" PRIu64 " record%s of the target", deleting.deleted,
                  deleting.deleted == 1 ? "" : "s");
    }
    if (status != STATUS_OK) {
        return status;
    }
    run_note(run, &run->status.deleted);
    return run_put_status(run, error);
}

/* ---- what refers to it */

/* A list that was lost since the records went stands for all tables: then all of them are asked. */
static enum status list_emptied(const struct run *run, bool **listed, struct error *error)
{
    char *path = file_join(run->arena, run->folder.path, "delete.jsonl");
    enum status status = mark_list(run, path, listed, error);
    if (status == STATUS_FAILED && error->code == ERROR_MEMORY) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; status != STATUS_OK && i < run->table_count; i++) {
        (*listed)[i] = true;
    }
    error_clear(error);
    return STATUS_OK;
}

/* `lines`: what the target told of one table; `behind` follows each. */
static void say_lines(struct run *run, const struct buffer *lines, const char *behind)
{
    const char *line = lines->data;
    const char *end = NULL;
    for (size_t left = lines->length; left > 0 && (end = memchr(line, '\n', left)) != NULL;
         left -= (size_t)(end + 1 - line), line = end + 1) {
        log_write(LOG_WARNING, "%.*s%s", (int)(end - line), line, behind);
        run->warning_count++;
    }
}

static void say_partnerless(struct run *run, const char *table, const struct buffer *lines)
{
    char printable[128];
    char behind[512];
    bool kept = run->header.keeps_taken;
    text_printable(table, strlen(table), printable, sizeof printable);
    snprintf(behind, sizeof behind,
             ". This repair deleted records of %s: delete these as well, let them refer to "
             "others%s%s%s",
             printable, kept ? ", or `transhume rollback --run " : "", kept ? run->id : "",
             kept ? "` restores what was deleted" : "");
    say_lines(run, lines, behind);
}

static enum status tell_partnerless(struct run *run, const struct target_table *table,
                                    struct error *error)
{
    struct database *target = run->session->target;
    const struct sql_target_functions *sql_target = connector_sql_target(target->connector);
    struct buffer out = {0};
    struct buffer unasked = {0};
    enum status status = sql_target->partnerless(target, table, &out, &unasked, error);
    if (status == STATUS_OK) {
        say_partnerless(run, table->name, &out);
        say_lines(run, &unasked, "");
    }
    buffer_free(&out);
    buffer_free(&unasked);
    return status;
}

enum status repair_delete_tell_partnerless(struct run *run, struct error *error)
{
    bool *listed;
    if (!run->header.takes_out ||
        connector_sql_target(run->session->target->connector)->partnerless == NULL) {
        return STATUS_OK;
    }
    enum status status = list_emptied(run, &listed, error);
    for (uint32_t i = 0; status == STATUS_OK && i < run->table_count; i++) {
        struct retry retry;
        if (!listed[i]) {
            continue;
        }
        session_retry_begin(run->session, &retry);
        do {
            status = tell_partnerless(run, &run->tables[i], error);
        } while (session_tries_again(&retry, &status, error));
    }
    return status == STATUS_FAILED && error->code == ERROR_INTERRUPTED ? STATUS_END : status;
}

bool repair_replaces(const struct run *run, const struct target_table *table)
{
    struct database *target = run->session->target;
    struct target_table wanted = *table;
    struct buffer why = {0};
    struct error ignored;
    wanted.existing = EXISTING_REPLACE;
    const struct check_request request = {.table = &wanted, .triggers_off = true, .repairs = true};
    bool fine =
        target->connector->target->check_table(target, &request, &why, &ignored) == STATUS_OK &&
        why.length == 0;
    buffer_free(&why);
    return fine;
}
