/*
 * Before-images: rows that a migration is about to change are kept beside them, where its file says
 * so, and put back when it is taken back.
 *
 *   -- transhume:before-image orders WHERE total < 0
 *
 *   _transhume_schema_before          a row for each image: its act, its number in the file, the
 *                                     version, the table that it is of
 *   _transhume_schema_before_ACT_N    the rows as they were
 *
 * Rows are put back by the table's primary key, in the columns that both tables have: what was
 * changed gets its values, what was deleted is inserted. In the same transaction the image's number
 * in the registry is negated: its rows are back, and the table is only to be dropped, which a
 * command does once its act stands. So rows are put back once, whatever breaks off.
 */
#include "base/buffer.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "evolve/run/run_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGE_ROWS_MAX = 1000000 };

#define REGISTRY HISTORY_TABLE "_before"

/* ---------------------------------------------------------------- statements */

static enum status before_image_run(struct schema_work *work, const char *sql, uint64_t *rows,
                                    struct error *error)
{
    struct alter_answer answer = {.fault = SIZE_MAX};
    const struct alter_request request = {
        .text = sql, .length = strlen(sql), .lock_ms = work->options->lock_ms};
    if (work->alter->run(work->session, &request, &answer, error) != STATUS_OK) {
        return error_context(error, "a before-image: ");
    }
    if (rows != NULL) {
        *rows = answer.counts ? answer.rows : 0;
    }
    return STATUS_OK;
}

static enum status before_image_ask(struct schema_work *work, const char *sql, const char **text,
                                    struct error *error)
{
    return work->alter->ask(work->session, sql, work->act_arena, text, error);
}

/* 'a''b' */
static const char *quote_text(struct arena *arena, const char *text)
{
    struct buffer out = {0};
    buffer_append_byte(&out, '\'');
    for (; *text != '\0'; text++) {
        buffer_append_string(&out, *text == '\'' ? "'" : "");
        buffer_append_byte(&out, *text);
    }
    buffer_append_byte(&out, '\'');
    const char *kept = arena_copy_string(arena, buffer_string(&out));
    buffer_free(&out);
    return kept;
}

/* A table's name without quotes around it. */
static const char *bare_name(struct arena *arena, const char *table)
{
    size_t length = strlen(table);
    bool quoted = length > 2 && strchr("\"`", *table) != NULL && table[length - 1] == *table;
    return quoted ? arena_copy(arena, table + 1, length - 2) : table;
}

static void before_image_tell(const struct schema_work *work, const struct act_work *at,
                              const char *text)
{
    const struct schema_event event = {.kind = SCHEMA_KEEPS, .act = at->act, .text = text};
    work_tell(work, &event);
}

/* ---------------------------------------------------------------- columns */

/* "t.@ = b.@" as an expression of SQL, with the column's quoted name for each @. */
static const char *expression(const struct schema_work *work, const char *pattern)
{
    enum sql_language language = work->alter->sql;
    const char *name = language == SQL_POSTGRES ? "quote_ident(a.attname)"
                       : language == SQL_MYSQL  ? "'`', replace(column_name, '`', '``'), '`'"
                                                : "'\"' || replace(name, '\"', '\"\"') || '\"'";
    const char *joint = language == SQL_MYSQL ? ", " : " || ";
    struct buffer out = {0};
    buffer_append_string(&out, language == SQL_MYSQL ? "concat(''" : "''");
    while (*pattern != '\0') {
        size_t length = strcspn(pattern, "@");
        if (length > 0) {
            buffer_format(&out, "%s'%.*s'", joint, (int)length, pattern);
        }
        pattern += length;
        if (*pattern == '@') {
            buffer_format(&out, "%s%s", joint, name);
            pattern++;
        }
    }
    buffer_append_string(&out, language == SQL_MYSQL ? ")" : "");
    const char *kept = arena_copy_string(work->act_arena, buffer_string(&out));
    buffer_free(&out);
    return kept;
}

/* Which columns. */
enum columns {
    COLUMNS_KEY,
    COLUMNS_BOTH, /* that the table and its image have, and that may be written */
    COLUMNS_VALUE /* of these, what is not of the key and may be changed */
};

