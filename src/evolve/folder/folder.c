#include "evolve/folder/folder.h"

#include "base/file.h"
#include "base/text.h"
#include "base/trust.h"
#include "evolve/folder/foreign.h"
#include "evolve/folder/version.h"
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 256 << 20 };

const struct migration_format *const migration_formats[] = {&migration_format_sqitch,
                                                            &migration_format_drizzle,
                                                            &migration_format_prisma,
                                                            &migration_format_flyway,
                                                            &migration_format_goose,
                                                            &migration_format_liquibase,
                                                            &migration_format_alembic,
                                                            &migration_format_rails,
                                                            &migration_format_django,
                                                            &migration_format_dbmate,
                                                            &migration_format_migrate,
                                                            &migration_format_own,
                                                            NULL};

/* ---------------------------------------------------------------- for readers of formats */

/* The line of the first byte that is no UTF-8; 0: there is none. */
static uint32_t bad_line(const char *text, size_t length)
{
    uint32_t line = 1;
    if (text_is_utf8(text, length)) {
        return 0;
    }
    for (const char *end = text + length; text < end; line++) {
        const char *next = memchr(text, '\n', (size_t)(end - text));
        size_t size = next == NULL ? (size_t)(end - text) : (size_t)(next - text);
        if (!text_is_utf8(text, size)) {
            break;
        }
        text += size + 1;
    }
    return line;
}

