/*
 * Changing the schema of a toy: CREATE TABLE, PUT TABLE KEY, COUNT TABLE and EMPTY TABLE, a word
 * each. The history is a store of its own, DIR/_transhume_schema, and the lock a lease in it.
 */
#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/common/history_store.h"
#include "toy_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- sessions */

static enum status toy_alter_open(struct database *database, const struct alter_open *options,
                                  struct alter_session **opened, struct error *error)
{
    struct alter_session *session = memory_allocate_zeroed(1, sizeof *session);
    struct store *store = NULL;
    (void)options;
    *opened = NULL;
    if (toy_store_open_in(database, "_transhume_schema", &store, error) != STATUS_OK) {
        free(session);
        return STATUS_FAILED;
    }
    history_store_open(session, database, store, &toy_store);
    session->before_failpoint = "toy.before_history";
    session->after_failpoint = "toy.after_history";
    *opened = session;
    return STATUS_OK;
}

static void toy_alter_close(struct alter_session *session)
{
    if (session != NULL) {
        history_store_close(session);
        free(session);
    }
}

/* ---- statements */

struct words {
    char verb[16];
    char table[64];
    char key[64];
    int count;
};

static enum status read_words(const char *text, size_t length, struct words *words,
                              struct error *error)
{
    char line[160];
    snprintf(line, sizeof line, "%.*s", (int)length, text);
    words->count = sscanf(line, "%15s %63s %63s", words->verb, words->table, words->key);
    return words->count >= 2
               ? STATUS_OK
               : error_set(error, ERROR_TARGET_WRITE, "toy", "'%s' is no statement", line);
}

static enum status append(struct toy_database *self, const struct words *words,
                          enum toy_entry_kind kind, struct error *error)
{
    struct buffer out = {0};
    const struct toy_entry entry = {.kind = kind,
                                    .table = words->table,
                                    .table_length = (uint32_t)strlen(words->table),
                                    .key = (const uint8_t *)words->key,
                                    .key_length = (uint32_t)strlen(words->key)};
    toy_entry_append(&entry, &out);
    enum status status = toy_log_write(self, &out, error);
    buffer_free(&out);
    return status;
}

static enum status load(struct toy_database *self, const char *table, struct toy_index *index,
                        struct error *error)
{
    enum status status = toy_index_load(self, table, index, error);
    if (status == STATUS_OK && !index->exists) {
        status = error_set(error, ERROR_TARGET_WRITE, "toy", "there is no table %s", table);
    }
    return status;
}

static enum status carry_out(struct toy_database *self, const struct words *words,
                             struct alter_answer *answer, struct error *error)
{
    struct toy_index index = {0};
    if (strcmp(words->verb, "CREATE") == 0) {
        return append(self, words, TOY_TABLE, error);
    }
    bool puts = strcmp(words->verb, "PUT") == 0 && words->count == 3;
    if (!puts && strcmp(words->verb, "EMPTY") != 0) {
        return error_set(error, ERROR_TARGET_WRITE, "toy", "'%s' is no statement", words->verb);
    }
    enum status status = load(self, words->table, &index, error);
    toy_index_free(&index);
    answer->counts = puts;
    answer->rows = puts;
    return status == STATUS_OK ? append(self, words, puts ? TOY_PUT : TOY_EMPTY, error) : status;
}

static enum status toy_alter_run(struct alter_session *session, const struct alter_request *request,
                                 struct alter_answer *answer, struct error *error)
{
    struct words words = {0};
    *answer = (struct alter_answer){.fault = SIZE_MAX};
    if (failpoint_hit("toy.before_alter", error) != STATUS_OK ||
        history_store_keep(session, error) != STATUS_OK ||
        read_words(request->text, request->length, &words, error) != STATUS_OK ||
        carry_out(toy_of(session->database), &words, answer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit("toy.after_alter", error);
}

static enum status toy_alter_ask(struct alter_session *session, const char *sql,
                                 struct arena *arena, const char **text, struct error *error)
{
    struct words words = {0};
    struct toy_index index = {0};
    *text = NULL;
    if (read_words(sql, strlen(sql), &words, error) != STATUS_OK ||
        load(toy_of(session->database), words.table, &index, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *text = arena_format(arena, "%zu", index.count);
    toy_index_free(&index);
    return STATUS_OK;
}

static enum status toy_alter_settle_session(struct alter_session *session, struct error *error)
{
    (void)session;
    (void)error;
    return STATUS_OK;
}

/* All but CREATE do the same once more. */
static enum status toy_alter_settle(struct alter_session *session,
                                    const struct alter_request *request,
                                    const struct alter_object *objects, uint32_t count,
                                    const char *before, enum alter_settled *settled,
                                    struct error *error)
{
    struct words words = {0};
    struct toy_index index = {0};
    (void)objects;
    (void)count;
    (void)before;
    *settled = ALTER_ABSENT;
    if (read_words(request->text, request->length, &words, error) != STATUS_OK ||
        toy_index_load(toy_of(session->database), words.table, &index, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (strcmp(words.verb, "CREATE") == 0 && index.exists) {
        *settled = ALTER_APPLIED;
    }
    toy_index_free(&index);
    return STATUS_OK;
}

const struct alter_functions toy_alter = {
    .languages = 1u << ALTER_HTTP,
    .open = toy_alter_open,
    .close = toy_alter_close,
    .lock = history_store_lock,
    .run = toy_alter_run,
    .ask = toy_alter_ask,
    .settle_session = toy_alter_settle_session,
    .history_make = history_store_make,
    .history_read = history_store_read,
    .history_read_steps = history_store_read_steps,
    .history_down_text = history_store_down_text,
    .history_claim_read = history_store_claim_read,
    .history_claim = history_store_claim,
    .history_put = history_store_put,
    .history_put_step = history_store_put_step,
    .settle = toy_alter_settle,
};
