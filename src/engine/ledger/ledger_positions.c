/* Positions of feeds, intents, and watermarks. */
#include "engine/ledger/ledger_positions.h"

#include "connectors/common/store_key.h"
#include "connectors/common/store_position.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_internal.h"
#include "model/json_reader.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void intent_key(char key[STORE_KEY_BYTES], const char *run_id, const char *name)
{
    char prefix[STORE_KEY_BYTES];
    ledger_key(prefix, run_id, "/intent/");
    store_name_key(key, prefix, name);
}

const struct store_functions *ledger_store_functions(const struct ledger *ledger)
{
    return ledger->functions;
}

enum status ledger_get_position(struct ledger *ledger, struct store *store, const char *feed,
                                uint32_t lane, struct arena *arena,
                                struct ledger_position *position, struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct store_value value;
    json_t *object;
    uint8_t *bytes = NULL;
    size_t length = 0;
    *position = (struct ledger_position){0};
    store_position_key(key, feed, lane);
    enum status status = ledger->functions->get(store, key, arena, &value, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (ledger_parse(ledger, key, value.text, value.length, &object, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *text = json_member_text(object, "position", NULL);
    if (text == NULL ||
        json_decode_base64(text, strlen(text), arena, &bytes, &length, error) != STATUS_OK) {
        status = ledger_damaged(ledger, key, error);
    }
    *position = (struct ledger_position){.bytes = bytes,
                                         .length = (uint32_t)length,
                                         .epoch = (uint64_t)json_member_integer(object, "epoch", 0),
                                         .version = value.version};
    json_decref(object);
    return status;
}

enum status ledger_put_position(struct ledger *ledger, struct store *store, const char *feed,
                                uint32_t lane, struct ledger_position *position,
                                struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct buffer text = {0};
    store_position_key(key, feed, lane);
    buffer_format(&text, "{\"format\":%d,\"epoch\":%" PRIu64 ",\"position\":", LEDGER_FORMAT,
                  position->epoch);
    json_append_base64(&text, position->bytes, position->length);
    buffer_append_byte(&text, '}');
    enum status status = ledger_put(ledger, store, key, buffer_string(&text), position->version,
                                    &position->version, error);
    buffer_free(&text);
    return status;
}

enum status ledger_delete_position(struct ledger *ledger, const char *feed, uint32_t lane,
                                   struct error *error)
{
    char key[STORE_KEY_BYTES];
    store_position_key(key, feed, lane);
    return ledger->functions->delete_if(ledger->store, key, STORE_ANY_VERSION, error);
}

enum status ledger_put_intent(struct ledger *ledger, const char *run_id, const char *name,
                              const char *text, struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct store_value value = {0};
    struct arena *arena = arena_create(1024);
    intent_key(key, run_id, name);
    enum status status = ledger_get(ledger, key, arena, &value, error);
    if (status != STATUS_FAILED) {
        status = ledger_put(ledger, ledger->store, key, text, value.version, NULL, error);
    }
    arena_destroy(arena);
    return status == STATUS_AGAIN ? ledger_fenced(run_id, error) : status;
}

enum status ledger_get_intent(struct ledger *ledger, const char *run_id, const char *name,
                              struct arena *arena, const char **text, struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct store_value value;
    intent_key(key, run_id, name);
    enum status status = ledger_get(ledger, key, arena, &value, error);
    *text = status == STATUS_OK ? value.text : NULL;
    return status;
}

enum status ledger_delete_intent(struct ledger *ledger, const char *run_id, const char *name,
                                 struct error *error)
{
    char key[STORE_KEY_BYTES];
    intent_key(key, run_id, name);
    return ledger->functions->delete_if(ledger->store, key, STORE_ANY_VERSION, error);
}

/* Two names can't be taken for two others. */
static void watermark_key(const struct ledger *ledger, const char *table, const char *entity,
                          struct arena *arena, char key[STORE_KEY_BYTES])
{
    char prefix[STORE_KEY_BYTES];
    snprintf(prefix, sizeof prefix, LEDGER_WATERMARKS "%s/", ledger->target_hash);
    store_name_key(key, prefix, arena_format(arena, "%zu/%s/%s", strlen(table), table, entity));
}

enum status ledger_get_watermark(struct ledger *ledger, const char *table, const char *entity,
                                 struct arena *arena, const char **text, struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct store_value value;
    watermark_key(ledger, table, entity, arena, key);
    enum status status = ledger_get(ledger, key, arena, &value, error);
    *text = status == STATUS_OK ? value.text : NULL;
    return status;
}

enum status ledger_put_watermark(struct ledger *ledger, const char *table, const char *entity,
                                 const char *text, struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct store_value value = {0};
    struct arena *arena = arena_create(1024);
    watermark_key(ledger, table, entity, arena, key);
    enum status status;
    if (text == NULL) {
        status = ledger->functions->delete_if(ledger->store, key, STORE_ANY_VERSION, error);
    } else {
        status = ledger_get(ledger, key, arena, &value, error);
        status = status == STATUS_FAILED
                     ? status
                     : ledger_put(ledger, ledger->store, key, text,
                                  status == STATUS_OK ? value.version : STORE_ABSENT, NULL, error);
    }
    arena_destroy(arena);
    return status == STATUS_AGAIN
               ? error_set(error, ERROR_RUN_FENCED, table,
                           "another run stored how far it was read at the same time")
               : status;
}
