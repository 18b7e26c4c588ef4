/*
 * The layout of Sqitch, by sqitch.conf where it says otherwise:
 *
 *   sqitch.plan           %project=shop
 *                         users 2024-01-31T12:00:00Z Ann <ann@example.org> # note
 *                         orders [users !old] 2024-02-01T12:00:00Z Ann <ann@example.org>
 *                         @v1.0 2024-02-02T12:00:00Z Ann <ann@example.org>
 *                         users [users@v1.0] 2024-02-03T12:00:00Z Ann <ann@example.org>
 *   deploy/users.sql      revert/users.sql      verify/users.sql
 *
 * A version is the name of a change. One that was reworked comes twice: the first is read from
 * deploy/users@v1.0.sql, the second is `users#2` here. Sqitch knows a change by its project and
 * name; the checksum is the SHA-1 of its deploy script.
 *
 * Source: sqitchers/sqitch, lib/App/Sqitch/Plan.pm and Plan/Change.pm.
 */
#include "base/file.h"
#include "evolve/folder/foreign.h"
#include "evolve/folder/version.h"
#include <string.h>
#include <strings.h>

/* The settings of sqitch.conf and the plan. */
struct layout {
    struct migration_reader *reader;
    const char *top;
    const char *plan;
    const char *deploy;
    const char *revert;
    const char *verify;
    const char *extension;
    const char *project;
};

/* One change of the plan. */
struct change {
    const char *name;
    const char *requires; /* "users !old"; "" */
    uint32_t number;      /* which one of that name it is, from 1 */
    const char *tag;      /* behind it, from which it was reworked later; NULL: it was not */
    uint32_t line;
};

struct change_list {
    struct change *items;
    uint32_t count;
    uint32_t capacity;
};

static bool recognise_sqitch(const struct migration_reader *reader)
{
    return foreign_exists(reader, "sqitch.plan") || foreign_exists(reader, "sqitch.conf");
}

/* ---------------------------------------------------------------- sqitch.conf */

/* "key = value" of the line; false: it is none. */
static bool take_setting(const struct foreign_line *line, struct arena *arena, const char **key,
                         char **value)
{
    char *text = arena_copy(arena, line->text, line->length);
    char *equals = strchr(text, '=');
    text += strspn(text, " \t");
    if (equals == NULL || strchr("#;[", *text) != NULL) {
        return false;
    }
    *value = equals + 1 + strspn(equals + 1, " \t\"");
    while (equals > text && strchr(" \t", equals[-1]) != NULL) {
        equals--;
    }
    *equals = '\0';
    size_t length = strlen(*value);
    while (length > 0 && strchr(" \t\"", (*value)[length - 1]) != NULL) {
        (*value)[--length] = '\0';
    }
    *key = text;
    return true;
}

