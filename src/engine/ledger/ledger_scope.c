/* Scopes: which unfinished run writes a table. */
#include "engine/ledger/ledger_internal.h"

#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/common/store_key.h"
#include "engine/ledger/json_text.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES_MAX = 20 };

/* Names that differ only in the case of ASCII letters count as one: some targets fold them. */
static void scope_key(const struct ledger *ledger, const char *table, char key[STORE_KEY_BYTES])
{
    char prefix[64];
    char *folded = memory_copy_string(table);
    for (char *at = folded; *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    snprintf(prefix, sizeof(prefix), "scope/%s%s", ledger->target_hash,
             ledger->target_hash[0] == '\0' ? "" : "/");
    store_name_key(key, prefix, folded);
    free(folded);
}

static enum status read_owner(struct ledger *ledger, const char *key, struct arena *arena,
                              const char **owner, uint64_t *version, struct error *error)
{
    struct store_value value;
    json_t *object;
    enum status status = ledger_get(ledger, key, arena, &value, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (ledger_parse(ledger, key, value.text, value.length, &object, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *owner = arena_copy_string(arena, json_member_text(object, "run", ""));
    *version = value.version;
    json_decref(object);
    return STATUS_OK;
}

/* STATUS_AGAIN: `*other`, an unfinished run, has it. STATUS_END: nobody that counts has it, as of
 * `*version`. STATUS_OK: the run has it already. */
static enum status ledger_scope_look(struct ledger *ledger, const char *run_id, const char *table,
                                     struct arena *arena, const char **other, uint64_t *version,
                                     struct error *error)
{
    char key[STORE_KEY_BYTES];
    bool open = false;
    scope_key(ledger, table, key);
    *version = STORE_ABSENT;
    enum status status = read_owner(ledger, key, arena, other, version, error);
    if (status != STATUS_OK) {
        return status;
    }
    if ((*other)[0] == '\0') {
        return STATUS_END;
    }
    if (run_id != NULL && strcmp(*other, run_id) == 0) {
        return STATUS_OK;
    }
    if (ledger_is_open(ledger, *other, &open, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return open ? STATUS_AGAIN : STATUS_END;
}

static enum status take_one(struct ledger *ledger, const char *run_id, const char *table,
                            struct arena *arena, const char **other, struct error *error)
{
    char key[STORE_KEY_BYTES];
    uint64_t version;
    scope_key(ledger, table, key);
    json_t *object = ledger_object();
    json_object_set_new(object, "run", json_text(run_id));
    json_object_set_new(object, "table", json_text(table));
    const char *text = ledger_text(object, arena);
    for (uint32_t tries = 0; tries < TRIES_MAX; tries++) {
        enum status status =
            ledger_scope_look(ledger, run_id, table, arena, other, &version, error);
        if (status != STATUS_END) {
            return status;
        }
        status = ledger_put(ledger, ledger->store, key, text, version, NULL, error);
        if (status != STATUS_AGAIN) {
            return status;
        }
    }
    return error_set(error, ERROR_TARGET_LOCKED, table,
                     "other runs keep taking this table and giving it back");
}

static int compare_tables(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* In one order for all runs: of two that want the same tables, one gets all of them. */
enum status ledger_take_scopes(struct ledger *ledger, const char *run_id, const char *const *tables,
                               uint32_t table_count, struct arena *arena, const char **other,
                               const char **table, struct error *error)
{
    const char **sorted = arena_allocate_zeroed(arena, table_count + 1u, sizeof(*sorted));
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < table_count; i++) {
        sorted[i] = tables[i];
    }
    qsort(sorted, table_count, sizeof(*sorted), compare_tables);
    for (uint32_t i = 0; i < table_count && status == STATUS_OK; i++) {
        *table = sorted[i];
        status = take_one(ledger, run_id, sorted[i], arena, other, error);
        if (status == STATUS_OK) {
            status = failpoint_hit("ledger.after_scope", error);
        }
    }
    return status;
}

enum status ledger_find_conflict(struct ledger *ledger, const char *const *tables,
                                 uint32_t table_count, struct arena *arena, const char **other,
                                 const char **table, struct error *error)
{
    for (uint32_t i = 0; i < table_count; i++) {
        uint64_t version;
        enum status status =
            ledger_scope_look(ledger, NULL, tables[i], arena, other, &version, error);
        *table = tables[i];
        if (status != STATUS_END) {
            return status == STATUS_AGAIN ? STATUS_OK : status;
        }
    }
    return STATUS_END;
}

enum status ledger_read_tables(struct ledger *ledger, const char *run_id, struct arena *arena,
                               const char ***tables, uint32_t *count, struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct store_value value;
    json_t *object;
    ledger_key(key, run_id, "/head");
    enum status status = ledger_get(ledger, key, arena, &value, error);
    if (status != STATUS_OK ||
        ledger_parse(ledger, key, value.text, value.length, &object, error) != STATUS_OK) {
        return status == STATUS_OK ? STATUS_FAILED : status;
    }
    const json_t *names = json_object_get(object, "tables");
    *count = (uint32_t)json_array_size(names);
    *tables = arena_allocate_zeroed(arena, *count + 1u, sizeof(**tables));
    for (uint32_t i = 0; i < *count; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        (*tables)[i] = arena_copy_string(arena, name != NULL ? name : "");
    }
    json_decref(object);
    return STATUS_OK;
}

/* A scope that is left stays, nobody's: were it deleted and put anew by another run, its version
 * would begin anew, and who is late with leaving it would leave the other run's. */
static enum status leave_one(struct ledger *ledger, const char *run_id, const char *table,
                             struct arena *arena, struct error *error)
{
    char key[STORE_KEY_BYTES];
    const char *owner;
    uint64_t version;
    scope_key(ledger, table, key);
    enum status status = read_owner(ledger, key, arena, &owner, &version, error);
    if (status == STATUS_OK && strcmp(owner, run_id) == 0) {
        json_t *object = ledger_object();
        json_object_set_new(object, "run", json_string(""));
        json_object_set_new(object, "table", json_text(table));
        status = ledger_put(ledger, ledger->store, key, ledger_text(object, arena), version, NULL,
                            error);
    }
    return status == STATUS_FAILED ? status : STATUS_OK;
}

enum status ledger_leave_scopes(struct ledger *ledger, const char *run_id, struct error *error)
{
    struct arena *arena = arena_create(0);
    const char **tables;
    uint32_t count = 0;
    enum status status = ledger_read_tables(ledger, run_id, arena, &tables, &count, error);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = leave_one(ledger, run_id, tables[i], arena, error);
    }
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}