static const char *postgres_columns(struct arena *arena, const char *table, const char *image,
                                    enum columns which)
{
    static const char in_key[] = "EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid "
                                 "AND i.indisprimary AND a.attnum = ANY (i.indkey))";
    const char *both = arena_format(
        arena,
        "a.attgenerated = '' AND EXISTS (SELECT 1 FROM pg_attribute b WHERE b.attrelid = "
        "'%s'::regclass AND b.attname = a.attname AND b.attnum > 0 AND NOT b.attisdropped)",
        image);
    return arena_format(arena,
                        "FROM pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND "
                        "NOT a.attisdropped AND %s%s%s",
                        quote_text(arena, table), which == COLUMNS_KEY ? in_key : both,
                        which == COLUMNS_VALUE ? " AND a.attidentity <> 'a' AND NOT " : "",
                        which == COLUMNS_VALUE ? in_key : "");
}

static const char *mysql_columns(struct arena *arena, const char *table, const char *image,
                                 enum columns which)
{
    const char *both = arena_format(
        arena,
        "extra NOT LIKE '%%GENERATED%%' AND column_name IN (SELECT column_name FROM "
        "information_schema.columns WHERE table_schema = database() AND table_name = '%s')",
        image);
    return arena_format(arena,
                        "FROM information_schema.columns WHERE table_schema = database() AND "
                        "table_name = %s AND %s%s",
                        quote_text(arena, bare_name(arena, table)),
                        which == COLUMNS_KEY ? "column_key = 'PRI'" : both,
                        which == COLUMNS_VALUE ? " AND column_key <> 'PRI'" : "");
}

static const char *sqlite_columns(struct arena *arena, const char *table, const char *image,
                                  enum columns which)
{
    const char *both =
        arena_format(arena, "name IN (SELECT name FROM pragma_table_info('%s'))", image);
    return arena_format(
        arena, "FROM pragma_table_info(%s) WHERE %s%s", quote_text(arena, bare_name(arena, table)),
        which == COLUMNS_KEY ? "pk > 0" : both, which == COLUMNS_VALUE ? " AND pk = 0" : "");
}

/* The pattern of each of the columns; NULL: there is none. */
static enum status before_image_list(struct schema_work *work, const char *table, const char *image,
                                     enum columns which, const char *pattern, const char *between,
                                     const char **text, struct error *error)
{
    struct arena *arena = work->act_arena;
    enum sql_language language = work->alter->sql;
    const char *from = language == SQL_POSTGRES ? postgres_columns(arena, table, image, which)
                       : language == SQL_MYSQL  ? mysql_columns(arena, table, image, which)
                                                : sqlite_columns(arena, table, image, which);
    const char *item = expression(work, pattern);
    struct buffer sql = {0};
    if (language == SQL_POSTGRES) {
        buffer_format(&sql, "SELECT string_agg(%s, '%s' ORDER BY a.attnum) %s", item, between,
                      from);
    } else if (language == SQL_MYSQL) {
        buffer_format(&sql, "SELECT group_concat(%s ORDER BY ordinal_position SEPARATOR '%s') %s",
                      item, between, from);
    } else {
        buffer_format(&sql, "SELECT group_concat(%s, '%s') %s", item, between, from);
    }
    enum status status = before_image_ask(work, buffer_string(&sql), text, error);
    buffer_free(&sql);
    return status;
}

/* ---------------------------------------------------------------- images that are there */

/* One image that was found. */
struct kept_image {
    const char *name;
    const char *table;
    const char *act;
    const char *number; /* as the registry has it: below 0 once its rows were put back */
};

/* The first image, from `index` on, for which `condition` holds; `image->act` NULL: there is none.
 */
