/* The notes of a copy in the history's store: schema/copy/INDEX
 * {"copied":…,"proved":…,"switched":…, "writes":…}. */
#include "connectors/opensearch/change_session.h"

#include "connectors/common/store_key.h"
#include "model/json_tree.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* STATUS_END: nothing is noted. */
static enum status change_note_read(struct opensearch_alter *session, const char *index,
                                    struct opensearch_copy_note *note, uint64_t *version, char *key,
                                    struct error *error)
{
    struct store_value value;
    json_t *root = NULL;
    struct arena *arena = arena_create(0);
    *note = (struct opensearch_copy_note){0};
    *version = STORE_ABSENT;
    store_name_key(key, "schema/copy/", index);
    enum status status =
        session->base.functions->get(session->base.store, key, arena, &value, error);
    if (status == STATUS_OK) {
        *version = value.version;
        status =
            json_tree_parse(value.text, value.length, 0, key, ERROR_LEDGER_INVALID, &root, error);
    }
    note->copied = json_integer_value(json_object_get(root, "copied"));
    note->proved = json_integer_value(json_object_get(root, "proved"));
    note->switched = json_integer_value(json_object_get(root, "switched"));
    note->writes = json_integer_value(json_object_get(root, "writes"));
    json_decref(root);
    arena_destroy(arena);
    return status;
}

enum status opensearch_note_get(struct opensearch_alter *session, const char *index,
                                struct opensearch_copy_note *note, struct error *error)
{
    char key[STORE_KEY_BYTES];
    uint64_t version = 0;
    enum status status = change_note_read(session, index, note, &version, key, error);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status opensearch_note_put(struct opensearch_alter *session, const char *index,
                                const struct opensearch_copy_note *note, struct error *error)
{
    char key[STORE_KEY_BYTES];
    char text[160];
    struct opensearch_copy_note before;
    uint64_t version = 0;
    enum status status = change_note_read(session, index, &before, &version, key, error);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    int length = snprintf(text, sizeof(text),
                          "{\"copied\":%" PRId64 ",\"proved\":%" PRId64 ",\"switched\":%" PRId64
                          ",\"writes\":%" PRId64 "}",
                          note->copied, note->proved, note->switched, note->writes);
    status = session->base.functions->put_if(session->base.store, key, text, (size_t)length,
                                             version, &version, error);
    return status == STATUS_AGAIN
               ? error_set(error, ERROR_RUN_FENCED, index, "another one works on this change")
               : status;
}

enum status opensearch_note_forget(struct opensearch_alter *session, const char *index,
                                   struct error *error)
{
    char key[STORE_KEY_BYTES];
    store_name_key(key, "schema/copy/", index);
    return session->base.functions->delete_if(session->base.store, key, STORE_ANY_VERSION, error);
}
