/*
 * Static columns have one value a partition, and repairing a record for one of them changes it for
 * all others. So what a repair is to write is looked at by partition before it begins. Where every
 * record of the partition differs there but for extra ones that the repair deletes, and the
 * source's agree, their value is right; else what the partition holds is, and records that
 * contradict it are told and left out. Sorted strings:
 *
 *   uint32 table | 16 bytes hash of the partition's key | uint64 line of repair.jsonl
 *   | uint8 flags | 16 bytes hash of the static values | key as JSON | NUL | why it contradicts
 */
#include "connectors/contract/defaults.h"
#include "verify/repair.h"

#include "base/bytes.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/common/spill_sort.h"
#include "engine/formats/typed_json.h"
#include "model/canonical.h"
#include "model/json_reader.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SORT_BYTES = 8 << 20, GROUP_BYTES = 20, HEAD_BYTES = 45, DEPTH_MAX = 100, SHOWN_MAX = 20 };
enum { FLAG_THERE = 1, FLAG_DIFFERS = 2, FLAG_PRESENT = 4, FLAG_EXTRA = 8 };

/* A line of a partition; of an extra record, which comes behind all others, UINT64_MAX. */
struct item {
    uint64_t line;
    uint8_t flags;
    uint8_t hash[16];
    const char *why;
};

struct settling {
    struct repair_files *files;
    struct spill_sorter *sorter;
    struct arena *arena; /* of one partition */
    uint8_t group[GROUP_BYTES];
    const char *key;
    struct item *items;
    size_t count;
    size_t capacity;
    uint64_t extra_count; /* of the partition, not among the items */
    uint64_t *refused;    /* lines */
    size_t refused_count;
};

static struct database *target_of(const struct repair_files *files)
{
    return files->verify->session->target;
}

static bool is_shared(const struct repair_files *files, uint32_t table)
{
    return !files->verify->tables[table].plan->statics_proven &&
           connector_columns(target_of(files)->connector)->static_conflict != NULL;
}

bool repair_tells_different(const struct repair_files *files, uint32_t table)
{
    return is_shared(files, table);
}

/* ---------------------------------------------------------------- lines */

static enum status repair_places_parse(const char *text, size_t length, struct arena *arena,
                                       struct cell *fields, struct error *error)
{
    struct json_reader reader;
    enum json_token token;
    json_reader_init(&reader, text, length, DEPTH_MAX, arena);
    enum status status = json_reader_next(&reader, &token, error);
    return status == STATUS_OK ? typed_json_read_fields(&reader, token, arena, fields, error)
                               : STATUS_FAILED;
}

