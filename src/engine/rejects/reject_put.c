/* Entries of the book that are put at once, and all of an entity. */
#include "connectors/common/store_notes.h"
#include "engine/rejects/reject_book_internal.h"
#include <string.h>

static enum status open_store(const struct reject_book *book, struct store **store,
                              struct error *error)
{
    *store = NULL;
    if (book->functions == NULL) {
        return STATUS_END;
    }
    enum status status = book->functions->open(book_home(book->run), store, error);
    return status == STATUS_OK ? book->functions->create(*store, error) : status;
}

static void close_store(const struct reject_book *book, struct store *store)
{
    if (store != NULL) {
        book->functions->close(store);
    }
}

enum status reject_book_put(struct reject_book *book, const struct reject_changes *changes,
                            struct error *error)
{
    struct arena *arena = arena_create(0);
    const struct apply_note *notes;
    struct store *store = NULL;
    uint32_t count;
    reject_book_notes(book, changes, arena, &notes, &count);
    enum status status = count > 0 ? open_store(book, &store, error) : STATUS_END;
    if (status == STATUS_OK) {
        status = store_notes_put(book->functions, store, notes, count, error);
    }
    close_store(book, store);
    arena_destroy(arena);
    if (status != STATUS_FAILED) {
        reject_book_take(book, changes);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---- all of an entity */

void reject_book_begin_round(struct reject_book *book)
{
    pthread_mutex_lock(&book->mutex);
    book->round++;
    pthread_mutex_unlock(&book->mutex);
}

struct ending {
    struct reject_book *book;
    uint32_t entity;
    char prefix[STORE_KEY_BYTES];
    struct arena *arena; /* of the keys that go */
    struct apply_note *notes;
    uint32_t count;
    uint32_t capacity;
};

static void add_note(struct ending *ending, const char *key, const char *text)
{
    if (ending->count == ending->capacity) {
        ending->capacity = ending->capacity == 0 ? 16 : 2 * ending->capacity;
        struct apply_note *grown =
            arena_allocate_zeroed(ending->arena, ending->capacity, sizeof *grown);
        if (ending->count > 0) {
            memcpy(grown, ending->notes, ending->count * sizeof *grown);
        }
        ending->notes = grown;
    }
    ending->notes[ending->count++] =
        (struct apply_note){.key = arena_copy_string(ending->arena, key),
                            .text = text,
                            .length = text != NULL ? strlen(text) : 0};
}

static enum status look_at_entry(void *context, const char *key, const struct store_value *value,
                                 struct error *error)
{
    struct ending *ending = context;
    struct reject_id id;
    struct book_entry entry;
    struct arena *scratch = arena_create(1024);
    enum status status = STATUS_OK;
    if (book_entry_id(key, ending->prefix, &id)) {
        status = book_entry_read(key, value->text, scratch, &entry, error);
        bool stays =
            status == STATUS_OK && entry.state == REJECT_OPEN && entry.round >= ending->book->round;
        if (status == STATUS_OK && entry.entity == ending->entity && !stays) {
            add_note(ending, key, NULL);
        }
    }
    arena_destroy(scratch);
    return status;
}

static void forget_round(struct reject_book *book, uint32_t entity)
{
    pthread_mutex_lock(&book->mutex);
    book->copy_is_void[entity] = true;
    for (uint32_t i = 0; i < book->item_count; i++) {
        struct book_item *item = &book->items[i];
        bool stays = !item->settled && item->round >= book->round;
        if (item->entity == entity && item->counted && !stays) {
            book_count(book, item, -1);
            item->counted = false;
            item->settled = true;
            item->copied = false;
        }
    }
    pthread_mutex_unlock(&book->mutex);
}

/* The copy's counts go first: until the entries are gone, too, more seems to be missing than is. */
enum status reject_book_end_round(struct reject_book *book, uint32_t entity, struct error *error)
{
    struct ending ending = {.book = book, .entity = entity, .arena = arena_create(0)};
    struct store *store = NULL;
    char key[STORE_KEY_BYTES];
    book_prefix(ending.prefix, book->run->id);
    book_copy_key(key, book->run->id, entity);
    add_note(&ending, key, "{\"format\":1}");
    enum status status = open_store(book, &store, error);
    if (status == STATUS_OK) {
        status = book->functions->scan(store, ending.prefix, look_at_entry, &ending, error);
    }
    if (status == STATUS_OK) {
        status = store_notes_put(book->functions, store, ending.notes, ending.count, error);
    }
    close_store(book, store);
    arena_destroy(ending.arena);
    if (status != STATUS_FAILED) {
        forget_round(book, entity);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}