static enum status read_image(struct schema_work *work, const char *condition, uint32_t index,
                              struct kept_image *image, struct error *error)
{
    struct arena *arena = work->act_arena;
    const struct {
        const char *column;
        const char **value;
    } columns[] = {{"act", &image->act}, {"image", &image->number}, {"of_table", &image->table}};
    for (size_t i = 0; i < 3; i++) {
        if (before_image_ask(work,
                             arena_format(arena,
                                          "SELECT %s FROM " REGISTRY
                                          " WHERE %s ORDER BY act, image LIMIT 1 "
                                          "OFFSET %u",
                                          columns[i].column, condition, index),
                             columns[i].value, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (image->act != NULL) {
        const char *number = image->number + (image->number[0] == '-');
        image->name = arena_format(arena, REGISTRY "_%s_%s", image->act, number);
    }
    return STATUS_OK;
}

/* Drops the images for which `condition` holds. */
static enum status drop_images(struct schema_work *work, const char *condition, uint32_t *count,
                               struct kept_image *image, struct error *error)
{
    struct arena *arena = work->act_arena;
    for (*count = 0;; (*count)++) {
        *image = (struct kept_image){0};
        if (read_image(work, condition, 0, image, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (image->act == NULL) {
            return STATUS_OK;
        }
        if (before_image_run(work, arena_format(arena, "DROP TABLE IF EXISTS %s", image->name),
                             NULL, error) != STATUS_OK ||
            before_image_run(work,
                             arena_format(arena,
                                          "DELETE FROM " REGISTRY " WHERE act = %s AND image = %s",
                                          image->act, image->number),
                             NULL, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
}

/* ---------------------------------------------------------------- keeping */

static enum status before_image_refuse(const struct before_image *image, struct error *error,
                                       const char *why)
{
    error_set(error, ERROR_MIGRATION_REFUSED, image->file, "line %" PRIu32 ": %s", image->line,
              why);
    return STATUS_FAILED;
}

/* It must be possible to put the rows back, and there may not be too many. */
static enum status examine(struct schema_work *work, const struct before_image *image,
                           struct error *error)
{
    struct arena *arena = work->act_arena;
    const char *key = NULL;
    const char *count = NULL;
    if (before_image_list(work, image->table, REGISTRY, COLUMNS_KEY, "@", ", ", &key, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (key == NULL) {
        return before_image_refuse(
            image, error,
            arena_format(arena, "rows of %s can't be put back: it has no primary key",
                         image->table));
    }
    if (before_image_ask(work,
                         arena_format(arena,
                                      "SELECT count(*) FROM (SELECT 1 FROM %s %s LIMIT %d) x",
                                      image->table, image->where, IMAGE_ROWS_MAX + 1),
                         &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (strtoll(count != NULL ? count : "0", NULL, 10) > IMAGE_ROWS_MAX) {
        before_image_refuse(image, error,
                            arena_format(arena, "more than %d rows of %s would be kept",
                                         IMAGE_ROWS_MAX, image->table));
        return error_hint(error, "narrow it with WHERE, or change the rows in several migrations");
    }
    return STATUS_OK;
}

static enum status before_image_keep(struct schema_work *work, const struct act_work *at,
                                     const struct before_image *image, uint32_t index,
                                     struct error *error)
{
    struct arena *arena = work->act_arena;
    const char *name =
        arena_format(arena, REGISTRY "_%" PRIu64 "_%" PRIu32, at->row.number, index + 1);
    const char *rows = NULL;
    if (examine(work, image, error) != STATUS_OK ||
        before_image_run(work, arena_format(arena, "DROP TABLE IF EXISTS %s", name), NULL, error) !=
            STATUS_OK ||
        before_image_run(
            work,
            arena_format(arena, "DELETE FROM " REGISTRY " WHERE act = %" PRIu64 " AND image = %u",
                         at->row.number, index + 1),
            NULL, error) != STATUS_OK ||
        before_image_run(work,
                         arena_format(arena, "CREATE TABLE %s AS SELECT * FROM %s %s", name,
                                      image->table, image->where),
                         NULL, error) != STATUS_OK ||
        before_image_run(work,
                         arena_format(arena,
                                      "INSERT INTO " REGISTRY
                                      " (act, image, version, of_table) VALUES (%" PRIu64
                                      ", %u, %s, %s)",
                                      at->row.number, index + 1,
                                      quote_text(arena, at->act->version != NULL ? at->act->version
                                                                                 : at->act->name),
                                      quote_text(arena, image->table)),
                         NULL, error) != STATUS_OK ||
        before_image_ask(work, arena_format(arena, "SELECT count(*) FROM %s", name), &rows,
                         error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    before_image_tell(
        work, at, arena_format(arena, "%s rows of %s are kept in %s", rows, image->table, name));
    return failpoint_hit("evolve.after_image", error);
}

void work_clear_left_over(struct schema_work *work)
{
    struct kept_image image;
    struct error error = {0};
    const char *there = NULL;
    uint32_t count;
    bool keeps = work->alter->begin != NULL && (work->alter->languages & (1u << ALTER_SQL)) != 0;
    if (!keeps || work->alter->takes_back_ddl ||
        before_image_ask(work, "SELECT count(*) FROM " REGISTRY " WHERE image < 0", &there,
                         &error) != STATUS_OK) {
        return; /* there are no images */
    }
    if (drop_images(work, "image < 0", &count, &image, &error) != STATUS_OK) {
        log_write(LOG_WARNING, "%s, whose rows were put back, is still there: %s",
                  image.name != NULL ? image.name : "a table of images", error.message);
    }
}

enum status work_keep_images(struct schema_work *work, const struct act_work *at,
                             struct error *error)
{
    const struct migration_options *options = &at->act->text->options;
    bool keeps = at->act->action == HISTORY_UP || at->act->action == HISTORY_REPEAT;
    if (options->image_count == 0 || !keeps) {
        return STATUS_OK;
    }
    if ((work->alter->languages & (1u << ALTER_SQL)) == 0 || work->alter->begin == NULL) {
        return before_image_refuse(&options->images[0], error,
                                   "before-images are of SQL databases");
    }
    if (before_image_run(work,
                         "CREATE TABLE IF NOT EXISTS " REGISTRY
                         " (act bigint NOT NULL, image int NOT NULL, "
                         "version varchar(500) NOT NULL, of_table varchar(500) NOT NULL, "
                         "PRIMARY KEY (act, image))",
                         NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < options->image_count; i++) {
        if (before_image_keep(work, at, &options->images[i], i, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- putting back */

enum status work_find_images(struct schema_work *work, struct act_work *at, struct error *error)
{
    const struct schema_entry *entry = at->act->entry;
    struct arena *arena = work->act_arena;
    const char *count = NULL;
    struct error none = {0};
    at->image_count = 0;
    if (at->act->action != HISTORY_DOWN || entry == NULL || work->alter->begin == NULL) {
        return STATUS_OK;
    }
    at->images_of = arena_format(arena, "act = %" PRIu64, entry->applied);
    /* Without the table of images there are none. */
    if (before_image_ask(work,
                         arena_format(arena,
                                      "SELECT count(*) FROM " REGISTRY " WHERE %s AND image > 0",
                                      at->images_of),
                         &count, &none) != STATUS_OK ||
        count == NULL) {
        return none.code == ERROR_NETWORK
                   ? error_set(error, none.code, none.object, "%s", none.message)
                   : STATUS_OK;
    }
    at->image_count = (uint32_t)strtoul(count, NULL, 10);
    return STATUS_OK;
}

static enum status put_back(struct schema_work *work, const struct act_work *at,
                            const struct kept_image *image, struct error *error)
{
    struct arena *arena = work->act_arena;
    bool mysql = work->alter->sql == SQL_MYSQL;
    const char *set = NULL;
    const char *columns = NULL;
    const char *values = NULL;
    const char *match = NULL;
    uint64_t changed = 0;
    uint64_t inserted = 0;
    if (before_image_list(work, image->table, image->name, COLUMNS_VALUE,
                          mysql ? "t.@ = b.@" : "@ = b.@", ", ", &set, error) != STATUS_OK ||
        before_image_list(work, image->table, image->name, COLUMNS_BOTH, "@", ", ", &columns,
                          error) != STATUS_OK ||
        before_image_list(work, image->table, image->name, COLUMNS_BOTH, "b.@", ", ", &values,
                          error) != STATUS_OK ||
        before_image_list(work, image->table, image->name, COLUMNS_KEY, "t.@ = b.@", " AND ",
                          &match, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (columns == NULL || match == NULL) {
        error_set(error, ERROR_MIGRATION_REFUSED, image->table,
                  "its rows can't be put back: it is gone, or has no primary key");
        return error_hint(error, "the rows are in %s", image->name);
    }
    const char *update = mysql ? arena_format(arena, "UPDATE %s t JOIN %s b ON %s SET %s",
                                              image->table, image->name, match, set)
                               : arena_format(arena, "UPDATE %s AS t SET %s FROM %s AS b WHERE %s",
                                              image->table, set, image->name, match);
    const char *insert = arena_format(
        arena,
        "INSERT INTO %s (%s)%s SELECT %s FROM %s b WHERE NOT EXISTS (SELECT 1 FROM %s t WHERE %s)",
        image->table, columns, work->alter->sql == SQL_POSTGRES ? " OVERRIDING SYSTEM VALUE" : "",
        values, image->name, image->table, match);
    if ((set != NULL && before_image_run(work, update, &changed, error) != STATUS_OK) ||
        before_image_run(work, insert, &inserted, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    before_image_tell(
        work, at,
        arena_format(arena, "%s: %" PRIu64 " rows have their former values, %" PRIu64 " are back",
                     image->table, changed, inserted));
    return STATUS_OK;
}

static enum status put_all_back(struct schema_work *work, const struct act_work *at,
                                struct error *error)
{
    struct arena *arena = work->act_arena;
    const char *kept = arena_format(arena, "%s AND image > 0", at->images_of);
    if (work->alter->sql == SQL_MYSQL &&
        before_image_run(work, "SET SESSION group_concat_max_len = 1000000", NULL, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < at->image_count; i++) {
        struct kept_image image = {0};
        if (read_image(work, kept, i, &image, error) != STATUS_OK ||
            (image.act != NULL && put_back(work, at, &image, error) != STATUS_OK)) {
            return STATUS_FAILED;
        }
    }
    return before_image_run(
        work, arena_format(arena, "UPDATE " REGISTRY " SET image = -image WHERE %s", kept), NULL,
        error);
}

void work_clear_images(struct schema_work *work, const struct act_work *at)
{
    struct kept_image image;
    struct error error = {0};
    uint32_t count;
    if (at->image_count == 0 || work->alter->takes_back_ddl) {
        return;
    }
    const char *back = arena_format(work->act_arena, "%s AND image < 0", at->images_of);
    if (failpoint_hit("evolve.before_clear", &error) == STATUS_OK &&
        drop_images(work, back, &count, &image, &error) == STATUS_OK) {
        return;
    }
    const char *version = at->act->version != NULL ? at->act->version : at->act->name;
    log_write(LOG_WARNING,
              "%s is taken back, and a table with the rows that it had kept is left over%s%s: %s; "
              "`transhume schema repair %s DB --drop-before-images` drops it",
              version, image.name != NULL ? ": " : "", image.name != NULL ? image.name : "",
              error.message, version);
}

enum status work_drop_images(struct schema_work *work, const char *version, uint32_t *count,
                             struct error *error)
{
    struct kept_image image;
    const char *there = NULL;
    struct error none = {0};
    struct arena *arena = work->act_arena;
    const char *of = arena_format(arena, "version = %s", quote_text(arena, version));
    *count = 0;
    if (work->alter->begin == NULL || (work->alter->languages & (1u << ALTER_SQL)) == 0) {
        return STATUS_OK;
    }
    /* Without the table of images there are none. */
    if (before_image_ask(work, "SELECT count(*) FROM " REGISTRY, &there, &none) != STATUS_OK) {
        return none.code == ERROR_NETWORK
                   ? error_set(error, none.code, none.object, "%s", none.message)
                   : STATUS_OK;
    }
    return drop_images(work, of, count, &image, error);
}

enum status work_put_images_back(struct schema_work *work, const struct act_work *at,
                                 struct error *error)
{
    struct kept_image image;
    uint32_t count;
    if (at->image_count == 0) {
        return STATUS_OK;
    }
    if (!at->in_transaction && work->alter->begin(work->session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = put_all_back(work, at, error);
    if (status == STATUS_OK && work->alter->takes_back_ddl) {
        status = drop_images(work, at->images_of, &count, &image, error);
    }
    return at->in_transaction ? status : work->alter->end(work->session, status, error);
}