static int32_t table_of(const struct repair_files *files, const struct cell *name)
{
    for (uint32_t i = 0; name != NULL && name->kind == VALUE_TEXT && i < files->verify->table_count;
         i++) {
        const char *table = files->verify->tables[i].plan->target.name;
        if (strlen(table) == name->length && memcmp(table, name->text, name->length) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

static const struct shape *shape_of(const struct repair_files *files, const struct cell *name)
{
    const struct verify *verify = files->verify;
    const struct shape *shape = NULL;
    for (uint32_t i = 0; name != NULL && name->kind == VALUE_TEXT && i < verify->entity_count;
         i++) {
        const struct plan_entity *entity = verify->entities[i].plan;
        if (strlen(entity->name) == name->length &&
            memcmp(entity->name, name->text, name->length) == 0) {
            shape = entity->shape;
        }
    }
    return shape;
}

/* With nulls for the static columns that the record's entity fills, and that it has not. */
static struct cell complete(const struct cell *record, const struct shape *shape,
                            struct column_list statics, struct arena *arena)
{
    uint32_t count = record->length;
    struct cell *pairs =
        arena_allocate_zeroed(arena, 2 * ((size_t)count + statics.count) + 1, sizeof(*pairs));
    memcpy(pairs, record->items, 2 * (size_t)count * sizeof(*pairs));
    for (uint32_t i = 0; i < statics.count; i++) {
        const char *name = statics.names[i];
        bool fills =
            shape != NULL && (shape->field_count == 0 || shape_field_find(shape, name) >= 0);
        if (fills && value_field(record, name) == NULL) {
            pairs[2 * (size_t)count] = cell_text(name, strlen(name));
            pairs[2 * (size_t)count + 1] = cell_null();
            count++;
        }
    }
    return cell_items(VALUE_MAP, pairs, count);
}

/* The normal forms of the fields as one hash. `*any`: the record has one of them. */
static enum status hash_fields(const struct repair_files *files, const struct cell *record,
                               struct column_list names, struct arena *arena, uint8_t hash[16],
                               bool *any, struct error *error)
{
    struct database *target = target_of(files);
    struct cell *cells = arena_allocate_zeroed(arena, names.count + 1u, sizeof(*cells));
    struct canonical_hash made;
    struct buffer scratch = {0};
    enum status status = STATUS_OK;
    *any = false;
    for (uint32_t i = 0; i < names.count && status == STATUS_OK; i++) {
        const struct cell *value = value_field(record, names.names[i]);
        *any = *any || value != NULL;
        cells[i] = cell_null();
        if (value != NULL && value->kind != VALUE_NULL) {
            status = target->connector->target->normal_form(target, value, arena, &cells[i], error);
        }
    }
    status = status == STATUS_OK ? canonical_hash_cells(cells, names.count, &scratch, &made, error)
                                 : status;
    buffer_free(&scratch);
    if (status == STATUS_OK) {
        memcpy(hash, &made, 16);
    }
    return status;
}

static enum status append_key(const struct target_table *table, const struct cell *record,
                              struct arena *arena, struct buffer *out, struct error *error)
{
    struct cell *pairs =
        arena_allocate_zeroed(arena, 2 * (size_t)table->key.count + 1, sizeof(*pairs));
    for (uint32_t i = 0; i < table->key.count; i++) {
        const struct cell *value = value_field(record, table->key.names[i]);
        pairs[2 * i] = cell_text(table->key.names[i], strlen(table->key.names[i]));
        pairs[2 * i + 1] = value != NULL ? *value : cell_null();
    }
    const struct cell key = cell_items(VALUE_MAP, pairs, table->key.count);
    return typed_json_append_fields(&key, NULL, out, error);
}

static enum status add_record(struct settling *settling, uint32_t number, uint64_t line, bool there,
                              const struct cell *record, struct error *error)
{
    struct repair_files *files = settling->files;
    const struct plan_table *table = files->verify->tables[number].plan;
    const struct column_functions *columns = connector_columns(target_of(files)->connector);
    uint8_t head[HEAD_BYTES];
    bool any = false;
    uint64_t records = 0;
    const char *why = NULL;
    struct buffer string = {0};
    if (hash_fields(files, record, table->statics, settling->arena, head + 29, &any, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!any) {
        return STATUS_OK; /* it says nothing of them */
    }
    enum status status =
        hash_fields(files, record, table->partition, settling->arena, head + 4, &any, error);
    status = status == STATUS_OK
                 ? columns->static_conflict(target_of(files), &table->target, record, false,
                                            settling->arena, &records, &why, error)
                 : status;
    bytes_put_be(head, number, 4);
    bytes_put_be(head + 20, line, 8);
    head[28] = (uint8_t)((there ? FLAG_THERE : 0) | (why != NULL ? FLAG_DIFFERS : 0) |
                         (records > 0 ? FLAG_PRESENT : 0));
    buffer_append(&string, head, sizeof(head));
    status = status == STATUS_OK
                 ? append_key(&table->target, record, settling->arena, &string, error)
                 : status;
    buffer_append_byte(&string, '\0');
    buffer_append_string(&string, why != NULL ? why : "");
    status = status == STATUS_OK
                 ? spill_sorter_add(settling->sorter, string.data, string.length, error)
                 : status;
    buffer_free(&string);
    return status;
}

static enum status take_line(struct settling *settling, uint64_t line, const char *text,
                             size_t length, struct error *error)
{
    struct cell fields = cell_missing();
    arena_reset(settling->arena);
    enum status status = repair_places_parse(text, length, settling->arena, &fields, error);
    const struct cell *record = status == STATUS_OK ? value_field(&fields, "record") : NULL;
    int32_t table =
        status == STATUS_OK ? table_of(settling->files, value_field(&fields, "table")) : -1;
    if (table < 0 || record == NULL || record->kind != VALUE_MAP ||
        !is_shared(settling->files, (uint32_t)table)) {
        return status;
    }
    const struct cell whole =
        complete(record, shape_of(settling->files, value_field(&fields, "entity")),
                 settling->files->verify->tables[table].plan->statics, settling->arena);
    return add_record(settling, (uint32_t)table, line, value_field(&fields, "found") != NULL,
                      &whole, error);
}

/* A record of the target. */
static enum status take_extra(struct settling *settling, uint64_t line, const char *text,
                              size_t length, struct error *error)
{
    struct repair_files *files = settling->files;
    struct cell fields = cell_missing();
    uint8_t head[HEAD_BYTES] = {0};
    bool any = false;
    (void)line;
    arena_reset(settling->arena);
    enum status status = repair_places_parse(text, length, settling->arena, &fields, error);
    const struct cell *key = status == STATUS_OK ? value_field(&fields, "key") : NULL;
    int32_t table = status == STATUS_OK ? table_of(files, value_field(&fields, "table")) : -1;
    if (table < 0 || key == NULL || key->kind != VALUE_MAP) {
        return status;
    }
    status = hash_fields(files, key, files->verify->tables[table].plan->partition, settling->arena,
                         head + 4, &any, error);
    bytes_put_be(head, (uint32_t)table, 4);
    bytes_put_be(head + 20, UINT64_MAX, 8);
    head[28] = FLAG_EXTRA;
    struct buffer string = {0};
    buffer_append(&string, head, sizeof(head));
    buffer_append(&string, "\0", 2);
    status = status == STATUS_OK
                 ? spill_sorter_add(settling->sorter, string.data, string.length, error)
                 : status;
    buffer_free(&string);
    return status;
}

typedef enum status line_taker(struct settling *settling, uint64_t line, const char *text,
                               size_t length, struct error *error);

static enum status take_lines(struct settling *settling, const char *path, line_taker *take,
                              struct error *error)
{
    struct file_lines lines;
    uint64_t line = 0;
    enum status status = file_lines_open(&lines, path, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    while (status == STATUS_OK && (status = file_lines_next(&lines, error)) == STATUS_OK) {
        status = take(settling, line++, lines.line, lines.length, error);
    }
    file_lines_close(&lines);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- partitions */

/* How many records the partition has in the target. */
static enum status count_there(struct settling *settling, uint64_t *records, struct error *error)
{
    uint32_t table = (uint32_t)bytes_get_be(settling->group, 4);
    struct database *target = target_of(settling->files);
    struct cell key = cell_missing();
    const char *ignored = NULL;
    return repair_places_parse(settling->key, strlen(settling->key), settling->arena, &key,
                               error) == STATUS_OK
               ? connector_columns(target->connector)
                     ->static_conflict(target, &settling->files->verify->tables[table].plan->target,
                                       &key, true, settling->arena, records, &ignored, error)
               : STATUS_FAILED;
}

/* The line whose value the partition is to have; NULL: it is to keep its own, `*behind_extra`:
 * since extra records have it. */
static enum status find_winner(struct settling *settling, const struct item **winner,
                               bool *behind_extra, struct error *error)
{
    uint64_t going = settling->files->verify->options.delete_extra ? settling->extra_count : 0;
    const struct item *first = NULL;
    uint64_t differing = 0;
    uint64_t records = 0;
    bool agree = true;
    *winner = NULL;
    *behind_extra = false;
    if ((settling->items[0].flags & FLAG_PRESENT) == 0) {
        *winner = &settling->items[0];
        return STATUS_OK;
    }
    for (size_t i = 0; i < settling->count; i++) {
        const struct item *item = &settling->items[i];
        if ((item->flags & FLAG_THERE) != 0 && (item->flags & FLAG_DIFFERS) != 0) {
            first = first != NULL ? first : item;
            agree = agree && memcmp(first->hash, item->hash, sizeof(item->hash)) == 0;
            differing++;
        }
    }
    if ((differing == 0 && settling->extra_count == 0) || !agree) {
        return STATUS_OK;
    }
    first = first != NULL ? first : &settling->items[0];
    enum status status = count_there(settling, &records, error);
    *winner = status == STATUS_OK && records == differing + going ? first : NULL;
    *behind_extra =
        status == STATUS_OK && *winner == NULL && records == differing + settling->extra_count;
    return status;
}

static void repair_places_refuse(struct settling *settling, const struct item *item,
                                 bool behind_extra)
{
    struct repair_files *files = settling->files;
    uint32_t number = (uint32_t)bytes_get_be(settling->group, 4);
    const char *table = files->verify->tables[number].plan->target.name;
    uint64_t *count = behind_extra ? &files->behind_extra_count : &files->contradicting_count;
    if ((*count)++ < SHOWN_MAX) {
        log_write(LOG_WARNING, "table %s: a record is not repaired: %s", table,
                  item->why[0] != '\0' ? item->why
                                       : "another record of its partition has another value of a "
                                         "static column");
    }
    files->write_count--;
    files->writes_of[number]--;
    settling->refused =
        memory_resize(settling->refused, settling->refused_count + 1, sizeof(uint64_t));
    settling->refused[settling->refused_count++] = item->line;
}

static enum status end_group(struct settling *settling, struct error *error)
{
    const struct item *winner = NULL;
    bool behind_extra = false;
    enum status status =
        settling->count == 0 ? STATUS_OK : find_winner(settling, &winner, &behind_extra, error);
    for (size_t i = 0; i < settling->count && status == STATUS_OK; i++) {
        const struct item *item = &settling->items[i];
        bool right = winner != NULL ? memcmp(winner->hash, item->hash, sizeof(item->hash)) == 0
                                    : (item->flags & FLAG_DIFFERS) == 0;
        if (!right) {
            repair_places_refuse(settling, item, behind_extra);
        }
    }
    settling->count = 0;
    settling->extra_count = 0;
    return status;
}

static enum status take_string(struct settling *settling, const uint8_t *bytes, size_t length,
                               struct error *error)
{
    bool begun = settling->count + settling->extra_count > 0;
    if (!begun || memcmp(settling->group, bytes, GROUP_BYTES) != 0) {
        if (end_group(settling, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        arena_reset(settling->arena);
        memcpy(settling->group, bytes, GROUP_BYTES);
    }
    if ((bytes[28] & FLAG_EXTRA) != 0) {
        settling->extra_count++;
        return STATUS_OK;
    }
    const char *text = arena_copy(settling->arena, bytes + HEAD_BYTES, length - HEAD_BYTES);
    if (settling->count == settling->capacity) {
        settling->capacity = settling->capacity == 0 ? 64 : 2 * settling->capacity;
        settling->items =
            memory_resize(settling->items, settling->capacity, sizeof(*settling->items));
    }
    struct item *item = &settling->items[settling->count++];
    *item = (struct item){
        .line = bytes_get_be(bytes + 20, 8), .flags = bytes[28], .why = text + strlen(text) + 1};
    memcpy(item->hash, bytes + 29, sizeof(item->hash));
    settling->key = text;
    return STATUS_OK;
}

static enum status repair_places_walk(struct settling *settling, struct error *error)
{
    const uint8_t *bytes = NULL;
    size_t length = 0;
    enum status status = spill_sorter_finish(settling->sorter, error);
    while (status == STATUS_OK &&
           (status = spill_sorter_next(settling->sorter, &bytes, &length, error)) == STATUS_OK) {
        status = take_string(settling, bytes, length, error);
    }
    return status == STATUS_END ? end_group(settling, error) : status;
}

/* ---------------------------------------------------------------- leaving out */

static int compare_lines(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static enum status copy_others(const struct settling *settling, FILE *out, struct error *error)
{
    struct file_lines lines;
    size_t next = 0;
    enum status status =
        file_lines_open(&lines, settling->files->write_path, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint64_t line = 0; (status = file_lines_next(&lines, error)) == STATUS_OK; line++) {
        if (next < settling->refused_count && settling->refused[next] == line) {
            next++;
        } else if (fwrite(lines.line, 1, lines.length, out) != lines.length) {
            status = repair_cant_write(settling->files->write_path, error);
            break;
        }
    }
    file_lines_close(&lines);
    return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
}

/* repair.jsonl without them. */
static enum status leave_out(const struct settling *settling, struct error *error)
{
    const char *path = settling->files->write_path;
    char *next = memory_format("%s.new", path);
    FILE *out = repair_create(next);
    qsort(settling->refused, settling->refused_count, sizeof(uint64_t), compare_lines);
    enum status status =
        out != NULL ? copy_others(settling, out, error) : repair_cant_write(next, error);
    if (out != NULL && !repair_close_synced(out) && status == STATUS_OK) {
        status = repair_cant_write(next, error);
    }
    if (status == STATUS_OK && rename(next, path) != 0) {
        status = repair_cant_write(path, error);
    }
    free(next);
    return status;
}

enum status repair_settle_places(struct repair_files *files, struct error *error)
{
    struct verify *verify = files->verify;
    struct settling settling = {.files = files};
    bool any = false;
    for (uint32_t i = 0; i < verify->table_count; i++) {
        any = any || (files->writes_of[i] > 0 && is_shared(files, i));
    }
    if (!any) {
        unlink(files->extra_path);
        return STATUS_OK;
    }
    char *prefix = memory_format("%s/repair-places", verify->run->folder.path);
    settling.sorter = spill_sorter_create(prefix, SORT_BYTES);
    settling.arena = arena_create(0);
    enum status status = take_lines(&settling, settling.files->write_path, take_line, error);
    status = status == STATUS_OK
                 ? take_lines(&settling, settling.files->extra_path, take_extra, error)
                 : status;
    unlink(files->extra_path);
    status = status == STATUS_OK ? repair_places_walk(&settling, error) : status;
    status =
        status == STATUS_OK && settling.refused_count > 0 ? leave_out(&settling, error) : status;
    free(prefix);
    spill_sorter_destroy(settling.sorter);
    arena_destroy(settling.arena);
    free(settling.items);
    free(settling.refused);
    return status;
}
