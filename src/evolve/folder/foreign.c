#include "evolve/folder/foreign.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/trust.h"
#include "evolve/folder/version.h"
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SMALL_BYTES_MAX = 16 << 20, DEPTH_MAX = 8 };

/* ---------------------------------------------------------------- names */

enum status foreign_list(const char *folder, struct arena *arena, char *const **names,
                         uint32_t *count, struct error *error)
{
    struct entries entries;
    const char *name;
    char **list = NULL;
    uint32_t capacity = 0;
    *count = 0;
    enum status status = entries_open(&entries, folder, ERROR_FILE_READ, error);
    if (status != STATUS_OK) {
        return status;
    }
    while ((status = entries_next(&entries, &name, error)) == STATUS_OK) {
        if (name[0] == '.') {
            continue;
        }
        list = arena_make_room(arena, list, *count, &capacity, sizeof(*list));
        list[(*count)++] = arena_copy_string(arena, name);
    }
    entries_close(&entries);
    if (*count > 0) {
        qsort(list, *count, sizeof(*list), text_compare_strings);
    }
    *names = list;
    return status == STATUS_END ? STATUS_OK : status;
}

static bool is_folder(const struct migration_reader *reader, const char *name)
{
    return file_exists(arena_format(reader->arena, "%s/%s/.", reader->folder, name));
}

static enum status walk_below(struct migration_reader *reader, const char *folder, int depth,
                              const char *ending, struct foreign_files *files, struct error *error)
{
    char *const *names;
    uint32_t count = 0;
    const char *path =
        *folder == '\0' ? reader->folder : file_join(reader->arena, reader->folder, folder);
    enum status status = foreign_list(path, reader->arena, &names, &count, error);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        const char *name = *folder == '\0' ? names[i] : file_join(reader->arena, folder, names[i]);
        bool wanted = *ending == '\0' || text_ends_with(name, ending);
        if ((!wanted || *ending == '\0') && is_folder(reader, name)) {
            status = depth < DEPTH_MAX ? walk_below(reader, name, depth + 1, ending, files, error)
                                       : STATUS_OK;
        } else if (wanted) {
            files->names = arena_make_room(reader->arena, files->names, files->count,
                                           &files->capacity, sizeof *files->names);
            files->names[files->count++] = name;
        }
    }
    return status;
}

enum status foreign_walk(struct migration_reader *reader, const char *ending,
                         struct foreign_files *files, struct error *error)
{
    *files = (struct foreign_files){0};
    enum status status = walk_below(reader, "", 0, ending, files, error);
    return status == STATUS_END ? STATUS_OK : status;
}

bool foreign_begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

bool foreign_exists(const struct migration_reader *reader, const char *name)
{
    return file_exists(file_join(reader->arena, reader->folder, name));
}

/* ---------------------------------------------------------------- lines */

bool foreign_next_line(const char *text, size_t length, struct foreign_line *line)
{
    if (line->end >= length) {
        return false;
    }
    const char *begin = text + line->end;
    const char *end = memchr(begin, '\n', length - line->end);
    line->text = begin;
    line->begin = line->end;
    line->length = end != NULL ? (size_t)(end - begin) : length - line->end;
    line->end += line->length + (end != NULL);
    line->number++;
    if (line->length > 0 && begin[line->length - 1] == '\r') {
        line->length--;
    }
    return true;
}

bool foreign_is_line(const struct foreign_line *line, const char *word)
{
    const char *text = line->text;
    size_t length = line->length;
    while (length > 0 && strchr(" \t", *text) != NULL) {
        text++;
        length--;
    }
    while (length > 0 && strchr(" \t", text[length - 1]) != NULL) {
        length--;
    }
    return length == strlen(word) && strncasecmp(text, word, length) == 0;
}

