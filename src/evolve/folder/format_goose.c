/*
 * The layout of goose: 001_users.sql with lines `-- +goose Up` and `-- +goose Down`. What stands
 * before the first of them is ignored, and so are StatementBegin and StatementEnd, since statements
 * are told apart by their dialect.
 */
#include "base/file.h"
#include "base/text.h"
#include "evolve/folder/foreign.h"
#include "evolve/folder/version.h"
#include <string.h>

enum { LOOK_BYTES_MAX = 16 << 20 };

static const char mark[] = "-- +goose ";

static bool recognise_goose(const struct migration_reader *reader)
{
    struct error ignored;
    for (uint32_t i = 0; i < reader->name_count; i++) {
        char *text = NULL;
        size_t length = 0;
        if (text_ends_with(reader->names[i], ".sql") &&
            migration_version_length(reader->names[i]) > 0) {
            return file_read_all(file_join(reader->arena, reader->folder, reader->names[i]),
                                 LOOK_BYTES_MAX, reader->arena, &text, &length,
                                 &ignored) == STATUS_OK &&
                   memmem(text, length, mark, sizeof mark - 1) != NULL;
        }
    }
    return false;
}

/* A line of a mark, and what it says behind it. */
struct goose_mark {
    size_t begin;
    size_t end; /* behind the line */
    const char *words;
    size_t length;
};

/* The next mark from `at` on; false: there is none. */
static bool find_mark(const struct migration_text *text, size_t at, struct goose_mark *found)
{
    while (at < text->length) {
        const char *line = text->text + at;
        const char *end = memchr(line, '\n', text->length - at);
        size_t length = end != NULL ? (size_t)(end - line) : text->length - at;
        if (length >= sizeof mark - 1 && memcmp(line, mark, sizeof mark - 1) == 0) {
            *found = (struct goose_mark){at, at + length + (end != NULL), line + sizeof mark - 1,
                                         length - (sizeof mark - 1)};
            while (found->length > 0 && strchr(" \t\r", found->words[found->length - 1]) != NULL) {
                found->length--;
            }
            return true;
        }
        at += length + 1;
    }
    return false;
}

static bool says(const struct goose_mark *found, const char *words)
{
    return found->length == strlen(words) && memcmp(found->words, words, found->length) == 0;
}

static void fault(struct migration_reader *reader, const char *path, const char *what)
{
    foreign_fault(reader, path, 1, NULL, what);
}

static void format_goose_cut(struct migration_reader *reader, const struct migration_text *whole,
                             struct migration *item)
{
    struct goose_mark found;
    struct migration_text *open = NULL;
    bool apart = false;
    size_t begin = 0;
    for (size_t at = 0; find_mark(whole, at, &found); at = found.end) {
        bool up = says(&found, "Up");
        apart = apart || says(&found, "NO TRANSACTION");
        if (says(&found, "ENVSUB ON")) {
            fault(reader, whole->path, "variables of the environment are not put into statements");
        }
        if (!up && !says(&found, "Down")) {
            continue;
        }
        if (open != NULL) {
            migration_cut(whole, begin, found.begin - begin, open);
        }
        open = up ? &item->up : &item->down;
        begin = found.end;
    }
    if (open != NULL) {
        migration_cut(whole, begin, whole->length - begin, open);
    }
    if (item->up.text == NULL) {
        fault(reader, whole->path, "it has no line `-- +goose Up`");
    }
    item->up.options.apart = apart;
    item->down.options.apart = apart;
}

static enum status read_goose(struct migration_reader *reader, struct error *error)
{
    for (uint32_t i = 0; i < reader->name_count; i++) {
        const char *name = reader->names[i];
        size_t version = migration_version_length(name);
        size_t length = strlen(name);
        struct migration_text whole = {0};
        const char *path = file_join(reader->arena, reader->folder, name);
        bool numbered = version > 0 && name[version] == '_';
        if (numbered && text_ends_with(name, ".go") && !text_ends_with(name, "_test.go")) {
            foreign_fault(reader, path, 1, "record its SQL as a file of the same version",
                          "a migration in Go is not run here");
        }
        if (!text_ends_with(name, ".sql")) {
            continue;
        }
        if (!numbered) {
            foreign_fault(reader, path, 1, "a name is 00001_what.sql",
                          "its name has no version, and goose passes it over");
            continue;
        }
        struct migration *item = migration_add(reader);
        item->version = arena_copy(reader->arena, name, version);
        item->name = arena_copy(reader->arena, name + version + 1, length - version - 5);
        if (migration_load(reader, name, &whole, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        item->up.path = whole.path;
        if (whole.text != NULL) {
            format_goose_cut(reader, &whole, item);
        }
    }
    return STATUS_OK;
}

const struct migration_format migration_format_goose = {
    .name = "goose", .title = "goose", .recognises = recognise_goose, .read = read_goose};
