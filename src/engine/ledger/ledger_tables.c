/* The run's tables in the ledger's header. */
#include "engine/ledger/ledger_tables.h"

#include <string.h>

static const char *const was_names[] = {"absent", "empty", "records"};
static const char *const existing_names[] = {"refuse", "append", "upsert", "replace", "skip"};

const char *ledger_existing_name(enum existing_policy policy)
{
    return existing_names[policy];
}

/* ---- making */

static json_t *names_make(struct column_list list)
{
    json_t *names = json_array();
    for (uint32_t i = 0; i < list.count; i++) {
        json_array_append_new(names, json_text(list.names[i]));
    }
    if (json_array_size(names) == list.count) {
        return names;
    }
    json_decref(names);
    return NULL;
}

static json_t *entities_make(const struct ledger_table *table)
{
    json_t *entities = json_array();
    for (uint32_t i = 0; i < table->entity_count; i++) {
        json_array_append_new(entities, json_pack("{s:I,s:o}", "entity",
                                                  (json_int_t)table->entities[i].entity, "fields",
                                                  names_make(table->entities[i].fields)));
    }
    if (json_array_size(entities) == table->entity_count) {
        return entities;
    }
    json_decref(entities);
    return NULL;
}

json_t *ledger_tables_make(const struct ledger_header *header)
{
    json_t *tables = json_array();
    for (uint32_t i = 0; i < header->table_count; i++) {
        const struct ledger_table *table = &header->tables[i];
        json_t *made =
            json_pack("{s:o,s:o,s:s,s:s,s:b,s:b,s:o}", "name", json_text(table->name), "key",
                      names_make(table->key), "existing", existing_names[table->existing], "was",
                      was_names[table->was], "undo", table->keeps_undo, "settles", table->settles,
                      "entities", entities_make(table));
        if (table->empties) {
            json_object_set_new(made, "empties", json_true());
        }
        json_array_append_new(tables, made);
    }
    if (json_array_size(tables) == header->table_count) {
        return tables;
    }
    json_decref(tables);
    return NULL;
}

/* ---- reading */

static enum status damaged(const char *what, struct error *error)
{
    return error_set(error, ERROR_LEDGER_INVALID, "ledger header", "is damaged: %s", what);
}

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for the ledger's header");
}

static enum status names_read(const json_t *list, struct arena *arena, struct column_list *names,
                              struct error *error)
{
    size_t count = json_array_size(list);
    const char **made = arena_allocate_zeroed(arena, count + 1, sizeof(*made));
    if (made == NULL || count > UINT32_MAX) {
        return no_memory(error);
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name == NULL) {
            return damaged("a name in it is no text", error);
        }
        made[i] = arena_copy_string(arena, name);
        if (made[i] == NULL) {
            return no_memory(error);
        }
    }
    *names = (struct column_list){.names = made, .count = (uint32_t)count};
    return STATUS_OK;
}

static int place_in(const char *const *names, int count, const char *name)
{
    int place = 0;
    while (place < count && strcmp(names[place], name) != 0) {
        place++;
    }
    return place;
}

