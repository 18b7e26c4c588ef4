/*
 * The batches of a shadow.
 *
 * A row is copied where it is read under a lock and the shadow has none of its key: what a trigger
 * wrote meanwhile is newer, and stays. Rows behind the last key that there was when the copy began
 * were written after the triggers were made, which carried them over.
 *
 * A position is {"end":[…],"at":[…]}: literals of the last key to look at, and of the last one that
 * was.
 *
 * To wait for a row that another transaction holds, with all others of the batch held, would make
 * deadlocks, of which the other one would be the victim. Such rows are passed over where the server
 * can; those that the shadow lacks behind the batch go into the queue.
 */
#include "connectors/sql/shadow.h"
#include "connectors/sql/template.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRAIN_MAX = 200 };

struct pass {
    const struct sql_shadow_dialect *dialect;
    struct alter_session *session;
    const struct sql_shadow *shadow;
    struct arena *arena;
    struct sql_shadow_list end;   /* none: the table is empty */
    struct sql_shadow_list after; /* none: from the beginning */
    struct sql_shadow_list upto;  /* of this batch */
    bool last;                    /* nothing is behind `upto` */
};

/* ---------------------------------------------------------------- positions */

static bool read_list(const json_t *array, struct arena *arena, struct sql_shadow_list *list)
{
    *list = (struct sql_shadow_list){0};
    for (size_t i = 0; i < json_array_size(array) && i < SQL_SHADOW_KEY_MAX; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        list->items[list->count++] = arena_copy_string(arena, text != NULL ? text : "NULL");
    }
    return list->count > 0;
}

static enum status read_position(struct pass *pass, const char *position, struct error *error)
{
    json_t *root = json_loads(position, 0, NULL);
    bool whole = read_list(json_object_get(root, "end"), pass->arena, &pass->end) &&
                 read_list(json_object_get(root, "at"), pass->arena, &pass->after) &&
                 pass->end.count == pass->shadow->key.count &&
                 pass->after.count == pass->shadow->key.count;
    json_decref(root);
    return whole ? STATUS_OK
                 : error_set(error, ERROR_FORMAT_NEWER, NULL,
                             "where the batches stood is written in words that this program does "
                             "not know");
}

static const char *write_position(struct pass *pass)
{
    json_t *root = json_object();
    const struct sql_shadow_list *lists[] = {&pass->end, &pass->upto};
    static const char *const names[] = {"end", "at"};
    for (size_t i = 0; i < 2; i++) {
        json_t *array = json_array();
        for (uint32_t j = 0; j < lists[i]->count; j++) {
            json_array_append_new(array, json_string(lists[i]->items[j]));
        }
        json_object_set_new(root, names[i], array);
    }
    char *text = json_dumps(root, JSON_COMPACT);
    const char *copy = arena_copy_string(pass->arena, text);
    free(text);
    json_decref(root);
    return copy;
}

/* ---------------------------------------------------------------- ranges */

/* "a, b", each with what is `behind` it. */
static const char *list_text(struct pass *pass, const struct sql_shadow_list *list,
                             const char *behind)
{
    struct buffer text = {0};
    for (uint32_t i = 0; i < list->count; i++) {
        buffer_format(&text, "%s%s%s", i > 0 ? ", " : "", list->items[i], behind);
    }
    return sql_text(pass->arena, &text);
}

/* "a = 1 AND b = 2" */
static const char *same_text(struct pass *pass, const struct sql_shadow_list *left,
                             const struct sql_shadow_list *right)
{
    struct buffer text = {0};
    sql_shadow_append_same(&text, left, right);
    return sql_text(pass->arena, &text);
}

/* " AND NOT EXISTS (…)": the shadow has no row with the key of `t`. */
static const char *absent_text(struct pass *pass)
{
    const struct sql_shadow *shadow = pass->shadow;
    return arena_format(pass->arena, " AND NOT EXISTS (SELECT 1 FROM %s AS s %s WHERE %s)",
                        shadow->shadow, shadow->shadow_hint,
                        same_text(pass, &shadow->shadow_key, &shadow->at));
}

