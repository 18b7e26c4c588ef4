/* The facts that a run learnt, in the store: pieces of a version first, then the key that says
 * which version stands. */
#include "engine/ledger/ledger_internal.h"

#include "base/failpoint.h"
#include "base/text.h"
#include "connectors/common/store_key.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/learnt.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "learnt/ID/" and, with a version above 0, that and "/". */
static void learnt_prefix(char prefix[STORE_KEY_BYTES], const char *run_id, uint32_t version)
{
    store_name_key(prefix, "learnt/", run_id);
    size_t used = strlen(prefix);
    if (version == 0) {
        snprintf(prefix + used, STORE_KEY_BYTES - used, "/");
    } else {
        snprintf(prefix + used, STORE_KEY_BYTES - used, "/%010" PRIu32 "/", version);
    }
}

void ledger_learnt_key(char key[STORE_KEY_BYTES], const char *run_id, uint32_t version,
                       uint32_t piece)
{
    learnt_prefix(key, run_id, version);
    size_t used = strlen(key);
    snprintf(key + used, STORE_KEY_BYTES - used, "%06" PRIu32, piece);
}

enum status ledger_learnt_forget(struct ledger *ledger, const char *run_id, struct error *error)
{
    char prefix[STORE_KEY_BYTES];
    learnt_prefix(prefix, run_id, 0);
    return ledger_delete_prefix(ledger, prefix, error);
}

/* ---- which version stands */

struct learnt_head {
    uint32_t version; /* of what was learnt; 0: nothing is kept */
    uint32_t pieces;
    char hash[33];
    uint64_t stored; /* the version of the key in its store */
};

json_t *ledger_learnt_head(uint32_t version, uint32_t pieces, const char *hash)
{
    json_t *head = ledger_object();
    json_object_set_new(head, "version", json_integer(version));
    json_object_set_new(head, "pieces", json_integer(pieces));
    json_object_set_new(head, "xxh3", json_string(hash));
    return head;
}

/* STATUS_END: nothing is kept; `head->stored` is then what a first put expects. */
static enum status read_head(struct ledger *ledger, const char *run_id, struct learnt_head *head,
                             struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct store_value value = {0};
    json_t *object;
    struct arena *arena = arena_create(1024);
    *head = (struct learnt_head){.stored = STORE_ABSENT};
    ledger_key(key, run_id, "/mapping");
    enum status status = ledger_get(ledger, key, arena, &value, error);
    if (status == STATUS_OK) {
        status = ledger_parse(ledger, key, value.text, value.length, &object, error);
    }
    if (status == STATUS_OK) {
        int64_t version = json_member_integer(object, "version", 0);
        int64_t pieces = json_member_integer(object, "pieces", -1);
        bool fine = version > 0 && version < UINT32_MAX && pieces >= 0 && pieces <= UINT32_MAX;
        head->version = fine ? (uint32_t)version : 0;
        head->pieces = fine ? (uint32_t)pieces : 0;
        head->stored = value.version;
        snprintf(head->hash, sizeof head->hash, "%s", json_member_text(object, "xxh3", ""));
        json_decref(object);
        status = fine ? STATUS_OK : ledger_damaged(ledger, key, error);
    }
    arena_destroy(arena);
    return status;
}

/* ---- reading */

struct learnt_pieces {
    struct buffer text;
    struct ledger_sum *sum;
    uint32_t count;
};

static enum status visit_piece(void *context, const char *key, const struct store_value *value,
                               struct error *error)
{
    struct learnt_pieces *pieces = context;
    (void)key;
    (void)error;
    ledger_sum_add(pieces->sum, value->text, value->length);
    buffer_append(&pieces->text, value->text, value->length);
    pieces->count++;
    return STATUS_OK;
}

enum status ledger_learnt_get(struct ledger *ledger, const char *run_id, struct arena *arena,
                              const char **text, size_t *length, struct error *error)
{
    char prefix[STORE_KEY_BYTES];
    char hex[33];
    struct learnt_head head;
    struct learnt_pieces pieces = {0};
    *text = NULL;
    *length = 0;
    enum status status = read_head(ledger, run_id, &head, error);
    if (status != STATUS_OK) {
        return status;
    }
    pieces.sum = ledger_sum_begin();
    learnt_prefix(prefix, run_id, head.version);
    status = ledger->functions->scan(ledger->store, prefix, visit_piece, &pieces, error);
    ledger_sum_end(pieces.sum, hex);
    if (status == STATUS_OK && (pieces.count != head.pieces || strcmp(hex, head.hash) != 0)) {
        status = ledger_damaged(ledger, "what the run learnt is not as it was written", error);
    }
    if (status == STATUS_OK) {
        *text = arena_copy(arena, buffer_string(&pieces.text), pieces.text.length);
        *length = pieces.text.length;
    }
    buffer_free(&pieces.text);
    return status;
}

/* ---- replacing */

static enum status put_pieces(struct ledger *ledger, const char *run_id, uint32_t version,
                              const char *text, size_t length, uint32_t *count, char hex[33],
                              struct error *error)
{
    struct ledger_sum *sum = ledger_sum_begin();
    char prefix[STORE_KEY_BYTES];
    learnt_prefix(prefix, run_id, version);
    enum status status = ledger_delete_prefix(ledger, prefix, error); /* of a killed attempt */
    *count = 0;
    while (length > 0 && status == STATUS_OK) {
        char key[STORE_KEY_BYTES];
        size_t size = text_clip(text, length, LEDGER_PIECE_BYTES);
        struct arena *arena = arena_create(0);
        ledger_learnt_key(key, run_id, version, (*count)++);
        ledger_sum_add(sum, text, size);
        status = ledger_put(ledger, ledger->store, key, arena_copy(arena, text, size), STORE_ABSENT,
                            NULL, error);
        arena_destroy(arena);
        text += size;
        length -= size;
    }
    ledger_sum_end(sum, hex);
    return status == STATUS_AGAIN ? ledger_fenced(run_id, error) : status;
}

enum status ledger_learnt_put(struct ledger *ledger, const char *run_id, const char *text,
                              size_t length, struct error *error)
{
    char key[STORE_KEY_BYTES];
    char hex[33];
    uint32_t count = 0;
    struct learnt_head head;
    enum status status = read_head(ledger, run_id, &head, error);
    if (status == STATUS_FAILED) {
        return status;
    }
    if (put_pieces(ledger, run_id, head.version + 1, text, length, &count, hex, error) !=
            STATUS_OK ||
        failpoint_hit("ledger.before_learnt", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct arena *arena = arena_create(1024);
    ledger_key(key, run_id, "/mapping");
    const char *object = ledger_text(ledger_learnt_head(head.version + 1, count, hex), arena);
    status = ledger_put(ledger, ledger->store, key, object, head.stored, NULL, error);
    arena_destroy(arena);
    if (status != STATUS_OK) {
        return status == STATUS_AGAIN ? ledger_fenced(run_id, error) : status;
    }
    if (failpoint_hit("ledger.after_learnt", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    char prefix[STORE_KEY_BYTES];
    learnt_prefix(prefix, run_id, head.version);
    return head.version > 0 ? ledger_delete_prefix(ledger, prefix, error) : STATUS_OK;
}
