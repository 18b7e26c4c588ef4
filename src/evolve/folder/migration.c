/* One migration of a folder: its bytes, its name, what its texts are cut into. */
#include "base/file.h"
#include "base/text.h"
#include "base/trust.h"
#include "evolve/folder/folder.h"
#include <string.h>

const char *migration_ending(enum alter_language language)
{
    static const char *const endings[ALTER_LANGUAGE_COUNT] = {
        [ALTER_SQL] = ".sql",   [ALTER_CQL] = ".cql",          [ALTER_DYNAMODB] = ".dynamodb.json",
        [ALTER_HTTP] = ".http", [ALTER_MONGO] = ".mongo.json",
    };
    return endings[language];
}

struct migration *migration_add(struct migration_reader *reader)
{
    reader->items = arena_make_room(reader->arena, reader->items, reader->count, &reader->capacity,
                                    sizeof(*reader->items));
    struct migration *item = &reader->items[reader->count++];
    *item = (struct migration){.up.options = {.lock_ms = -1, .statement_ms = -1},
                               .down.options = {.lock_ms = -1, .statement_ms = -1}};
    return item;
}

void migration_note_told(struct migration_reader *reader, const char *path)
{
    if (reader->told != NULL) {
        (void)name_index_add(reader->told, path, strlen(path), 0);
    }
}

enum status migration_read_bytes(const struct migration_reader *reader, const char *path,
                                 size_t limit_bytes, char **bytes, size_t *length,
                                 struct error *error)
{
    return (reader->only_looks ? file_read_all : trust_read_file)(path, limit_bytes, reader->arena,
                                                                  bytes, length, error);
}

void migration_cut(const struct migration_text *whole, size_t offset, size_t length,
                   struct migration_text *part)
{
    part->path = whole->path;
    part->whole = whole->whole;
    part->text = whole->text + offset;
    part->length = length;
    part->line = whole->line;
    for (size_t i = 0; i < offset; i++) {
        part->line += whole->text[i] == '\n';
    }
    migration_checksum(part->text, part->length, part->checksum);
}

struct migration *migration_find(const struct migration_reader *reader, const char *version)
{
    for (uint32_t i = 0; i < reader->count; i++) {
        if (strcmp(reader->items[i].version, version) == 0) {
            return &reader->items[i];
        }
    }
    return NULL;
}
