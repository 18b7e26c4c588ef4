/* The history's acts, folded into what stands. */
#include "evolve/folder/version.h"
#include "evolve/run/order.h"
#include <string.h>

static const char *history_copy(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_copy_string(arena, text);
}

static struct schema_entry *find_or_add(struct schema_history *history,
                                        const struct history_row *row)
{
    struct name_index *index = row->version != NULL ? &history->by_version : &history->by_name;
    index->arena = history->arena;
    const char *key = row->version != NULL ? migration_version_key(row->version, history->arena)
                                           : arena_copy_string(history->arena, row->name);
    uint32_t found = name_index_add(index, key, strlen(key), history->count);
    if (found != NAME_INDEX_NONE) {
        return &history->entries[found];
    }
    history->entries = arena_make_room(history->arena, history->entries, history->count,
                                       &history->capacity, sizeof(*history->entries));
    struct schema_entry *entry = &history->entries[history->count++];
    *entry = (struct schema_entry){.key = key};
    return entry;
}

static void keep_act(struct schema_entry *entry, const struct history_row *row, struct arena *arena)
{
    entry->act = *row;
    entry->act.version = history_copy(arena, row->version);
    entry->act.name = history_copy(arena, row->name);
    entry->act.origin = history_copy(arena, row->origin);
    entry->act.checksum = history_copy(arena, row->checksum);
    entry->act.down_checksum = history_copy(arena, row->down_checksum);
    entry->act.origin_checksum = history_copy(arena, row->origin_checksum);
    entry->act.run = history_copy(arena, row->run);
    entry->act.who = history_copy(arena, row->who);
    entry->act.program = history_copy(arena, row->program);
    entry->act.error = history_copy(arena, row->error);
    entry->act.restore_point = history_copy(arena, row->restore_point);
    entry->act.schema_hash = history_copy(arena, row->schema_hash);
    entry->version = entry->act.version;
    entry->name = entry->act.name;
}

enum status schema_history_add(void *context, const struct history_row *row, struct error *error)
{
    struct schema_history *history = context;
    struct schema_entry *entry = find_or_add(history, row);
    (void)error;
    if (row->number > history->last_number) {
        history->last_number = row->number;
    }
    entry->error = row->state == HISTORY_FAILED ? history_copy(history->arena, row->error) : NULL;
    entry->failed = row->state == HISTORY_FAILED ? row->number : 0;
    if (row->state == HISTORY_FAILED) {
        entry->version =
            entry->version != NULL ? entry->version : history_copy(history->arena, row->version);
        entry->name = entry->name != NULL ? entry->name : history_copy(history->arena, row->name);
        return STATUS_OK;
    }
    entry->unfinished = row->state == HISTORY_RUNNING;
    if (!entry->unfinished) {
        entry->stands = row->action != HISTORY_DOWN && row->action != HISTORY_UNMARK &&
                        row->action != HISTORY_ABORT;
    }
    keep_act(entry, row, history->arena);
    if (row->action == HISTORY_UP || row->action == HISTORY_REPEAT) {
        entry->applied = row->number;
    }
    if (row->action == HISTORY_BASELINE && !entry->unfinished) {
        if (history->baseline_key == NULL || strcmp(entry->key, history->baseline_key) > 0) {
            history->baseline = entry->version;
            history->baseline_key = entry->key;
        }
    }
    return STATUS_OK;
}

void schema_history_match(struct schema_history *history, const struct migration_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const struct migration *item = &set->items[i];
        bool repeats = item->kind == MIGRATION_REPEATABLE;
        const char *key = repeats ? item->name : item->key;
        uint32_t found =
            name_index_find(repeats ? &history->by_name : &history->by_version, key, strlen(key));
        if (found != NAME_INDEX_NONE && item->kind != MIGRATION_BASELINE) {
            history->entries[found].file = item;
        }
    }
}

const struct schema_entry *schema_entry_of(const struct schema_history *history,
                                           const struct migration *file)
{
    bool repeats = file->kind == MIGRATION_REPEATABLE;
    const char *key = repeats ? file->name : file->key;
    uint32_t found =
        name_index_find(repeats ? &history->by_name : &history->by_version, key, strlen(key));
    return found == NAME_INDEX_NONE ? NULL : &history->entries[found];
}