/* " WHERE …" of this batch, over a table's columns `names`. */
static const char *range_text(struct pass *pass, const struct sql_shadow_list *names)
{
    struct buffer text = {0};
    buffer_append_string(&text, " WHERE ");
    if (pass->after.count > 0) {
        sql_shadow_append_beside(&text, names, ">", &pass->after);
        buffer_append_string(&text, " AND ");
    }
    sql_shadow_append_beside(&text, names, "<=", &pass->upto);
    return sql_text(pass->arena, &text);
}

/* The literals of one key into the list; none: there is no row. */
static enum status ask_key(struct pass *pass, struct buffer *sql, struct sql_shadow_list *key,
                           struct error *error)
{
    struct sql_shadow_rows rows;
    *key = (struct sql_shadow_list){0};
    if (pass->dialect->query(pass->session, sql, pass->arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; rows.count > 0 && i < rows.columns && i < SQL_SHADOW_KEY_MAX; i++) {
        const char *text = rows.cells[0][i];
        key->items[key->count++] = text != NULL ? text : "NULL";
    }
    return STATUS_OK;
}

static enum status find_end(struct pass *pass, struct error *error)
{
    const struct sql_shadow *shadow = pass->shadow;
    return ask_key(pass,
                   sql_plain("SELECT %s FROM %s AS t %s ORDER BY %s LIMIT 1",
                             list_text(pass, &shadow->literal, ""), shadow->table, shadow->hint,
                             list_text(pass, &shadow->key, " DESC")),
                   &pass->end, error);
}

/* Where this batch ends: `rows` behind `after`. */
static enum status find_upto(struct pass *pass, uint64_t rows, struct error *error)
{
    const struct sql_shadow *shadow = pass->shadow;
    pass->upto = pass->end;
    enum status status =
        ask_key(pass,
                sql_plain("SELECT %s FROM %s AS t %s%s ORDER BY %s LIMIT 1 OFFSET %U",
                          list_text(pass, &shadow->literal, ""), shadow->table, shadow->hint,
                          range_text(pass, &shadow->key), list_text(pass, &shadow->key, ""),
                          rows > 0 ? rows - 1 : 0),
                &pass->upto, error);
    pass->last = pass->upto.count == 0;
    if (pass->last) {
        pass->upto = pass->end;
    }
    return status;
}

/* ---------------------------------------------------------------- copying */

static enum status copy_range(struct pass *pass, uint64_t *changed, struct error *error)
{
    const struct sql_shadow *shadow = pass->shadow;
    return pass->dialect->run(pass->session,
                              sql_plain("INSERT INTO %s (%s) SELECT %s FROM %s AS t %s%s%s%s",
                                        shadow->shadow, shadow->into, shadow->values, shadow->table,
                                        shadow->hint, range_text(pass, &shadow->key),
                                        absent_text(pass),
                                        shadow->skip[0] != '\0' ? shadow->skip : shadow->lock),
                              changed, error);
}

static enum status ask_counts(struct pass *pass, struct buffer *sql, uint64_t *counts,
                              uint32_t count, struct error *error)
{
    struct sql_shadow_rows rows;
    if (pass->dialect->query(pass->session, sql, pass->arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        const char *text = rows.count > 0 && i < rows.columns ? rows.cells[0][i] : NULL;
        counts[i] = text != NULL ? strtoull(text, NULL, 10) : 0;
    }
    return STATUS_OK;
}

/* Rows that were copied stay until the commit: if there are no more of them than were copied none
 * was passed over. */
static enum status queue_passed(struct pass *pass, uint64_t copied, struct error *error)
{
    const struct sql_shadow *shadow = pass->shadow;
    struct buffer columns = {0};
    uint64_t there = 0;
    const char *range = range_text(pass, &shadow->key);
    enum status status = ask_counts(
        pass, sql_plain("SELECT count(*) FROM %s AS t %s%s", shadow->table, shadow->hint, range),
        &there, 1, error);
    if (status != STATUS_OK || there == copied) {
        return status;
    }
    for (uint32_t i = 0; i < shadow->queue_key.count; i++) {
        buffer_format(&columns, "%s%s", i > 0 ? ", " : "",
                      shadow->queue_key.items[i] + strlen("q."));
    }
    return pass->dialect->run(pass->session,
                              sql_plain("INSERT INTO %s (%s) SELECT %s FROM %s AS t %s%s%s",
                                        shadow->queue, sql_text(pass->arena, &columns),
                                        list_text(pass, &shadow->key, ""), shadow->table,
                                        shadow->hint, range, absent_text(pass)),
                              &there, error);
}

static enum status refuse_row(struct pass *pass, const struct sql_shadow_list *key,
                              struct error *error)
{
    char words[sizeof error->message];
    snprintf(words, sizeof words, "%s", error->message);
    error_set(error, error->code, pass->shadow->table,
              "the row with the key (%.200s) does not fit the new schema: %.600s",
              list_text(pass, key, ""), words);
    error_hint(error, "correct the row and run the command again, or abort the change");
    return STATUS_FAILED;
}

/* A row that does not fit makes the statement fail: it is looked for with ever fewer rows, so that
 * all ahead of it are copied and its key can be told. */
static enum status shadow_batch_copy(struct pass *pass, uint64_t rows, struct change_batch *batch,
                                     struct error *error)
{
    enum status status = STATUS_OK;
    do {
        status = find_upto(pass, rows, error);
        if (status != STATUS_OK) {
            return status;
        }
        status = copy_range(pass, &batch->changed, error);
        batch->rows = pass->last ? batch->changed : rows;
        if (status == STATUS_OK && pass->shadow->skip[0] != '\0') {
            return queue_passed(pass, batch->changed, error);
        }
        if (status == STATUS_OK || error->class == ERROR_CLASS_RETRY) {
            return status;
        }
        rows /= 2;
    } while (rows > 0);
    return refuse_row(pass, &pass->upto, error);
}

/* ---------------------------------------------------------------- the proof */

/* " AND NOT EXISTS (…)": rows that wait in the queue are known to differ, and are copied later. */
static const char *not_queued_text(struct pass *pass, const struct sql_shadow_list *key)
{
    const struct sql_shadow *shadow = pass->shadow;
    return shadow->queue[0] == '\0'
               ? ""
               : arena_format(pass->arena, " AND NOT EXISTS (SELECT 1 FROM %s AS q WHERE %s)",
                              shadow->queue, same_text(pass, &shadow->queue_key, key));
}

/* FROM t LEFT JOIN s ON … of this batch. */
static const char *joined_text(struct pass *pass)
{
    const struct sql_shadow *shadow = pass->shadow;
    return arena_format(pass->arena, " FROM %s AS t %s LEFT JOIN %s AS s %s ON %s%s", shadow->table,
                        shadow->hint, shadow->shadow, shadow->shadow_hint,
                        same_text(pass, &shadow->shadow_key, &shadow->at),
                        range_text(pass, &shadow->key));
}

static const char *wrong_text(struct pass *pass)
{
    return arena_format(pass->arena, "(%s IS NULL OR %s)", pass->shadow->shadow_key.items[0],
                        pass->shadow->differs);
}

/* Counts of the table: rows, those that have a partner, and those that differ from it. */
static enum status shadow_batch_compare(struct pass *pass, uint64_t counts[3], struct error *error)
{
    return ask_counts(pass,
                      sql_plain("SELECT count(*), count(%s), sum(%s)%s",
                                pass->shadow->shadow_key.items[0], wrong_text(pass),
                                joined_text(pass)),
                      counts, 3, error);
}

/* The rows that differ and do not wait in the queue: their count, and the first one. */
static enum status find_wrong(struct pass *pass, struct change_batch *batch, struct error *error)
{
    const struct sql_shadow *shadow = pass->shadow;
    struct sql_shadow_list first;
    const char *where = arena_format(pass->arena, "%s AND %s%s", joined_text(pass),
                                     wrong_text(pass), not_queued_text(pass, &shadow->at));
    enum status status =
        ask_counts(pass, sql_plain("SELECT count(*)%s", where), &batch->wrong, 1, error);
    if (status == STATUS_OK && batch->wrong > 0) {
        status = ask_key(
            pass, sql_plain("SELECT %s%s LIMIT 1", list_text(pass, &shadow->literal, ""), where),
            &first, error);
        batch->first_wrong = status == STATUS_OK ? list_text(pass, &first, "") : NULL;
    }
    return status;
}

/* Where rows of the shadow are looked for that the table does not have. */
enum reach { IN_RANGE, BEHIND_END, EVERYWHERE };

static enum status find_extra(struct pass *pass, enum reach reach, struct change_batch *batch,
                              struct error *error)
{
    const struct sql_shadow *shadow = pass->shadow;
    struct buffer where = {0};
    uint64_t extra = 0;
    if (reach == BEHIND_END) {
        sql_shadow_append_beside(&where, &shadow->shadow_key, ">", &pass->end);
    }
    enum status status = ask_counts(
        pass,
        sql_plain(
            "SELECT count(*) FROM %s AS s%s%s AND NOT EXISTS (SELECT 1 FROM %s AS t WHERE %s)%s",
            shadow->shadow,
            reach == IN_RANGE     ? range_text(pass, &shadow->shadow_key)
            : reach == BEHIND_END ? " WHERE "
                                  : " WHERE 1 = 1",
            sql_text(pass->arena, &where), shadow->table,
            same_text(pass, &shadow->shadow_key, &shadow->at),
            not_queued_text(pass, &shadow->shadow_key)),
        &extra, 1, error);
    batch->wrong += extra;
    if (extra > 0 && batch->first_wrong == NULL) {
        batch->first_wrong = "a row that only the new table has";
    }
    return status;
}

static enum status count_shadow(struct pass *pass, uint64_t *count, struct error *error)
{
    return ask_counts(pass,
                      sql_plain("SELECT count(*) FROM %s AS s%s", pass->shadow->shadow,
                                range_text(pass, &pass->shadow->shadow_key)),
                      count, 1, error);
}

static enum status shadow_batch_prove(struct pass *pass, uint64_t rows, struct change_batch *batch,
                                      struct error *error)
{
    uint64_t counts[3] = {0};
    uint64_t shadow_count = 0;
    enum status status = find_upto(pass, rows, error);
    status = status == STATUS_OK ? shadow_batch_compare(pass, counts, error) : status;
    batch->rows = counts[0];
    if (status == STATUS_OK && counts[2] > 0) {
        status = find_wrong(pass, batch, error);
    }
    if (status == STATUS_OK && pass->shadow->tight) {
        status = count_shadow(pass, &shadow_count, error);
        if (status == STATUS_OK && shadow_count != counts[1]) {
            status = find_extra(pass, IN_RANGE, batch, error);
        }
    }
    if (status == STATUS_OK && pass->last) {
        status = find_extra(pass, pass->shadow->tight ? BEHIND_END : EVERYWHERE, batch, error);
    }
    return status;
}

/* ---------------------------------------------------------------- the queue */

/* The rows of the shadow whose keys wait with these numbers; all: of any number. */
static enum status clear_queued(struct pass *pass, const char *numbers, struct error *error)
{
    const struct sql_shadow *shadow = pass->shadow;
    const char *where =
        numbers != NULL ? arena_format(pass->arena, " WHERE t._n IN %s", numbers) : "";
    uint64_t changed = 0;
    struct buffer *sql =
        pass->dialect->joins_in_delete
            ? sql_plain("DELETE s FROM %s AS s JOIN %s AS t ON %s%s", shadow->shadow, shadow->queue,
                        same_text(pass, &shadow->shadow_key, &shadow->at), where)
            : sql_plain("DELETE FROM %s AS s WHERE (%s) IN (SELECT %s FROM %s AS t%s)",
                        shadow->shadow, list_text(pass, &shadow->shadow_key, ""),
                        list_text(pass, &shadow->at, ""), shadow->queue, where);
    return pass->dialect->run(pass->session, sql, &changed, error);
}

static enum status copy_queued(struct pass *pass, const struct sql_shadow_list *key,
                               uint64_t *changed, struct error *error)
{
    const struct sql_shadow *shadow = pass->shadow;
    return pass->dialect->run(pass->session,
                              sql_plain("INSERT INTO %s (%s) SELECT %s FROM %s AS t WHERE %s%s%s",
                                        shadow->shadow, shadow->into, shadow->values, shadow->table,
                                        same_text(pass, &shadow->key, key), absent_text(pass),
                                        shadow->lock),
                              changed, error);
}

/* One that does not fit may do so once all others that wait have made room: two rows may have
 * changed places. */
static enum status drain_row(struct pass *pass, const struct sql_shadow_list *key,
                             uint64_t *changed, struct error *error)
{
    enum status status = copy_queued(pass, key, changed, error);
    if (status == STATUS_OK || error->class == ERROR_CLASS_RETRY) {
        return status;
    }
    status = clear_queued(pass, NULL, error);
    status = status == STATUS_OK ? copy_queued(pass, key, changed, error) : status;
    return status == STATUS_FAILED && error->class != ERROR_CLASS_RETRY
               ? refuse_row(pass, key, error)
               : status;
}

/* "(1, 2)": by their numbers, since one of a lower number may not be committed yet. */
static const char *numbers_of(struct pass *pass, const struct sql_shadow_rows *rows)
{
    struct buffer text = {0};
    for (uint32_t i = 0; i < rows->count; i++) {
        buffer_format(&text, "%s%s", i > 0 ? ", " : "(", rows->cells[i][0]);
    }
    buffer_append_byte(&text, ')');
    return sql_text(pass->arena, &text);
}

static enum status drain_rows(struct pass *pass, const struct sql_shadow_rows *rows,
                              struct change_batch *batch, struct error *error)
{
    const char *numbers = numbers_of(pass, rows);
    uint64_t changed = 0;
    enum status status = clear_queued(pass, numbers, error);
    for (uint32_t i = 0; status == STATUS_OK && i < rows->count; i++) {
        struct sql_shadow_list key = {0};
        for (uint32_t j = 1; j < rows->columns && j <= SQL_SHADOW_KEY_MAX; j++) {
            key.items[key.count++] = rows->cells[i][j] != NULL ? rows->cells[i][j] : "NULL";
        }
        status = drain_row(pass, &key, &changed, error);
        batch->changed += status == STATUS_OK ? changed : 0;
    }
    if (status != STATUS_OK) {
        return status;
    }
    return pass->dialect->run(
        pass->session, sql_plain("DELETE FROM %s WHERE _n IN %s", pass->shadow->queue, numbers),
        &changed, error);
}

static enum status shadow_batch_drain(struct pass *pass, uint64_t want, struct change_batch *batch,
                                      struct error *error)
{
    const struct sql_shadow *shadow = pass->shadow;
    struct sql_shadow_rows rows;
    want = want > DRAIN_MAX ? DRAIN_MAX : want;
    enum status status =
        pass->dialect->query(pass->session,
                             sql_plain("SELECT t._n, %s FROM %s AS t ORDER BY t._n LIMIT %U",
                                       list_text(pass, &shadow->literal, ""), shadow->queue, want),
                             pass->arena, &rows, error);
    if (status != STATUS_OK || rows.count == 0) {
        return status;
    }
    batch->rows = rows.count;
    batch->position = rows.count < want ? NULL : "more";
    return drain_rows(pass, &rows, batch, error);
}

/* ---------------------------------------------------------------- ahead of the switch */

static enum status check_form(struct pass *pass, struct error *error)
{
    uint64_t same = 0;
    if (ask_counts(pass, sql_plain("%s", pass->shadow->form), &same, 1, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (same != 1) {
        error_set(error, ERROR_CHANGE_UNPROVEN, pass->shadow->table,
                  "%s, its triggers or foreign keys were altered since the change was started: the "
                  "new table has none of that",
                  pass->shadow->table);
        return error_hint(error, "`transhume change abort` takes the change back; start it again "
                                 "with the table as it is now");
    }
    return STATUS_OK;
}

static enum status check_counts(struct pass *pass, struct error *error)
{
    uint64_t counts[2] = {0};
    if (ask_counts(pass,
                   sql_plain("SELECT (SELECT count(*) FROM %s), (SELECT count(*) FROM %s)",
                             pass->shadow->table, pass->shadow->shadow),
                   counts, 2, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (counts[0] != counts[1]) {
        error_set(error, ERROR_CHANGE_UNPROVEN, pass->shadow->table,
                  "%s has %" PRIu64 " rows, the new table %" PRIu64
                  ": rows were written or removed past the triggers, as TRUNCATE does",
                  pass->shadow->table, counts[0], counts[1]);
        return error_hint(error, "`transhume change abort` takes the change back; start it again");
    }
    return STATUS_OK;
}

/*
 * From its commit on what does not fit the shadow fails its writer; so no row may wait in the queue
 * by then. A writer that was about to write into the queue has committed once `strict` has its
 * lock, and rows that wait are copied with that lock given back: their writers may need it. What
 * fails is rolled back, and leaves writers as they were.
 */
static enum status close_queue(struct pass *pass, struct change_batch *batch, struct error *error)
{
    const struct sql_shadow *shadow = pass->shadow;
    uint64_t changed = 0;
    uint64_t waiting = 0;
    enum status status =
        pass->dialect->run(pass->session, sql_plain("%s", shadow->strict), &changed, error);
    if (status == STATUS_OK) {
        status = ask_counts(pass, sql_plain("SELECT count(*) FROM %s", shadow->queue), &waiting, 1,
                            error);
    }
    if (status != STATUS_OK || waiting == 0) {
        status = status == STATUS_OK ? check_form(pass, error) : status;
        return status == STATUS_OK ? check_counts(pass, error) : status;
    }
    batch->position = "drain";
    return pass->dialect->run(pass->session, sql_plain("%s", shadow->lenient), &changed, error);
}

static enum status drain_or_close(struct pass *pass, const char *position, uint64_t rows,
                                  struct change_batch *batch, struct error *error)
{
    if (position == NULL || strcmp(position, "drain") != 0) {
        return close_queue(pass, batch, error);
    }
    enum status status = shadow_batch_drain(pass, rows, batch, error);
    batch->position = batch->position != NULL ? "drain" : "close";
    return status;
}

/* ---------------------------------------------------------------- one batch */

enum status sql_shadow_batch(const struct sql_shadow_dialect *dialect,
                             struct alter_session *session, const struct sql_shadow *shadow,
                             const char *position, uint64_t rows, struct arena *arena,
                             struct change_batch *batch, struct error *error)
{
    struct pass pass = {.dialect = dialect, .session = session, .shadow = shadow, .arena = arena};
    *batch = (struct change_batch){0};
    if (shadow->kind == SQL_SHADOW_DRAIN) {
        return shadow_batch_drain(&pass, rows, batch, error);
    }
    if (shadow->kind == SQL_SHADOW_CLOSE) {
        return drain_or_close(&pass, position, rows, batch, error);
    }
    enum status status =
        position != NULL ? read_position(&pass, position, error) : find_end(&pass, error);
    if (status != STATUS_OK || pass.end.count == 0) {
        return status == STATUS_OK && shadow->kind == SQL_SHADOW_PROVE
                   ? find_extra(&pass, EVERYWHERE, batch, error)
                   : status;
    }
    status = shadow->kind == SQL_SHADOW_COPY ? shadow_batch_copy(&pass, rows, batch, error)
                                             : shadow_batch_prove(&pass, rows, batch, error);
    if (status == STATUS_OK && !pass.last) {
        batch->position = write_position(&pass);
    }
    return status;
}
