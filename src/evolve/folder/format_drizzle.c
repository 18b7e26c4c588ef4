/*
 * The layout of Drizzle Kit (0.x):
 *
 *   meta/_journal.json    {"entries": [{"idx": 0, "when": 1700000000000, "tag": "0000_users"}, …]}
 *   0000_users.sql        statements with lines or ends of lines `--> statement-breakpoint` between
 *
 * The journal says which files there are and in which order; a migration is known by its time
 * (`when`), and the checksum is the SHA-256 of the file. There are no ways back.
 *
 * Source: drizzle-team/drizzle-orm, drizzle-orm/src/migrator.ts.
 */
#include "base/file.h"
#include "base/text.h"
#include "evolve/folder/foreign.h"
#include "evolve/folder/version.h"
#include "plan/text/tree.h"
#include <string.h>

static const char journal[] = "meta/_journal.json";
static const char mark[] = "--> statement-breakpoint";

static bool recognise_drizzle(const struct migration_reader *reader)
{
    return foreign_exists(reader, journal);
}

/* MySQL takes `-->` for no comment, and a statement may lack its semicolon in front of it. */
static void blank_marks(struct migration_reader *reader, struct migration_text *text)
{
    char *own = foreign_own(text, reader->arena);
    char *end = own + text->length;
    for (char *at = own; (at = memmem(at, (size_t)(end - at), mark, sizeof mark - 1)) != NULL;) {
        const char *last = at;
        while (last > own && strchr(" \t\r\n", last[-1]) != NULL) {
            last--;
        }
        foreign_blank(at, 0, sizeof mark - 1);
        if (last > own && last[-1] != ';') {
            *at = ';';
        }
        at += sizeof mark - 1;
    }
}

static enum status take_entry(struct migration_reader *reader, const struct plan_node *entry,
                              struct error *error)
{
    const char *tag = plan_node_text(plan_node_get(entry, "tag"));
    const char *when = plan_node_text(plan_node_get(entry, "when"));
    if (tag == NULL || when == NULL) {
        plan_fault(reader->faults, ERROR_MIGRATION_INVALID, entry, NULL,
                   "an entry has a tag and a time (when)");
        return STATUS_OK;
    }
    const char *name = arena_format(reader->arena, "%s.sql", tag);
    size_t version = migration_version_length(tag);
    bool numbered = version > 0 && tag[version] == '_';
    if (!foreign_exists(reader, name)) {
        plan_fault(reader->faults, ERROR_MIGRATION_INVALID, entry, NULL,
                   "its file %s is not in the folder", name);
        return STATUS_OK;
    }
    struct migration *item = migration_add(reader);
    item->version = numbered ? arena_copy(reader->arena, tag, version) : tag;
    item->name = numbered ? tag + version + 1 : tag;
    item->origin_id = when;
    if (migration_load(reader, name, &item->up, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (item->up.text != NULL) {
        item->origin_checksum =
            foreign_digest("SHA256", item->up.text, item->up.length, reader->arena);
        migration_read_header(reader, ALTER_SQL, item->up.text, item->up.length, 1, &item->up);
        blank_marks(reader, &item->up);
    }
    return STATUS_OK;
}

/* Drizzle passes files over that the journal does not have; here nothing is left out in silence. */
static void find_others(struct migration_reader *reader)
{
    for (uint32_t i = 0; i < reader->name_count; i++) {
        const char *name = reader->names[i];
        bool known = !text_ends_with(name, ".sql");
        for (uint32_t j = 0; j < reader->count && !known; j++) {
            const char *path = reader->items[j].up.path;
            known = path != NULL && strcmp(path + strlen(reader->folder) + 1, name) == 0;
        }
        if (!known) {
            foreign_fault(reader, file_join(reader->arena, reader->folder, name), 1, NULL,
                          "meta/_journal.json has no entry of it");
        }
    }
}

static enum status read_drizzle(struct migration_reader *reader, struct error *error)
{
    char *text = NULL;
    size_t length = 0;
    if (foreign_read(reader, journal, &text, &length, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *path = file_join(reader->arena, reader->folder, journal);
    reader->faults->file = path;
    const struct plan_node *root =
        text != NULL ? plan_tree_read(text, length, reader->arena, reader->faults) : NULL;
    const struct plan_node *entries = plan_node_get(root, "entries");
    if (entries == NULL || entries->kind != PLAN_NODE_LIST) {
        foreign_fault(reader, path, 1, NULL, "it has no list of entries");
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < entries->count; i++) {
        reader->faults->file = path;
        if (take_entry(reader, entries->items[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    find_others(reader);
    return STATUS_OK;
}

const struct migration_format migration_format_drizzle = {.name = "drizzle",
                                                          .title = "Drizzle",
                                                          .orders = true,
                                                          .recognises = recognise_drizzle,
                                                          .read = read_drizzle};