static enum status entities_read(const json_t *list, struct arena *arena,
                                 struct ledger_table *table, struct error *error)
{
    table->entity_count = (uint32_t)json_array_size(list);
    table->entities =
        arena_allocate_zeroed(arena, table->entity_count + 1u, sizeof(*table->entities));
    if (table->entities == NULL) {
        return no_memory(error);
    }
    for (uint32_t i = 0; i < table->entity_count; i++) {
        const json_t *entity = json_array_get(list, i);
        int64_t number = json_member_integer(entity, "entity", -1);
        if (number < 0 || number >= UINT32_MAX) {
            return damaged("a table of it has an entity without a number", error);
        }
        table->entities[i].entity = (uint32_t)number;
        if (names_read(json_object_get(entity, "fields"), arena, &table->entities[i].fields,
                       error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status table_read(const json_t *object, struct arena *arena, struct ledger_table *table,
                              struct error *error)
{
    const char *name = json_member_text(object, "name", NULL);
    int was = place_in(was_names, 3, json_member_text(object, "was", ""));
    int existing = place_in(existing_names, 5, json_member_text(object, "existing", ""));
    if (name == NULL || was == 3 || existing == 5) {
        return damaged("a table of it is not as it was written", error);
    }
    *table = (struct ledger_table){.name = arena_copy_string(arena, name),
                                   .existing = (enum existing_policy)existing,
                                   .was = (enum ledger_table_was)was,
                                   .keeps_undo = json_member_true(object, "undo"),
                                   .settles = json_member_true(object, "settles"),
                                   .empties = json_member_true(object, "empties")};
    if (table->name == NULL) {
        return no_memory(error);
    }
    return names_read(json_object_get(object, "key"), arena, &table->key, error) == STATUS_OK
               ? entities_read(json_object_get(object, "entities"), arena, table, error)
               : STATUS_FAILED;
}

enum status ledger_tables_read(const json_t *header_object, struct arena *arena,
                               struct ledger_header *header, struct error *error)
{
    const json_t *list = json_object_get(header_object, "tables");
    if (list == NULL) {
        return STATUS_OK;
    }
    header->table_count = (uint32_t)json_array_size(list);
    header->tables =
        arena_allocate_zeroed(arena, header->table_count + 1u, sizeof(*header->tables));
    if (header->tables == NULL) {
        return no_memory(error);
    }
    for (uint32_t i = 0; i < header->table_count; i++) {
        if (table_read(json_array_get(list, i), arena, &header->tables[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---- since */

json_t *ledger_since_make(const struct ledger_header *header)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < header->since_count; i++) {
        const struct ledger_since *since = &header->since[i];
        json_array_append_new(
            list, json_pack("{s:I,s:o,s:o,s:o,s:o,s:o,s:o}", "stream", (json_int_t)since->stream,
                            "table", json_text(since->table), "entity", json_text(since->entity),
                            "column", json_text(since->column), "bound", json_text(since->bound),
                            "next", json_text(since->next), "before", json_text(since->before)));
    }
    return list;
}

static const char *since_text(const json_t *object, const char *name, struct arena *arena)
{
    const char *text = json_member_text(object, name, NULL);
    return text != NULL ? arena_copy_string(arena, text) : NULL;
}

enum status ledger_since_read(const json_t *header_object, struct arena *arena,
                              struct ledger_header *header, struct error *error)
{
    const json_t *list = json_object_get(header_object, "since");
    header->since_count = (uint32_t)json_array_size(list);
    header->since = arena_allocate_zeroed(arena, header->since_count + 1u, sizeof *header->since);
    for (uint32_t i = 0; i < header->since_count; i++) {
        const json_t *object = json_array_get(list, i);
        struct ledger_since *since = &header->since[i];
        *since = (struct ledger_since){
            .stream = (uint32_t)json_member_integer(object, "stream", UINT32_MAX),
            .table = since_text(object, "table", arena),
            .entity = since_text(object, "entity", arena),
            .column = since_text(object, "column", arena),
            .bound = since_text(object, "bound", arena),
            .next = since_text(object, "next", arena),
            .before = since_text(object, "before", arena)};
        if (since->table == NULL || since->entity == NULL || since->column == NULL) {
            return damaged("what it reads since when is not as it was written", error);
        }
    }
    return STATUS_OK;
}

uint32_t ledger_entity_limit(const struct ledger_header *header)
{
    uint32_t count = 0;
    for (uint32_t t = 0; t < header->table_count; t++) {
        for (uint32_t i = 0; i < header->tables[t].entity_count; i++) {
            uint32_t number = header->tables[t].entities[i].entity;
            count = number >= count ? number + 1 : count;
        }
    }
    return count;
}