enum status migration_load(struct migration_reader *reader, const char *name,
                           struct migration_text *text, struct error *error)
{
    char *bytes;
    text->path = file_join(reader->arena, reader->folder, name);
    text->line = 1;
    migration_note_told(reader, text->path);
    enum status status =
        migration_read_bytes(reader, text->path, TEXT_BYTES_MAX, &bytes, &text->length, error);
    if (status == STATUS_END) {
        return error_set(error, ERROR_FILE_READ, text->path, "the file is gone");
    }
    if (status != STATUS_OK) {
        return trust_recode(error, ERROR_FILE_READ);
    }
    uint32_t line = bad_line(bytes, text->length);
    bool wide = text->length >= 2 &&
                (memcmp(bytes, "\xFF\xFE", 2) == 0 || memcmp(bytes, "\xFE\xFF", 2) == 0);
    if (line > 0) {
        foreign_fault(reader, text->path, line,
                      wide ? "save it as UTF-8"
                           : "`iconv -f latin1 -t utf8` makes UTF-8 of Latin-1",
                      wide ? "it is UTF-16" : "it is not UTF-8");
        return STATUS_OK;
    }
    if (text->length >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        bytes += 3;
        text->length -= 3;
    }
    text->text = bytes;
    text->whole = bytes;
    migration_checksum(text->text, text->length, text->checksum);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- a folder */

static enum status read_names(struct migration_reader *reader, struct error *error)
{
    enum status status =
        foreign_list(reader->folder, reader->arena, &reader->names, &reader->name_count, error);
    if (status == STATUS_END) {
        error_set(error, ERROR_MIGRATION_INVALID, reader->folder,
                  "there is no such folder of migrations");
        return error_hint(error, "`transhume schema new NAME` makes it, with a first migration; "
                                 "--dir names another");
    }
    return status;
}

static enum status choose_format(const struct migration_reader *reader, const char *name,
                                 const struct migration_format **format, struct error *error)
{
    const char *names[32];
    size_t count = 0;
    for (const struct migration_format *const *at = migration_formats; *at != NULL; at++) {
        names[count++] = (*at)->name;
        if (name != NULL ? strcmp((*at)->name, name) == 0 : (*at)->recognises(reader)) {
            *format = *at;
            return STATUS_OK;
        }
    }
    error_set(error, ERROR_USAGE, name, "is no layout of migrations that is known");
    const char *nearest = text_nearest(name, names, count);
    return nearest == NULL ? STATUS_FAILED : error_hint(error, "Did you mean `%s`?", nearest);
}

static int compare_items(const void *left, const void *right)
{
    const struct migration *a = left;
    const struct migration *b = right;
    bool repeats = a->kind == MIGRATION_REPEATABLE;
    if (repeats != (b->kind == MIGRATION_REPEATABLE)) {
        return repeats ? 1 : -1;
    }
    int order = strcmp(repeats ? a->name : a->key, repeats ? b->name : b->key);
    if (order != 0 || a->kind == b->kind) {
        return order;
    }
    return a->kind == MIGRATION_BASELINE ? -1 : 1;
}

/* Versions of numbers are in their order; where one is none, or the layout has an order of its own,
 * the reader has put them in one. */
static void sort_items(struct migration_reader *reader, bool ordered)
{
    for (uint32_t i = 0; i < reader->count; i++) {
        struct migration *item = &reader->items[i];
        if (item->version != NULL && item->key == NULL) {
            item->key = migration_version_key(item->version, reader->arena);
        }
        ordered = ordered || (item->key != NULL && !migration_version_is_number(item->key));
    }
    if (!ordered && reader->count > 0) {
        qsort(reader->items, reader->count, sizeof(*reader->items), compare_items);
    }
}

static void find_doubles(struct migration_reader *reader)
{
    for (uint32_t i = 0; i < reader->count; i++) {
        const struct migration *b = &reader->items[i];
        const char *second = b->kind == MIGRATION_REPEATABLE ? b->name : b->key;
        uint32_t found = name_index_add(&reader->seen[b->kind], second, strlen(second), i);
        if (found != NAME_INDEX_NONE) {
            const struct migration *a = &reader->items[found];
            reader->faults->file = b->up.path != NULL ? b->up.path : b->down.path;
            plan_fault_at(reader->faults, ERROR_MIGRATION_INVALID, 1, 1,
                          "give one of them another version", "its version is that of %s",
                          a->up.path != NULL ? a->up.path : a->down.path);
        }
    }
}

static bool is_change(const char *name)
{
    return text_ends_with(name, MIGRATION_CHANGE_ENDING) && migration_version_length(name) > 0;
}

/* A version is that of one file, a migration or a change. */
static void check_change(struct migration_reader *reader, const char *name, const char *key)
{
    for (uint32_t i = 0; i < reader->count; i++) {
        const struct migration *item = &reader->items[i];
        if (item->kind == MIGRATION_VERSIONED && strcmp(item->key, key) == 0) {
            reader->faults->file = file_join(reader->arena, reader->folder, name);
            plan_fault_at(reader->faults, ERROR_MIGRATION_INVALID, 1, 1,
                          "give one of them another version", "its version is that of %s",
                          item->up.path != NULL ? item->up.path : item->down.path);
        }
    }
}

static int compare_changes(const void *left, const void *right)
{
    const struct migration_change *a = left;
    const struct migration_change *b = right;
    return strcmp(a->key, b->key);
}

static void find_changes(struct migration_reader *reader, struct migration_set *set)
{
    struct migration_change *changes =
        arena_allocate_zeroed(reader->arena, reader->name_count + 1, sizeof(*changes));
    uint32_t count = 0;
    for (uint32_t i = 0; i < reader->name_count; i++) {
        const char *name = reader->names[i];
        if (!is_change(name)) {
            continue;
        }
        size_t length = migration_version_length(name);
        struct migration_change *change = &changes[count++];
        change->version = arena_copy(reader->arena, name, length);
        change->key = migration_version_key(change->version, reader->arena);
        change->path = file_join(reader->arena, reader->folder, name);
        name += length + (name[length] == '_');
        change->name =
            arena_copy(reader->arena, name, strlen(name) - strlen(MIGRATION_CHANGE_ENDING));
        check_change(reader, reader->names[i], change->key);
    }
    qsort(changes, count, sizeof(*changes), compare_changes);
    set->changes = changes;
    set->change_count = count;
}

static enum status read_folder(const char *folder, const char *format, bool only_looks,
                               struct arena *arena, struct migration_set *set,
                               struct plan_faults *faults, struct error *error)
{
    const struct migration_format *found = NULL;
    struct name_index told = {.arena = arena};
    struct migration_reader reader = {
        .folder = folder,
        .only_looks = only_looks,
        .arena = arena,
        .faults = faults,
        .seen = {{.arena = arena}, {.arena = arena}, {.arena = arena}},
        .told = &told};
    if (read_names(&reader, error) != STATUS_OK ||
        choose_format(&reader, format, &found, error) != STATUS_OK || found == NULL ||
        found->read(&reader, error) != STATUS_OK ||
        migration_name_left_out(&reader, found->title, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    sort_items(&reader, found->orders);
    find_doubles(&reader);
    *set = (struct migration_set){.folder = folder,
                                  .format = found->name,
                                  .items = reader.items,
                                  .count = reader.count,
                                  .is_graph = found->is_graph};
    find_changes(&reader, set);
    return plan_faults_result(faults, error);
}

enum status migration_folder_read(const char *folder, const char *format, struct arena *arena,
                                  struct migration_set *set, struct plan_faults *faults,
                                  struct error *error)
{
    return read_folder(folder, format, false, arena, set, faults, error);
}

enum status migration_folder_look(const char *folder, const char *format, struct arena *arena,
                                  struct migration_set *set, struct plan_faults *faults,
                                  struct error *error)
{
    return read_folder(folder, format, true, arena, set, faults, error);
}

const struct migration *migration_by_key(const struct migration_set *set, const char *key)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const struct migration *item = &set->items[i];
        if (item->kind == MIGRATION_VERSIONED && strcmp(item->key, key) == 0) {
            return item;
        }
    }
    return NULL;
}

static uint32_t place_of(const struct migration_set *set, const char *key)
{
    const struct migration *item = migration_by_key(set, key);
    return item == NULL ? UINT32_MAX : (uint32_t)(item - set->items);
}

bool migration_is_up_to(const struct migration_set *set, const char *key, const char *limit)
{
    if (migration_version_is_number(key) && migration_version_is_number(limit)) {
        return strcmp(key, limit) <= 0;
    }
    uint32_t place = place_of(set, key);
    uint32_t end = place_of(set, limit);
    return strcmp(key, limit) == 0 || (place != UINT32_MAX && end != UINT32_MAX && place <= end);
}

const struct migration *migration_repeatable(const struct migration_set *set, const char *name)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const struct migration *item = &set->items[i];
        if (item->kind == MIGRATION_REPEATABLE && strcmp(item->name, name) == 0) {
            return item;
        }
    }
    return NULL;
}
