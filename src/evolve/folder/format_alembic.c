/*
 * Migrations of Alembic are Python; its offline mode writes them as SQL, one file or several:
 *
 *   alembic upgrade --sql head          sections that begin with
 *                                       `-- Running upgrade ae1027a6acf -> 27c6a30d7c24`
 *   alembic downgrade --sql head:base   `-- Running downgrade 27c6a30d7c24 -> ae1027a6acf`
 *
 * A section is a migration whose version is its revision, and which requires those that it comes
 * from. What the output writes into alembic_version is left out, and so are BEGIN and COMMIT
 * around sections: the history is another one, and a section is a transaction by itself.
 *
 * Source: sqlalchemy/alembic, alembic/runtime/migration.py.
 */
#include "base/text.h"
#include "evolve/folder/foreign.h"
#include "evolve/folder/version.h"
#include <string.h>
#include <strings.h>

static const char mark[] = "-- Running ";

static bool recognise_alembic(const struct migration_reader *reader)
{
    struct error ignored;
    struct migration_reader looking = *reader;
    for (uint32_t i = 0; i < reader->name_count; i++) {
        char *text = NULL;
        size_t length = 0;
        if (text_ends_with(reader->names[i], ".sql") &&
            foreign_read(&looking, reader->names[i], &text, &length, &ignored) == STATUS_OK &&
            text != NULL &&
            (foreign_has_line(text, length, "-- Running upgrade ") ||
             foreign_has_line(text, length, "-- Running downgrade "))) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- what is left out */

static bool begins_statement(const struct foreign_line *line)
{
    static const char *const words[] = {
        "CREATE TABLE alembic_version ", "INSERT INTO alembic_version ", "UPDATE alembic_version ",
        "DELETE FROM alembic_version ", "DROP TABLE alembic_version;"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t length = strlen(words[i]);
        if (line->length >= length && strncasecmp(line->text, words[i], length) == 0) {
            return true;
        }
    }
    return false;
}

/* Alembic's own table is written by statements that begin a line and end with one. */
static void blank_versions(char *text, size_t length)
{
    struct foreign_line line = {0};
    bool within = false;
    while (foreign_next_line(text, length, &line)) {
        within = within || begins_statement(&line);
        if (within) {
            bool ends = line.length > 0 && line.text[line.length - 1] == ';';
            foreign_blank(text, line.begin, line.end);
            within = !ends;
        }
    }
}

/* ---------------------------------------------------------------- sections */

/* `-- Running upgrade FROM, FROM -> TO`, taken apart. */
struct section {
    bool down;
    const char *from; /* "" of the first; "A, B" of a merge */
    const char *to;
    size_t begin;
};

static bool take_mark(const struct foreign_line *line, struct arena *arena, struct section *section)
{
    static const char upgrade[] = "upgrade ";
    static const char downgrade[] = "downgrade ";
    if (line->length < sizeof mark - 1 || memcmp(line->text, mark, sizeof mark - 1) != 0) {
        return false;
    }
    char *words = arena_copy(arena, line->text + sizeof mark - 1, line->length - (sizeof mark - 1));
    bool down = foreign_begins(words, downgrade);
    char *arrow = strstr(words, "-> ");
    if (arrow == NULL || (!down && !foreign_begins(words, upgrade))) {
        return false;
    }
    char *from = words + (down ? sizeof downgrade : sizeof upgrade) - 1;
    char *to = arrow + 3;
    while (arrow > from && arrow[-1] == ' ') {
        arrow--;
    }
    *arrow = '\0';
    to[strcspn(to, " ")] = '\0';
    *section = (struct section){down, from, to, line->end};
    return true;
}

/* Revisions with commas between them. */
static void require_all(struct migration *item, const char *from, struct arena *arena)
{
    for (from += strspn(from, ", "); *from != '\0'; from += strspn(from, ", ")) {
        size_t length = strcspn(from, ", ");
        foreign_require(&item->up.options, arena_copy(arena, from, length), arena);
        from += length;
    }
}

static void take_section(struct migration_reader *reader, const struct migration_text *whole,
                         const char *title, const struct section *section, size_t end)
{
    size_t length = end - section->begin;
    if (!section->down) {
        struct migration *item = migration_add(reader);
        item->version = section->to;
        item->name = title;
        item->origin_id = section->to;
        migration_cut(whole, section->begin, length, &item->up);
        migration_read_header(reader, ALTER_SQL, item->up.text, length, item->up.line, &item->up);
        require_all(item, section->from, reader->arena);
        return;
    }
    struct migration *item = migration_find(reader, section->from);
    if (item == NULL) {
        foreign_fault(reader, whole->path, 1, "write the output of `alembic upgrade --sql`, too",
                      arena_format(reader->arena,
                                   "the way back of %s is there, but not the way there",
                                   section->from));
    } else {
        migration_cut(whole, section->begin, length, &item->down);
    }
}

/* The sections of one file that go that way. */
static void take_sections(struct migration_reader *reader, const struct migration_text *whole,
                          const char *title, bool down)
{
    struct foreign_line line = {0};
    struct section open = {0};
    struct section next;
    while (foreign_next_line(whole->text, whole->length, &line)) {
        if (!take_mark(&line, reader->arena, &next)) {
            continue;
        }
        if (open.begin > 0 && open.down == down) {
            take_section(reader, whole, title, &open, line.begin);
        }
        open = next;
    }
    if (open.begin > 0 && open.down == down) {
        take_section(reader, whole, title, &open, whole->length);
    }
}

static enum status take_files(struct migration_reader *reader, bool down, struct error *error)
{
    for (uint32_t i = 0; i < reader->name_count; i++) {
        const char *name = reader->names[i];
        struct migration_text whole = {.options = {.lock_ms = -1, .statement_ms = -1}};
        if (!text_ends_with(name, ".sql")) {
            continue;
        }
        if (migration_load(reader, name, &whole, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (whole.text == NULL) {
            continue;
        }
        if (!down && !foreign_has_line(whole.text, whole.length, mark)) {
            foreign_fault(reader, whole.path, 1, NULL, "it has no line `-- Running upgrade …`");
            continue;
        }
        char *own = foreign_own(&whole, reader->arena);
        foreign_blank_transactions(own, whole.length);
        blank_versions(own, whole.length);
        take_sections(reader, &whole, arena_copy(reader->arena, name, strlen(name) - 4), down);
    }
    return STATUS_OK;
}

static enum status read_alembic(struct migration_reader *reader, struct error *error)
{
    if (take_files(reader, false, error) != STATUS_OK ||
        take_files(reader, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return foreign_order(reader, error);
}

const struct migration_format migration_format_alembic = {.name = "alembic",
                                                          .title = "Alembic",
                                                          .orders = true,
                                                          .is_graph = true,
                                                          .recognises = recognise_alembic,
                                                          .read = read_alembic};