static enum status read_settings(struct layout *layout, struct error *error)
{
    const struct {
        const char *key;
        const char **value;
    } settings[] = {{"top_dir", &layout->top},       {"plan_file", &layout->plan},
                    {"deploy_dir", &layout->deploy}, {"revert_dir", &layout->revert},
                    {"verify_dir", &layout->verify}, {"extension", &layout->extension}};
    struct arena *arena = layout->reader->arena;
    char *text = NULL;
    size_t length = 0;
    struct foreign_line line = {0};
    bool core = false;
    if (foreign_read(layout->reader, "sqitch.conf", &text, &length, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    while (foreign_next_line(text, length, &line)) {
        const char *key;
        char *value;
        core = line.length > 0 && *line.text == '[' ? foreign_is_line(&line, "[core]") : core;
        if (!take_setting(&line, arena, &key, &value)) {
            continue;
        }
        for (size_t i = 0; core && i < sizeof(settings) / sizeof(settings[0]); i++) {
            if (strcasecmp(key, settings[i].key) == 0) {
                *settings[i].value = value;
            }
        }
        if (strcasecmp(key, "registry") == 0 && strcmp(value, "sqitch") != 0) {
            foreign_fault(layout->reader, file_join(arena, layout->reader->folder, "sqitch.conf"),
                          line.number, NULL,
                          "its history is read from the registry `sqitch` alone");
        }
    }
    return STATUS_OK;
}

/* "sql/deploy", without "./" in front. */
static const char *below(const struct layout *layout, const char *folder, const char *name)
{
    folder = strcmp(folder, ".") == 0 ? "" : folder;
    folder += foreign_begins(folder, "./") ? 2 : 0;
    return *folder == '\0' ? name : file_join(layout->reader->arena, folder, name);
}

static void fill_layout(struct layout *layout)
{
    layout->top = layout->top != NULL ? layout->top : ".";
    layout->plan = below(layout, layout->plan != NULL ? "." : layout->top,
                         layout->plan != NULL ? layout->plan : "sqitch.plan");
    layout->deploy = layout->deploy != NULL ? layout->deploy : below(layout, layout->top, "deploy");
    layout->revert = layout->revert != NULL ? layout->revert : below(layout, layout->top, "revert");
    layout->verify = layout->verify != NULL ? layout->verify : below(layout, layout->top, "verify");
    layout->extension = layout->extension != NULL ? layout->extension : "sql";
}

/* ---------------------------------------------------------------- sqitch.plan */

static void take_tag(struct change_list *list, const char *tag)
{
    /* The first tag behind a change is the one that a script of before its rework is named by. */
    for (uint32_t i = list->count; i > 0 && list->items[i - 1].tag == NULL; i--) {
        list->items[i - 1].tag = tag;
    }
}

static void take_change(struct layout *layout, struct change_list *list, char *words,
                        uint32_t number)
{
    struct arena *arena = layout->reader->arena;
    const char *requires = "";
    words += *words == '+' ? 1 + strspn(words + 1, " \t") : 0;
    size_t length = strcspn(words, " \t[");
    char *open = words + length + strspn(words + length, " \t");
    if (*open == '[') {
        requires = arena_copy(arena, open + 1, strcspn(open + 1, "]"));
    }
    list->items =
        arena_make_room(arena, list->items, list->count, &list->capacity, sizeof *list->items);
    struct change *change = &list->items[list->count++];
    *change = (struct change){.name = arena_copy(arena, words, length),
                              .requires = requires,
                              .number = 1,
                              .line = number};
    for (uint32_t i = 0; i + 1 < list->count; i++) {
        change->number += strcmp(list->items[i].name, change->name) == 0;
    }
}

static void take_plan_line(struct layout *layout, struct change_list *list,
                           const struct foreign_line *line)
{
    static const char project[] = "%project=";
    struct arena *arena = layout->reader->arena;
    char *words = arena_copy(arena, line->text, line->length);
    words[strcspn(words, "#")] = '\0';
    words += strspn(words, " \t");
    if (foreign_begins(words, project)) {
        layout->project = arena_copy(arena, words + sizeof project - 1,
                                     strcspn(words + sizeof project - 1, " \t"));
    } else if (*words == '@') {
        take_tag(list, arena_copy(arena, words, strcspn(words, " \t")));
    } else if (*words != '%' && *words != '\0') {
        take_change(layout, list, words, line->number);
    }
}

static enum status read_plan(struct layout *layout, struct change_list *list, struct error *error)
{
    char *text = NULL;
    size_t length = 0;
    struct foreign_line line = {0};
    if (foreign_read(layout->reader, layout->plan, &text, &length, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *path = file_join(layout->reader->arena, layout->reader->folder, layout->plan);
    if (text == NULL) {
        foreign_fault(layout->reader, path, 1, NULL, "the plan of Sqitch is not there");
        return STATUS_OK;
    }
    while (foreign_next_line(text, length, &line)) {
        take_plan_line(layout, list, &line);
    }
    if (layout->project == NULL) {
        foreign_fault(layout->reader, path, 1, NULL, "it names no %project");
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- scripts */

/* The last of a name has its own; one before has the name of the tag in front of the next one. */
static const char *file_of(const struct layout *layout, const struct change_list *list,
                           const struct change *change, const char *folder)
{
    const char *tag = "";
    for (const struct change *later = change + 1; later < list->items + list->count; later++) {
        if (strcmp(later->name, change->name) == 0) {
            tag = change->tag != NULL ? change->tag : "";
        }
    }
    const char *name =
        arena_format(layout->reader->arena, "%s%s.%s", change->name, tag, layout->extension);
    return below(layout, folder, name);
}

/* "users" of a change that comes later as well is the last one in front. */
static const char *version_of(const struct layout *layout, const struct change *change)
{
    return change->number == 1
               ? change->name
               : arena_format(layout->reader->arena, "%s#%u", change->name, change->number);
}

/* The changes of this project in front of it that "users @v1.0 !old other:thing users@v1.0" names
 * as required. */
static void require_all(const struct layout *layout, const struct change_list *list,
                        const struct change *change, struct migration *item)
{
    const char *at = change->requires;
    for (at += strspn(at, " \t"); *at != '\0'; at += strspn(at, " \t")) {
        size_t length = strcspn(at, " \t");
        size_t name = strcspn(at, "@ \t");
        const struct change *found = NULL;
        for (const struct change *other = list->items; other < change; other++) {
            if (strlen(other->name) == name && strncmp(other->name, at, name) == 0) {
                found = other;
            }
        }
        if (found != NULL && *at != '!') {
            foreign_require(&item->up.options, version_of(layout, found), layout->reader->arena);
        }
        at += length;
    }
}

/* A script, if it is there; `masks`: its transaction is not its own. */
static enum status format_sqitch_load(const struct layout *layout, const char *name, bool masks,
                                      struct migration_text *text, struct error *error)
{
    if (!foreign_exists(layout->reader, name)) {
        return STATUS_OK;
    }
    if (migration_load(layout->reader, name, text, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (text->text != NULL) {
        migration_read_header(layout->reader, ALTER_SQL, text->text, text->length, 1, text);
        if (masks) {
            foreign_blank_transactions(foreign_own(text, layout->reader->arena), text->length);
        }
    }
    return STATUS_OK;
}

static enum status take_scripts(const struct layout *layout, const struct change_list *list,
                                const struct change *change, struct error *error)
{
    struct migration_reader *reader = layout->reader;
    struct migration *item = migration_add(reader);
    const char *deploy = file_of(layout, list, change, layout->deploy);
    item->version = version_of(layout, change);
    item->name = change->name;
    item->origin_id = arena_format(reader->arena, "%s:%s", layout->project, item->version);
    item->up.path = file_join(reader->arena, reader->folder, deploy);
    if (!foreign_exists(reader, deploy)) {
        foreign_fault(reader, file_join(reader->arena, reader->folder, layout->plan), change->line,
                      NULL,
                      arena_format(reader->arena, "%s is planned, and %s is not there",
                                   item->version, deploy));
    }
    if (format_sqitch_load(layout, deploy, false, &item->up, error) != STATUS_OK ||
        format_sqitch_load(layout, file_of(layout, list, change, layout->revert), false,
                           &item->down, error) != STATUS_OK ||
        format_sqitch_load(layout, file_of(layout, list, change, layout->verify), true,
                           &item->verify, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (item->up.text != NULL) {
        item->origin_checksum =
            foreign_digest("SHA1", item->up.text, item->up.length, reader->arena);
    }
    require_all(layout, list, change, item);
    return STATUS_OK;
}

static enum status read_sqitch(struct migration_reader *reader, struct error *error)
{
    struct layout layout = {.reader = reader};
    struct change_list list = {0};
    if (read_settings(&layout, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    fill_layout(&layout);
    if (read_plan(&layout, &list, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < list.count; i++) {
        if (take_scripts(&layout, &list, &list.items[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

const struct migration_format migration_format_sqitch = {.name = "sqitch",
                                                         .title = "Sqitch",
                                                         .orders = true,
                                                         .recognises = recognise_sqitch,
                                                         .read = read_sqitch};
