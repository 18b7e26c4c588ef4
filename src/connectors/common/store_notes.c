/* Putting notes into a store. */
#include "connectors/common/store_notes.h"

#include <string.h>

enum { PUT_TRIES = 5 };

/* A put whose answer was lost is refused when it is sent again, and then the text is there. */
static enum status put_one(const struct store_functions *functions, struct store *store,
                           const struct apply_note *note, struct arena *arena, struct error *error)
{
    enum status status = STATUS_AGAIN;
    for (int i = 0; i < PUT_TRIES && status == STATUS_AGAIN; i++) {
        struct store_value value = {0};
        uint64_t version;
        status = functions->get(store, note->key, arena, &value, error);
        if (status == STATUS_FAILED) {
            return STATUS_FAILED;
        }
        bool there = status == STATUS_OK;
        if (there && value.length == note->length &&
            memcmp(value.text, note->text, note->length) == 0) {
            return STATUS_OK;
        }
        status = functions->put_if(store, note->key, note->text, note->length,
                                   there ? value.version : STORE_ABSENT, &version, error);
    }
    return status == STATUS_AGAIN ? error_set(error, ERROR_RUN_FENCED, note->key,
                                              "another process writes it at the same time")
                                  : status;
}

enum status store_notes_put(const struct store_functions *functions, struct store *store,
                            const struct apply_note *notes, uint32_t count, struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = notes[i].text == NULL
                     ? functions->delete_if(store, notes[i].key, STORE_ANY_VERSION, error)
                     : put_one(functions, store, &notes[i], arena, error);
        arena_reset(arena);
    }
    arena_destroy(arena);
    return status;
}

enum status store_notes_of(const struct apply_request *request, const struct apply_call *call,
                           struct arena *arena, const struct apply_note **notes, uint32_t *count,
                           struct error *error)
{
    *notes = NULL;
    *count = 0;
    return request->take_notes != NULL
               ? request->take_notes(request->notes_context, call, arena, notes, count, error)
               : STATUS_OK;
}

enum status store_notes_keep(const struct apply_request *request, const struct apply_call *call,
                             const struct store_functions *functions, struct store *store,
                             struct arena *arena, struct error *error)
{
    const struct apply_note *notes;
    uint32_t count;
    enum status status = store_notes_of(request, call, arena, &notes, &count, error);
    return status == STATUS_OK && count > 0 ? store_notes_put(functions, store, notes, count, error)
                                            : status;
}