bool foreign_has_line(const char *text, size_t length, const char *word)
{
    struct foreign_line line = {0};
    size_t size = strlen(word);
    while (foreign_next_line(text, length, &line)) {
        if (line.length >= size && strncmp(line.text, word, size) == 0) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- texts */

void foreign_fault(struct migration_reader *reader, const char *path, uint32_t line,
                   const char *hint, const char *what)
{
    migration_note_told(reader, path);
    reader->faults->file = path;
    plan_fault_at(reader->faults, ERROR_MIGRATION_INVALID, line, 1, hint, "%s", what);
}

const char *foreign_digest(const char *algorithm, const char *bytes, size_t length,
                           struct arena *arena)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    struct buffer hex = {0};
    if (EVP_Digest(bytes, length, digest, &size, EVP_get_digestbyname(algorithm), NULL) != 1) {
        memory_exhausted(0); /* there is no other reason */
    }
    buffer_append_hex(&hex, digest, size);
    const char *kept = arena_copy_string(arena, buffer_string(&hex));
    buffer_free(&hex);
    return kept;
}

enum status foreign_read(struct migration_reader *reader, const char *name, char **text,
                         size_t *length, struct error *error)
{
    *text = NULL;
    *length = 0;
    enum status status =
        migration_read_bytes(reader, file_join(reader->arena, reader->folder, name),
                             SMALL_BYTES_MAX, text, length, error);
    return status == STATUS_END  ? STATUS_OK
           : status == STATUS_OK ? STATUS_OK
                                 : trust_recode(error, ERROR_FILE_READ);
}

char *foreign_own(struct migration_text *text, struct arena *arena)
{
    size_t before = (size_t)(text->text - text->whole);
    char *copy = arena_copy(arena, text->whole, before + text->length);
    text->whole = copy;
    text->text = copy + before;
    return copy + before;
}

void foreign_blank(char *text, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        text[i] = text[i] == '\n' || text[i] == '\r' ? text[i] : ' ';
    }
}

void foreign_blank_transactions(char *text, size_t length)
{
    static const char *const words[] = {"BEGIN;", "COMMIT;", "ROLLBACK;", "START TRANSACTION;",
                                        "BEGIN TRANSACTION;"};
    struct foreign_line line = {0};
    while (foreign_next_line(text, length, &line)) {
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            if (foreign_is_line(&line, words[i])) {
                foreign_blank(text, line.begin, line.end);
                break;
            }
        }
    }
}

/* ---------------------------------------------------------------- orders */

void foreign_require(struct migration_options *options, const char *version, struct arena *arena)
{
    struct column_list *list = &options->requires;
    const char **names = arena_allocate_zeroed(arena, list->count + 1, sizeof(*names));
    for (uint32_t i = 0; i < list->count; i++) {
        names[i] = list->names[i];
    }
    names[list->count] = version;
    *list = (struct column_list){names, list->count + 1};
}

/* Items on their way into an order. */
struct ordering {
    struct migration_reader *reader;
    struct name_index index; /* of items by key */
    bool *placed;
};

static bool is_ready(const struct ordering *ordering, const struct migration *item)
{
    const struct column_list *requires = &item->up.options.requires;
    for (uint32_t i = 0; i < requires->count; i++) {
        const char *key = migration_version_key(requires->names[i], ordering->reader->arena);
        uint32_t found = name_index_find(&ordering->index, key, strlen(key));
        if (found != NAME_INDEX_NONE && !ordering->placed[found]) {
            return false;
        }
    }
    return true;
}

/* The first that is ready and not placed; UINT32_MAX: none is. */
static uint32_t next_ready(const struct ordering *ordering)
{
    for (uint32_t i = 0; i < ordering->reader->count; i++) {
        if (!ordering->placed[i] && is_ready(ordering, &ordering->reader->items[i])) {
            return i;
        }
    }
    return UINT32_MAX;
}

enum status foreign_order(struct migration_reader *reader, struct error *error)
{
    struct ordering ordering = {.reader = reader, .index = {.arena = reader->arena}};
    struct migration *ordered =
        arena_allocate_zeroed(reader->arena, reader->count + 1u, sizeof(*ordered));
    ordering.placed = arena_allocate_zeroed(reader->arena, reader->count + 1u, sizeof(bool));
    for (uint32_t i = 0; i < reader->count; i++) {
        struct migration *item = &reader->items[i];
        item->key = migration_version_key(item->version, reader->arena);
        (void)name_index_add(&ordering.index, item->key, strlen(item->key), i);
    }
    for (uint32_t i = 0; i < reader->count; i++) {
        uint32_t next = next_ready(&ordering);
        if (next == UINT32_MAX) {
            error_set(error, ERROR_MIGRATION_INVALID, reader->folder,
                      "its migrations require one another in a circle");
            return STATUS_FAILED;
        }
        ordering.placed[next] = true;
        ordered[i] = reader->items[next];
    }
    reader->items = ordered;
    reader->capacity = reader->count + 1u;
    return STATUS_OK;
}
